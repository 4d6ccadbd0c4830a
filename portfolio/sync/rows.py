"""The stored rows of one source in an account, read as plain values in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account, CashBalance, Holding, Instrument
from portfolio.accounts.models import InstrumentIdentifier as Identifier
from portfolio.accounts.quotes import Quoted
from portfolio.accounts.services.portfolios import cash_of
from portfolio.db.batches import batches
from portfolio.sync.plan import Source, Stored, StoredHolding, digest

DESCRIBED = (
    *("symbol", "kind", "currency", "multiplier", "expiry", "strike", "option_right"),
    *("name", "exchange", "underlying"),
)
FIGURES = Quoted._fields
INSTRUMENT = tuple(getattr(Instrument, name) for name in DESCRIBED)


@dataclass(frozen=True, slots=True)
class StoredInstrument:
    """A stored instrument: its id, and its columns `DESCRIBED` in their order."""

    id: int
    described: tuple[Any, ...]

    @property
    def multiplier(self) -> Decimal:
        """How many units of what the price is of are in one of the quantity."""
        multiplier: Decimal = self.described[DESCRIBED.index("multiplier")]
        return multiplier


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A stored holding as the planner sees it, and what the writer has to know beside it."""

    id: int
    holding: StoredHolding
    quoted_at: datetime | None
    instrument: StoredInstrument

    @property
    def figures(self) -> Quoted:
        """Its figures."""
        return Quoted(self.holding.quantity, self.holding.average_price, *self.holding.quote)


def rows_of(session: Session, account: Account, source: Source) -> dict[str, StoredRow]:
    """The holdings of a source in an account, also those no longer held, by instrument key."""
    figures = [getattr(Holding, name) for name in FIGURES]
    query = (
        select(
            Identifier.value,
            *(Holding.id, Holding.closed_at, Holding.quoted_at),
            *figures,
            *(Instrument.id, *INSTRUMENT),
        )
        .join(Holding, Holding.instrument_id == Identifier.instrument_id)
        .join(Holding.instrument)
        .where(*_from(account, source))
        .order_by(Holding.id)
    )
    return {row[0]: _row(row) for row in session.execute(query)}


def _from(account: Account, source: Source) -> Iterable[ColumnElement[bool]]:
    return (
        Holding.account_id == account.id,
        Holding.source == source.manifest.key,
        Holding.source_account == source.broker_account,
        Identifier.scheme == source.manifest.identifier_scheme,
    )


def _row(row: Sequence[Any]) -> StoredRow:
    key, holding_id, closed_at, quoted_at, quantity, average, *rest = row
    *quote, instrument_id = rest[:4]
    described = tuple(rest[4:])
    symbol, kind, currency, multiplier, expiry, strike, right = described[:7]
    terms = {
        "symbol": symbol,
        "kind": kind,
        "currency": currency,
        "multiplier": multiplier,
        "expiry": expiry,
        "strike": strike,
        "right": right,
    }
    holding = StoredHolding(
        key=key,
        quantity=quantity,
        average_price=average,
        is_open=closed_at is None,
        terms=terms,
        quote=(quote[0], quote[1], quote[2]),
    )
    return StoredRow(holding_id, holding, quoted_at, StoredInstrument(instrument_id, described))


def cash_rows(session: Session, account: Account, source: Source) -> list[CashBalance]:
    """The cash of a source in an account."""
    return cash_of(session, account, source.manifest.key, source.broker_account)


def stored(rows: Mapping[str, StoredRow], cash: Iterable[CashBalance]) -> Stored:
    """The rows as the planner wants them."""
    return Stored(
        holdings=tuple(row.holding for row in rows.values()),
        cash={row.currency: row.amount for row in cash},
    )


def stored_state(session: Session, account: Account, source: Source) -> Stored:
    """What the account holds from this source, as the planner wants it."""
    return stored(rows_of(session, account, source), cash_rows(session, account, source))


def digest_of(session: Session, account: Account, source: Source) -> str:
    """The digest of what is stored, from the fields that are in it."""
    query = (
        select(Identifier.value, Holding.quantity, Holding.average_price, Instrument.currency)
        .join(Holding, Holding.instrument_id == Identifier.instrument_id)
        .join(Holding.instrument)
        .where(*_from(account, source), Holding.closed_at.is_(None))
    )
    cash = {row.currency: row.amount for row in cash_rows(session, account, source)}
    return digest(session.execute(query), cash)


def instruments_of(
    session: Session, owner_id: int, scheme: str, keys: Sequence[str]
) -> dict[str, StoredInstrument]:
    """The owner's instruments that are known by these keys."""
    found: dict[str, StoredInstrument] = {}
    for some in batches(keys):
        query = (
            select(Identifier.value, Instrument.id, *INSTRUMENT)
            .join(Instrument)
            .where(
                Identifier.owner_id == owner_id,
                Identifier.scheme == scheme,
                Identifier.is_key,
                Identifier.value.in_(some),
            )
        )
        for key, instrument_id, *described in session.execute(query):
            found[key] = StoredInstrument(instrument_id, tuple(described))
    return found
