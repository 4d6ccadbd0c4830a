"""Stored holdings as tables read them: by their ids, in one statement, and without their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account, Holding, Instrument, InstrumentIdentifier
from portfolio.accounts.resources import InstrumentView
from portfolio.db.session import as_stored, by_column, columns


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
# Where the account and the instrument stand.
ACCOUNT, INSTRUMENT = HeldRow.__struct_fields__.index("account_id") - 1, len(_HOLDING)
# The account is looked at in Python: SQLite would take its index, and walk through all of it.
_HELD, _EXACT = as_stored(
    select(*_COLUMNS)
    .join(Holding.instrument)
    .where(Holding.id.in_(bindparam("ids", expanding=True)), Holding.closed_at.is_(None))
)
_NAMED = select(
    InstrumentIdentifier.instrument_id, InstrumentIdentifier.scheme, InstrumentIdentifier.value
).where(InstrumentIdentifier.instrument_id.in_(bindparam("ids", expanding=True)))


def held_rows(
    session: Session, account: Account, ids: Sequence[int], *, identifiers: bool = True
) -> list[HeldRow]:
    """The holdings of an account with these ids, in their order, but those no longer held."""
    found = columns(session, _HELD, {"ids": list(ids)})
    rows = [row for row in found if row[ACCOUNT] == account.id]
    named = _named(session, {row[INSTRUMENT] for row in rows}) if identifiers else {}
    held = {row.id: row for row in _held(rows, named)} if rows else {}
    return [held[each] for each in ids if each in held]


def _named(session: Session, ids: Iterable[int]) -> Mapping[int, Mapping[str, str | None]]:
    """The identifiers of instruments by their ids."""
    named: dict[int, dict[str, str | None]] = {each: {"isin": None} for each in ids}
    for of, scheme, value in columns(session, _NAMED, {"ids": list(named)}):
        named[of][scheme] = value
    return named


def _held(
    rows: Iterable[Row[*tuple[Any, ...]]], named: Mapping[int, Mapping[str, str | None]]
) -> Iterable[HeldRow]:
    of = by_column(rows, _EXACT)
    identifiers = [named.get(each, {}) for each in of[INSTRUMENT]]
    instruments = map(InstrumentView, identifiers, *of[INSTRUMENT:])
    return map(HeldRow, instruments, *of[:INSTRUMENT])
