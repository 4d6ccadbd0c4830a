"""Rows that may be one thing twice, with what they would count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio.accounts import figures
from portfolio.accounts.models import (
    LIKELY_TWIN,
    MANUAL,
    Account,
    CashBalance,
    Holding,
    Instrument,
    Portfolio,
)
from portfolio.accounts.names import label_of
from portfolio.accounts.queries.held import HeldRow
from portfolio.accounts.queries.totals import CashShown, cash_rows, open_holdings

Likeness = tuple[object, ...]
LIKENESS = (
    *(Instrument.symbol, Instrument.currency, Instrument.kind),
    *(Instrument.expiry, Instrument.strike, Instrument.option_right),
)
STORED = tuple(column.key for column in LIKENESS)
VIEWED = tuple(name.removeprefix("option_") for name in STORED)
_BROUGHT = CashBalance.source, CashBalance.source_account
# Of a whole account that was left, a page with all of it is slow, and nobody reads it.
SHOWN_AT_ONCE = 50


def likeness(of: Any) -> Likeness:
    """What an instrument has in common with another that is the same; brokers tell no ISIN.

    It is given as it is stored, as it is shown, or as the terms of what a broker says.
    """
    return tuple(getattr(of, name) for name in (STORED if isinstance(of, Instrument) else VIEWED))


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelyTwin:
    """A row that may be counted twice; `what` is holding or cash, `amount` in its own currency."""

    what: str
    id: int
    label: str
    amount: Decimal | None
    currency: str
    by_hand: bool


def likely_twins(session: Session, account: Account) -> tuple[LikelyTwin, ...]:
    """The rows of an account that nobody has looked at yet; of many, some holdings and all cash.

    `Account.likely_twins` is how many there are.
    """
    if not account.likely_twins:
        return ()
    likely = open_holdings(account.id).where(Holding.twin == LIKELY_TWIN)
    held = session.scalars(likely.order_by(Instrument.symbol, Holding.id).limit(SHOWN_AT_ONCE))
    found = [
        LikelyTwin(
            what="holding",
            id=row.id,
            label=label_of(row.instrument),
            amount=_amount(figures.figures(row)),
            currency=row.instrument.currency,
            by_hand=row.source == MANUAL,
        )
        for row in held
    ]
    return (*found, *map(_cash, (r for r in cash_rows(session, account.id) if _is_likely(r))))


def _amount(of: figures.Figures) -> Decimal | None:
    return of.value if of.counts_in_value else of.notional


def _is_likely(row: CashBalance) -> bool:
    return row.twin == LIKELY_TWIN


def _cash(row: CashBalance) -> LikelyTwin:
    return LikelyTwin(
        what="cash",
        id=row.id,
        label=row.currency,
        amount=row.amount,
        currency=row.currency,
        by_hand=row.source == MANUAL,
    )


def duplicates_of(
    session: Session, account: Account, rows: Iterable[HeldRow]
) -> Mapping[int, int]:
    """The holding that each likely twin among some rows of an account looks like, by their ids."""
    likely = [row for row in rows if row.twin == LIKELY_TWIN]
    by_hand = [row for row in likely if row.source == MANUAL]
    brought = [row for row in likely if row.source != MANUAL]
    return _beside(session, account, by_hand) | _brought_again(session, brought)


def _brought_again(session: Session, rows: Sequence[HeldRow]) -> dict[int, int]:
    """The newest other row of the same broker account, wherever it is."""
    if not rows:
        return {}
    same = Holding.instrument_id, Holding.source, Holding.source_account
    named = Holding.instrument_id.in_([row.instrument.id for row in rows])
    query = select(Holding.id, *same).where(named, Holding.closed_at.is_(None))
    others: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for id_, *of in session.execute(query.order_by(Holding.id.desc())):
        others[tuple(of)].append(id_)
    found = {}
    for row in rows:
        of_it = others[row.instrument.id, row.source, row.source_account]
        found[row.id] = next((each for each in of_it if each != row.id), None)
    return {id_: other for id_, other in found.items() if other is not None}


def cash_duplicates_of(
    session: Session, account: Account, rows: Sequence[CashShown]
) -> Mapping[int, int]:
    """The cash that each likely twin among all cash of an account looks like, by their ids."""
    likely = [row for row in rows if row.twin == LIKELY_TWIN]
    beside = {row.currency: row.id for row in rows if row.source != MANUAL}
    found = {row.id: beside.get(row.currency) for row in likely if row.source == MANUAL}
    again = [row for row in likely if row.source != MANUAL]
    if again:
        query = select(CashBalance.id, CashBalance.currency, *_BROUGHT)
        query = query.join(Account, Account.id == CashBalance.account_id).join(Account.portfolio)
        query = query.where(Portfolio.owner_id == account.portfolio.owner_id)
        query = query.where(CashBalance.currency.in_([row.currency for row in again]))
        others = session.execute(query.order_by(CashBalance.id.desc())).all()
        for row in again:
            of = row.currency, row.source, row.source_account
            same = (id_ for id_, *each in others if tuple(each) == of and id_ != row.id)
            found[row.id] = next(same, None)
    return {id_: other for id_, other in found.items() if other is not None}


def _beside(session: Session, account: Account, rows: Sequence[HeldRow]) -> dict[int, int]:
    """The broker's row in the same account that has the same terms."""
    if not rows:
        return {}
    named = Instrument.symbol.in_([row.instrument.symbol for row in rows])
    query = select(Holding.id, *LIKENESS).join(Holding.instrument)
    query = query.where(Holding.account_id == account.id, Holding.closed_at.is_(None))
    found = session.execute(query.where(Holding.source != MANUAL, named).order_by(Holding.id))
    others: dict[Likeness, int] = {tuple(alike): id_ for id_, *alike in found}
    alike = {row.id: others.get(likeness(row.instrument)) for row in rows}
    return {id_: other for id_, other in alike.items() if other is not None}
