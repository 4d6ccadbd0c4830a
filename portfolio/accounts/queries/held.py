"""Stored holdings as tables read them: by their ids, in one statement, and without their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account, Holding, Instrument, InstrumentIdentifier
from portfolio.accounts.resources import InstrumentView
from portfolio.db.bycolumn import ByColumn, Column


class HeldRow(msgspec.Struct, gc=False):
    """A holding that is held now."""

    instrument: InstrumentView
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


# In the order in which both are made of them.
_HOLDING = tuple(getattr(Holding, name) for name in HeldRow.__struct_fields__[1:])
_OTHERWISE = {"right": "option_right"}
_INSTRUMENT = tuple(
    getattr(Instrument, _OTHERWISE.get(name, name))
    for name in InstrumentView.__struct_fields__[1:]
)
_COLUMNS = (*_HOLDING, *_INSTRUMENT)
# Where the instrument stands.
INSTRUMENT = len(_HOLDING)
# The account is looked at in Python: SQLite would take its index, and walk through all of it.
_HELD = ByColumn(
    select(*_COLUMNS)
    .join(Holding.instrument)
    .where(Holding.id.in_(bindparam("ids", expanding=True)), Holding.closed_at.is_(None))
)
_NAMED = ByColumn(
    select(
        InstrumentIdentifier.instrument_id, InstrumentIdentifier.scheme, InstrumentIdentifier.value
    ).where(InstrumentIdentifier.instrument_id.in_(bindparam("ids", expanding=True)))
)


def held_rows(
    session: Session, account: Account, ids: Sequence[int], *, identifiers: bool = True
) -> list[HeldRow]:
    """The holdings of an account with these ids, in their order, but those no longer held."""
    of = _HELD.columns(session, {"ids": list(ids)})
    if not of:
        return []
    named = _named(session, {*of[INSTRUMENT]}) if identifiers else {}
    held = {row.id: row for row in _held(of, named) if row.account_id == account.id}
    return [held[each] for each in ids if each in held]


def _named(session: Session, ids: Iterable[int]) -> Mapping[int, Mapping[str, str | None]]:
    """The identifiers of instruments by their ids."""
    named: dict[int, dict[str, str | None]] = {each: {"isin": None} for each in ids}
    for of, scheme, value in _NAMED.rows(session, {"ids": list(named)}):
        named[of][scheme] = value
    return named


def _held(
    of: Sequence[Column], named: Mapping[int, Mapping[str, str | None]]
) -> Iterable[HeldRow]:
    identifiers = [named.get(each, {}) for each in of[INSTRUMENT]]
    instruments = map(InstrumentView, identifiers, *of[INSTRUMENT:])
    return map(HeldRow, instruments, *of[:INSTRUMENT])
