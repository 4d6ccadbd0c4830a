"""The stored rows of one source in an account, read as plain values in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from operator import attrgetter
from sys import intern
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from brokers.types import ONE, Position
from portfolio.accounts.models import Account, CashBalance, Holding, Instrument, Portfolio
from portfolio.accounts.models import InstrumentIdentifier as Identifier
from portfolio.accounts.quotes import Quoted
from portfolio.accounts.services.portfolios import cash_of
from portfolio.db.batches import batches
from portfolio.db.bycolumn import ByColumn
from portfolio.sync.plan import PositionRow, Source, Stored, StoredHolding, Terms, digest
from portfolio.users.models import User

DESCRIBED = (
    *("symbol", "kind", "currency", "multiplier", "expiry", "strike", "option_right"),
    *("name", "exchange", "underlying"),
)
# A row as the planner wants it: first what is always its own, then what it may share.
OWN = (
    *(Identifier.value, Holding.closed_at, Holding.id, Holding.quoted_at, Instrument.id),
    *(Instrument.kind, Instrument.currency, Instrument.expiry, Instrument.option_right),
)
SHARED = (
    *(getattr(Holding, name) for name in Quoted._fields),
    *(Instrument.symbol, Instrument.multiplier, Instrument.strike),
    *(Instrument.name, Instrument.exchange, Instrument.underlying),
)
INSTRUMENT = tuple(getattr(Instrument, name) for name in DESCRIBED)


class StoredInstrument(NamedTuple):
    """A stored instrument: its id, and its columns `DESCRIBED` in their order."""

    id: int
    described: tuple[Any, ...]


def from_source(account: Account, source: Source) -> Iterable[ColumnElement[bool]]:
    """Which holdings are those of a source in an account."""
    return (
        Holding.account_id == account.id,
        Holding.source == source.manifest.key,
        Holding.source_account == source.broker_account,
    )


def cash_rows(session: Session, account: Account, source: Source) -> list[CashBalance]:
    """The cash of a source in an account."""
    return cash_of(session, account, source.manifest.key, source.broker_account)


def stored_state(
    session: Session, account: Account, source: Source, read: Iterable[Position] = ()
) -> Stored:
    """What the account holds from this source, and has held, as the planner wants it.

    Where it is what was `read`, it shares its values, which of thousands are several megabytes.
    """
    beside = {position.instrument.key: position for position in read}
    # Before the rows: should something change in between, the stamp is not that of the rows.
    stamp = _stamp(session, account)
    query = (
        select(*OWN, *SHARED)
        .join(Holding, Holding.instrument_id == Identifier.instrument_id)
        .join(Holding.instrument)
        .where(
            *from_source(account, source), Identifier.scheme == source.manifest.identifier_scheme
        )
    )
    holdings, as_read = [], {}
    for row in ByColumn(query, part_by=Holding.id).rows(session):
        position = beside.get(row[0])
        held, is_same = _holding(row, position)
        holdings.append(held)
        if position is not None and is_same:
            as_read[held.key] = position
    holdings.sort(key=attrgetter("id"))
    cash = amounts(cash_rows(session, account, source))
    return Stored(holdings=tuple(holdings), cash=cash, stamp=stamp, as_read=as_read)


def is_still(session: Session, account: Account, source: Source, stored: Stored) -> bool:
    """Whether an account holds what it held when it was read."""
    # Nothing of the owner's has changed since: the usual case, told without reading all again.
    if stored.stamp is not None and _stamp(session, account) == stored.stamp:
        return True
    return stored_state(session, account, source) == stored


def _stamp(session: Session, account: Account) -> str | None:
    query = select(User.held_stamp).join(Portfolio)
    return session.scalar(query.where(Portfolio.id == account.portfolio_id))


def _holding(row: Sequence[Any], read: Position | None) -> tuple[StoredHolding, bool]:
    """A stored row, and whether it is held as it was `read`, with a quote that is as new."""
    key, closed_at, holding_id, quoted_at, of, kind, currency, expiry, right = row[: len(OWN)]
    values, is_same = row[len(OWN) :], False
    if read is not None:
        key, said = read.instrument.key, _values(read)
        if values == said:
            values, is_open = said, closed_at is None and quoted_at is None
            is_same = is_open and _is_alike(read, kind, currency, expiry, right)
        else:
            values = [of if of == each else each for of, each in zip(said, values, strict=True)]
    quantity, average, price, value, profit, symbol, multiplier, strike = values[:8]
    name, exchange, underlying = values[8:]
    # These are the same in most rows, which then share them.
    multiplier = ONE if multiplier == ONE else multiplier
    terms = Terms(symbol, intern(kind), intern(currency), multiplier, expiry, strike, right)
    held, quote = (key, quantity, average, closed_at is None), (price, value, profit)
    described, ids = (name, exchange, underlying), (holding_id, of)
    found = StoredHolding(*held, terms, *quote, *described, *ids, quoted_at)
    return found, is_same


def _is_alike(read: Position, *stored: Any) -> bool:
    """Whether the rest of an instrument is as it was read, and whether a quote came with it."""
    of = read.instrument
    is_quoted = read.price is not None or read.market_value is not None
    return is_quoted and stored == (of.kind, of.currency, of.expiry, of.right)


def _values(of: Position) -> tuple[Any, ...]:
    """What stands in the columns `SHARED` of a holding that is as it was read."""
    figures = of.quantity, of.average_price, of.price, of.market_value, of.unrealized_pnl
    what = of.instrument
    terms = what.symbol, what.multiplier, what.strike
    return (*figures, *terms, what.name, what.exchange, what.underlying)


def amounts(cash: Iterable[CashBalance]) -> dict[str, Decimal]:
    """How much of each currency."""
    return {row.currency: row.amount for row in cash}


def position_rows(session: Session, account: Account, source: Source) -> Iterator[PositionRow]:
    """What is stored of the holdings that are open, in the fields that a sync must keep."""
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
    yield from ByColumn(query, part_by=Holding.id).rows(session)


def digest_of(session: Session, account: Account, source: Source) -> str:
    """The digest of what is stored."""
    cash = amounts(cash_rows(session, account, source))
    return digest(position_rows(session, account, source), cash)


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
