"""The stored rows of one source in an account, read as plain values in one statement."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from sys import intern
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from brokers.types import ONE
from portfolio.accounts.models import Account, CashBalance, Holding, Instrument
from portfolio.accounts.models import InstrumentIdentifier as Identifier
from portfolio.accounts.quotes import Quoted
from portfolio.accounts.services.portfolios import cash_of
from portfolio.db.batches import batches
from portfolio.db.session import streamed
from portfolio.sync.plan import Source, Stored, StoredHolding, Terms, digest

DESCRIBED = (
    *("symbol", "kind", "currency", "multiplier", "expiry", "strike", "option_right"),
    *("name", "exchange", "underlying"),
)
FIGURES = Quoted._fields
INSTRUMENT = tuple(getattr(Instrument, name) for name in DESCRIBED)


class StoredInstrument(NamedTuple):
    """A stored instrument: its id, and its columns `DESCRIBED` in their order."""

    id: int
    described: tuple[Any, ...]

    @property
    def multiplier(self) -> Decimal:
        """How many units of what the price is of are in one of the quantity."""
        multiplier: Decimal = self.described[DESCRIBED.index("multiplier")]
        return multiplier


class StoredRow(NamedTuple):
    """A stored holding as the planner sees it, and what the writer has to know beside it."""

    id: int
    holding: StoredHolding
    quoted_at: datetime | None
    instrument: StoredInstrument

    @property
    def figures(self) -> Quoted:
        """Its figures."""
        return Quoted(self.holding.quantity, self.holding.average_price, *self.holding.quote)


def rows_of(
    session: Session, account: Account, source: Source
) -> Generator[StoredRow, None, None]:
    """The holdings of a source in an account, also those no longer held, one after the other.

    Until the last one is read, no other statement may change them. Who stops before closes it.
    """
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
        .where(
            *from_source(account, source), Identifier.scheme == source.manifest.identifier_scheme
        )
        .order_by(Holding.id)
    )
    with closing(streamed(session, query)) as found:
        yield from map(_row, found)


def from_source(account: Account, source: Source) -> Iterable[ColumnElement[bool]]:
    """Which holdings are those of a source in an account."""
    return (
        Holding.account_id == account.id,
        Holding.source == source.manifest.key,
        Holding.source_account == source.broker_account,
    )


def _row(row: Sequence[Any]) -> StoredRow:
    key, holding_id, closed_at, quoted_at, quantity, average, price, value, profit, of, *rest = row
    symbol, kind, currency, multiplier, expiry, strike, right = rest[:7]
    # These are the same in most rows, which then share them.
    multiplier = ONE if multiplier == ONE else multiplier
    terms = Terms(symbol, intern(kind), intern(currency), multiplier, expiry, strike, right)
    quote = price, value, profit
    holding = StoredHolding(key, quantity, average, closed_at is None, terms, quote)
    return StoredRow(holding_id, holding, quoted_at, StoredInstrument(of, tuple(rest)))


def cash_rows(session: Session, account: Account, source: Source) -> list[CashBalance]:
    """The cash of a source in an account."""
    return cash_of(session, account, source.manifest.key, source.broker_account)


def stored_state(session: Session, account: Account, source: Source) -> Stored:
    """What the account holds from this source, as the planner wants it."""
    return Stored(
        holdings=tuple(row.holding for row in rows_of(session, account, source)),
        cash=amounts(cash_rows(session, account, source)),
    )


def amounts(cash: Iterable[CashBalance]) -> dict[str, Decimal]:
    """How much of each currency."""
    return {row.currency: row.amount for row in cash}


def digest_of(session: Session, account: Account, source: Source) -> str:
    """The digest of what is stored, from the fields that are in it."""
    query = (
        select(Identifier.value, Holding.quantity, Holding.average_price, Instrument.currency)
        .join(Holding, Holding.instrument_id == Identifier.instrument_id)
        .join(Holding.instrument)
        .where(
            *from_source(account, source),
            Identifier.scheme == source.manifest.identifier_scheme,
            Holding.closed_at.is_(None),
        )
    )
    cash = amounts(cash_rows(session, account, source))
    found = streamed(session, query)
    return digest(((key, held, cost, code) for key, held, cost, code in found), cash)


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
