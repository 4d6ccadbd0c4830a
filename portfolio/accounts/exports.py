"""Everything that an account holds, as one file: CSV that reads back, or JSON.

The file is whole before its first byte is sent. It is written some rows at a time, and what does
not fit into a little memory goes to the disk: so a slow reader holds no transaction, and a failure
is an error and no half of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
from flask import Response
from marshmallow import Schema

from portfolio.accounts import csvfile
from portfolio.accounts.csvfile import Columns
from portfolio.accounts.queries.order import Wanted
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.resources import CashView, HoldingView
from portfolio.accounts.schemas.holdings import HoldingSchema, HoldingsSchema, InstrumentSchema
from portfolio.db.base import canonical_each
from portfolio.db.session import one_state
from portfolio.web import respond
from portfolio.web.openapi import utc
from portfolio.web.runtime import moment, owner_id, runtime

Place = tuple[int, str]
# The columns of a CSV file that say what is held, and those that say how much.
TERMS = (
    *("symbol", "name", "kind", "currency", "multiplier", "expiry", "strike", "right"),
    "underlying",
)
HELD = (
    *("quantity", "average_price", "price", "notes", "source"),
    *("market_value", "cost", "unrealized_pnl", "weight", "quoted_at"),
)
# The totals and the cash are the same beside whichever holdings.
ANY = Wanted(sort="symbol", limit=1)


def as_csv(place: Place) -> Response:
    """The account at a place (portfolio id, account name) as CSV."""
    with one_state() as session:
        at = Scope.find(session, owner_id(), place, moment(), runtime().links_of, to_look=True)
        return respond.file(csvfile.written(_parts(at)), f"{at.account.name}.csv")


def as_json(place: Place) -> Response:
    """The account at a place (portfolio id, account name) as JSON, in the shape of its pages."""
    with one_state() as session:
        at = Scope.find(session, owner_id(), place, moment(), runtime().links_of, to_look=True)
        return respond.file(_document(at), f"{at.account.name}.json", "application/json")


def _parts(at: Scope) -> Iterator[Columns]:
    yield from map(_holdings, at.all_holdings())
    yield _cash(at.cash())


def _holdings(rows: Sequence[HoldingView]) -> Columns:
    of = [row.instrument for row in rows]
    isin = [each.identifiers["isin"] for each in of]
    terms, held = _columns(of, TERMS), _columns(rows, HELD)
    return {"type": ["holding"] * len(rows), **terms, "isin": isin, **held}


def _cash(rows: Sequence[CashView]) -> Columns:
    of = _columns(rows, ("currency", "source", "amount"))
    # In its own currency, as that of a holding: it is what there is of it.
    amounts = {"quantity": of["amount"], "market_value": of["amount"]}
    return {"type": [csvfile.CASH] * len(rows), **of, **amounts}


def _document(at: Scope) -> Iterator[str]:
    around = HoldingsSchema(exclude=["holdings"]).dump(at.holdings(ANY))
    yield _json(around | {"next_cursor": None}).removesuffix("}")
    before = ',"holdings":[\n'
    for rows in at.all_holdings():
        yield before + _json(described(rows))[1:-1]
        before = ",\n"
    yield "\n]}\n" if before == ",\n" else f"{before}]}}\n"


def _json(value: object) -> str:
    # A tenth of the time of the standard library's.
    return msgspec.json.encode(value).decode()


def described(rows: Sequence[HoldingView]) -> list[msgspec.Struct]:
    """Some holdings as `HoldingSchema` gives them, in a tenth of the time."""
    outer, inner = _shape(HoldingSchema), _shape(InstrumentSchema)
    terms = _columns([row.instrument for row in rows], inner.__struct_fields__)
    columns = _columns(rows, outer.__struct_fields__)
    columns["id"] = [str(row.id) for row in rows]
    columns["instrument"] = [*map(inner, *terms.values())]
    return [*map(outer, *columns.values())]


@cache
def _shape(schema: type[Schema]) -> type[msgspec.Struct]:
    """The same fields in the same order, for what is text already."""
    return msgspec.defstruct(schema.__name__, list(schema().fields), gc=False)


def _columns(rows: Sequence[object], names: Iterable[str]) -> dict[str, list[Any]]:
    """Some columns of some rows, as text where JSON knows no such thing.

    Column by column: to choose how each value of each row is written would take as long again.
    """
    return {name: AS_TEXT.get(name, list)(map(attrgetter(name), rows)) for name in names}


def _times(values: Iterable[datetime | None]) -> list[str | None]:
    """Each as `utc` writes it, once: most in an account are of one moment."""
    given = [*values]
    written = {each: utc(each) for each in set(given) if each is not None}
    return [None if each is None else written[each] for each in given]


def _days(values: Iterable[date | None]) -> list[str | None]:
    return [None if each is None else each.isoformat() for each in values]


def _numbers(values: Iterable[int | None]) -> list[str | None]:
    return [None if each is None else str(each) for each in values]


EXACT = (
    *("multiplier", "strike", "quantity", "average_price", "price", "amount", "market_value"),
    *("notional", "cost", "unrealized_pnl", "weight"),
)
AS_TEXT: Mapping[str, Callable[[Iterable[Any]], list[Any]]] = {
    **dict.fromkeys(EXACT, canonical_each),
    "expiry": _days,
    "quoted_at": _times,
    "duplicate_of": _numbers,
}
