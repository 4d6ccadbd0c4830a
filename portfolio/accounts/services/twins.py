"""Rows that may be one thing twice: kept by hand beside a broker's, or left in two accounts."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from portfolio.accounts.models import (
    LIKELY_TWIN,
    MANUAL,
    NO_TWIN,
    SETTLED_TWIN,
    Account,
    CashBalance,
    Holding,
    Portfolio,
)

Likeness = tuple[str, str, str]


def likeness(row: Holding) -> Likeness:
    """What two holdings of the same thing have in common; brokers tell no ISIN."""
    of = row.instrument
    return of.symbol, of.currency, of.kind


def mark(session: Session, owner_id: int) -> None:
    """Mark the owner's rows that are likely counted twice; what a person has settled stays."""
    held = (
        select(Holding)
        .join(Holding.instrument)
        .join(Account, Account.id == Holding.account_id)
        .join(Portfolio, Portfolio.id == Account.portfolio_id)
        .where(Portfolio.owner_id == owner_id, Holding.closed_at.is_(None))
        .options(contains_eager(Holding.instrument))
    )
    holdings = list(session.scalars(held))
    _mark_holdings(holdings)
    cash = select(CashBalance).join(Account, Account.id == CashBalance.account_id)
    mine = cash.join(Account.portfolio).where(Portfolio.owner_id == owner_id)
    balances = list(session.scalars(mine))
    _mark_cash(balances)
    rows: list[Holding | CashBalance] = [*holdings, *balances]
    likely = Counter(row.account_id for row in rows if row.twin == LIKELY_TWIN)
    members = select(Account).join(Account.portfolio).where(Portfolio.owner_id == owner_id)
    for account in session.scalars(members):
        account.likely_twins = likely[account.id]


def _mark_holdings(rows: list[Holding]) -> None:
    synced = {(row.account_id, likeness(row)) for row in rows if row.source != MANUAL}
    newest: dict[tuple[str, str, int], int] = {}
    for row in rows:
        if row.source != MANUAL:
            place = row.source, row.source_account, row.instrument_id
            newest[place] = max(newest.get(place, 0), row.id)
    for row in rows:
        if row.source == MANUAL:
            alike = (row.account_id, likeness(row)) in synced
        else:
            # The same broker account was read into another account since.
            alike = newest[row.source, row.source_account, row.instrument_id] != row.id
        _note(row, alike=alike)


def _mark_cash(rows: list[CashBalance]) -> None:
    synced = {(row.account_id, row.currency) for row in rows if row.source != MANUAL}
    newest: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row.source != MANUAL:
            place = row.source, row.source_account, row.currency
            newest[place] = max(newest.get(place, 0), row.id)
    for row in rows:
        if row.source == MANUAL:
            alike = (row.account_id, row.currency) in synced and bool(row.amount)
        else:
            alike = newest[row.source, row.source_account, row.currency] != row.id
        _note(row, alike=alike)


def _note(row: Holding | CashBalance, *, alike: bool) -> None:
    if alike and row.twin == NO_TWIN:
        row.twin = LIKELY_TWIN
    elif not alike and row.twin != NO_TWIN:
        row.twin = NO_TWIN


def hand_over(former: Holding, twin: Holding) -> None:
    """Give what a person wrote of a row to the row that replaces it, where that says nothing."""
    for name in ("notes", "display_name", "category", "target_weight"):
        if getattr(twin, name) is None:
            setattr(twin, name, getattr(former, name))


def settle(session: Session, row: Holding | CashBalance, owner_id: int) -> None:
    """Note that a person has looked: these are two things, and both count."""
    row.twin = SETTLED_TWIN
    session.flush()
    mark(session, owner_id)
