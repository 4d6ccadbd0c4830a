"""Stored holdings as tables read them: by their ids, in one statement, and without their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account, Holding, Instrument, InstrumentIdentifier
from portfolio.accounts.resources import InstrumentView
from portfolio.db.session import columns

# The account is looked at in Python: SQLite would take its index, and walk through all of it.
_HELD = (
    select(
        Holding.id,
        Holding.account_id,
        Holding.source,
        Holding.source_account,
        Holding.quantity,
        Holding.average_price,
        Holding.price,
        Holding.market_value,
        Holding.unrealized_pnl,
        Holding.quoted_at,
        Holding.notes,
        Holding.twin,
        Instrument.id.label("instrument_id"),
        Instrument.symbol,
        Instrument.name,
        Instrument.kind,
        Instrument.currency,
        Instrument.multiplier,
        Instrument.source,
        Instrument.expiry,
        Instrument.strike,
        Instrument.option_right,
        Instrument.underlying,
    )
    .join(Holding.instrument)
    .where(Holding.id.in_(bindparam("ids", expanding=True)), Holding.closed_at.is_(None))
)
_NAMED = select(
    InstrumentIdentifier.instrument_id, InstrumentIdentifier.scheme, InstrumentIdentifier.value
).where(InstrumentIdentifier.instrument_id.in_(bindparam("ids", expanding=True)))
# Where the columns of the instrument begin.
OF_INSTRUMENT = 12


class HeldRow(NamedTuple):
    """A holding that is held now, in the order of the columns."""

    id: int
    account_id: int
    source: str
    source_account: str
    quantity: Decimal
    average_price: Decimal | None
    price: Decimal | None
    market_value: Decimal | None
    unrealized_pnl: Decimal | None
    quoted_at: datetime | None
    notes: str | None
    twin: str
    instrument: InstrumentView


def held_rows(
    session: Session, account: Account, ids: Sequence[int], *, identifiers: bool = True
) -> list[HeldRow]:
    """The holdings of an account with these ids, in their order, but those no longer held."""
    rows = columns(session, _HELD, {"ids": list(ids)})
    named = _named(session, {row.instrument_id for row in rows}) if identifiers else {}
    found = {row.id: _held(row, named) for row in rows if row.account_id == account.id}
    return [found[each] for each in ids if each in found]


def _named(session: Session, ids: Iterable[int]) -> Mapping[int, Mapping[str, str | None]]:
    """The identifiers of instruments by their ids."""
    named: dict[int, dict[str, str | None]] = {each: {"isin": None} for each in ids}
    for of, scheme, value in columns(session, _NAMED, {"ids": list(named)}):
        named[of][scheme] = value
    return named


def _held(row: Any, named: Mapping[int, Mapping[str, str | None]]) -> HeldRow:
    id_, symbol, name, kind, currency, multiplier, source, *terms = row[OF_INSTRUMENT:]
    expiry, strike, right, underlying = terms
    instrument = InstrumentView(
        id=id_,
        symbol=symbol,
        name=name,
        kind=kind,
        currency=currency,
        multiplier=multiplier,
        identifiers=named.get(id_, {}),
        source=source,
        expiry=expiry,
        strike=strike,
        right=right,
        underlying=underlying,
    )
    return HeldRow._make((*row[:OF_INSTRUMENT], instrument))
