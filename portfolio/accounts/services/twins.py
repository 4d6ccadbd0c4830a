"""Rows that may be one thing twice: kept by hand beside a broker's, or left in two accounts."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from portfolio.accounts.models import (
    LIKELY_TWIN,
    MANUAL,
    NO_TWIN,
    SETTLED_TWIN,
    Account,
    CashBalance,
    Holding,
    Instrument,
    Portfolio,
)
from portfolio.db.batches import batches

Likeness = tuple[object, ...]
LIKENESS = (
    *(Instrument.symbol, Instrument.currency, Instrument.kind),
    *(Instrument.expiry, Instrument.strike, Instrument.option_right),
)


def likeness(row: Holding) -> Likeness:
    """What two holdings of the same thing have in common; brokers tell no ISIN."""
    return tuple(getattr(row.instrument, column.key) for column in LIKENESS)


def mark(session: Session, owner_id: int) -> None:
    """Mark the owner's rows that are likely counted twice; what a person has settled stays."""
    session.flush()
    mine = _accounts_of(owner_id)
    counts: Counter[int] = Counter()
    alike = _holdings_by_hand(session, mine) | _left(session, mine)
    held = select(Holding).where(Holding.account_id.in_(mine))
    rows = {row.id: row for row in session.scalars(held.where(Holding.twin != NO_TWIN))}
    for some in batches(sorted(alike - rows.keys())):
        rows |= {row.id: row for row in session.scalars(held.where(Holding.id.in_(some)))}
    for row in rows.values():
        counts[row.account_id] += _note(row, alike=row.closed_at is None and row.id in alike)
    spent = set(session.scalars(_cash_by_hand(mine))) | set(session.scalars(_cash_left(mine)))
    doubtful = or_(CashBalance.id.in_(spent), CashBalance.twin != NO_TWIN)
    cash = select(CashBalance).where(CashBalance.account_id.in_(mine), doubtful)
    for balance in session.scalars(cash):
        counts[balance.account_id] += _note(balance, alike=balance.id in spent)
    for account in session.scalars(select(Account).where(Account.id.in_(mine))):
        account.likely_twins = counts[account.id]
    session.flush()


def _accounts_of(owner_id: int) -> Select[int]:
    query = select(Account.id).join(Portfolio, Portfolio.id == Account.portfolio_id)
    return query.where(Portfolio.owner_id == owner_id)


def _holdings_by_hand(session: Session, mine: Select[int]) -> set[int]:
    """Rows kept by hand beside a broker's row that looks the same, in one account.

    Found here and not by a join: no index has all that makes two rows alike.
    """
    query = (
        select(Holding.id, Holding.account_id, *LIKENESS)
        .join(Instrument, Instrument.id == Holding.instrument_id)
        .where(Holding.account_id.in_(mine), Holding.closed_at.is_(None))
    )
    by_hand = {
        row[0]: tuple(row[1:]) for row in session.execute(query.where(Holding.source == MANUAL))
    }
    if not by_hand:
        return set()
    accounts = {account_id for account_id, *_ in by_hand.values()}
    theirs = query.where(Holding.source != MANUAL, Holding.account_id.in_(accounts))
    brought = {tuple(row[1:]) for row in session.execute(theirs)}
    return {of for of, alike in by_hand.items() if alike in brought}


def _left(session: Session, mine: Select[int]) -> set[int]:
    """Rows of a broker account that was read into another account since."""
    brought = Holding.account_id.in_(mine), Holding.source != MANUAL, Holding.closed_at.is_(None)
    of = Holding.source, Holding.source_account
    first, last = func.min(Holding.account_id), func.max(Holding.account_id)
    # Seldom so, and told by an index alone, without putting thousands of rows in order.
    moved = select(*of).where(*brought).group_by(*of).having(first < last)
    if not session.execute(moved).all():
        return set()
    newest = func.max(Holding.id).over(partition_by=(Holding.instrument_id, *of)).label("newest")
    held = select(Holding.id, newest).where(*brought).subquery()
    return set(session.scalars(select(held.c.id).where(held.c.id < held.c.newest)))


def _cash_by_hand(mine: Select[int]) -> Select[int]:
    other = aliased(CashBalance)
    return (
        select(CashBalance.id)
        .join(other, other.account_id == CashBalance.account_id)
        .where(
            CashBalance.account_id.in_(mine),
            CashBalance.source == MANUAL,
            other.source != MANUAL,
            other.currency == CashBalance.currency,
        )
    )


def _cash_left(mine: Select[int]) -> Select[int]:
    newer = aliased(CashBalance)
    return (
        select(CashBalance.id)
        .join(newer, newer.currency == CashBalance.currency)
        .where(
            CashBalance.account_id.in_(mine),
            CashBalance.source != MANUAL,
            newer.account_id.in_(mine),
            newer.source == CashBalance.source,
            newer.source_account == CashBalance.source_account,
            newer.id > CashBalance.id,
        )
    )


def _note(row: Holding | CashBalance, *, alike: bool) -> bool:
    """Mark a row, or take its mark away; whether somebody should look at it."""
    if not alike:
        row.twin = NO_TWIN
    elif row.twin == NO_TWIN:
        row.twin = LIKELY_TWIN
    return row.twin == LIKELY_TWIN


def hand_over(former: Holding, twin: Holding) -> None:
    """Give what a person wrote of a row to the row that replaces it, where that says nothing."""
    for name in ("notes", "display_name", "category", "target_weight"):
        if getattr(twin, name) is None:
            setattr(twin, name, getattr(former, name))


def settle(session: Session, row: Holding | CashBalance, owner_id: int) -> None:
    """Note that a person has looked: these are two things, and both count."""
    row.twin = SETTLED_TWIN
    mark(session, owner_id)
