"""Rows that may be one thing twice, with what they would count."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

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
)
from portfolio.accounts.queries.totals import cash_rows, open_holdings


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
    """The rows of an account that nobody has looked at yet."""
    if not account.likely_twins:
        return ()
    held = session.scalars(open_holdings(account.id).where(Holding.twin == LIKELY_TWIN))
    found = [
        LikelyTwin(
            what="holding",
            id=row.id,
            label=row.instrument.symbol,
            amount=figures.figures(row).value,
            currency=row.instrument.currency,
            by_hand=row.source == MANUAL,
        )
        for row in held
    ]
    return (*found, *map(_cash, (r for r in cash_rows(session, account.id) if _is_likely(r))))


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


def duplicate_of(session: Session, row: Holding) -> int | None:
    """The holding that a likely twin looks like, or None where it is no twin."""
    if row.twin != LIKELY_TWIN:
        return None
    others = select(Holding.id).where(Holding.closed_at.is_(None), Holding.id != row.id)
    if row.source != MANUAL:
        same = (
            Holding.instrument_id == row.instrument_id,
            Holding.source == row.source,
            Holding.source_account == row.source_account,
        )
        return session.scalar(others.where(*same).order_by(Holding.id.desc()).limit(1))
    of = row.instrument
    alike = (
        Holding.account_id == row.account_id,
        Holding.source != MANUAL,
        Instrument.symbol == of.symbol,
        Instrument.currency == of.currency,
        Instrument.kind == of.kind,
        Instrument.expiry.is_not_distinct_from(of.expiry),
        Instrument.strike.is_not_distinct_from(of.strike),
        Instrument.option_right.is_not_distinct_from(of.option_right),
    )
    return session.scalar(others.join(Holding.instrument).where(*alike).limit(1))
