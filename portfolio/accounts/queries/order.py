"""In which order an account's holdings stand: asked of the database once, and then remembered.

To order ten thousand rows costs more than the rest of a page. What the order depends on has a
stamp, `User.held_stamp`, that is drawn anew with each change and never comes back, neither after
a rollback nor in another process: under a stamp there is one order for ever.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Exists,
    Float,
    Select,
    String,
    case,
    cast,
    exists,
    func,
    literal,
    nulls_last,
    select,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from portfolio.accounts.figures import NOTIONAL_KINDS, Rates
from portfolio.accounts.models import MANUAL, Account, Holding, Instrument
from portfolio.accounts.queries.instruments import any_like, escaped
from portfolio.db.memory import Memory
from portfolio.db.session import only_reads
from portfolio.users.models import User

PAGE = 50
DEFAULT_SORT = "-value"
SORTS = ("symbol", "quantity", "price", "value", "cost", "pnl", "pnl_pct", "weight")
# Of eight bytes each.
REMEMBERED_IDS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which holdings are wanted, and how: `sort` is a column, after `-` a descending one.

    Without `identifiers` those of the instruments are left out. Where `paged`, a `start` beyond
    the end is that of the last page: a list that has become shorter since.
    """

    sort: str = DEFAULT_SORT
    text: str = ""
    kind: str = ""
    group: bool = False
    start: int = 0
    limit: int = PAGE
    identifiers: bool = True
    paged: bool = False

    def start_of(self, count: int) -> int:
        """Where the stretch begins among so many rows."""
        last = max(0, count - 1) // self.limit * self.limit
        return min(self.start, last) if self.paged else self.start


@dataclass(frozen=True, slots=True)
class Order:
    """The ids of holdings as they follow each other; `starts` is where rows or groups begin.

    `has_shorts` is of the whole account: whether anything in it was sold short.
    """

    ids: array[int]
    starts: Sequence[int]
    has_shorts: bool

    @property
    def count(self) -> int:
        """How many rows or groups there are."""
        return len(self.starts)

    def stretch(self, start: int, limit: int) -> Sequence[int]:
        """The ids of some rows or whole groups."""
        if start >= self.count:
            return ()
        end = start + limit
        return self.ids[self.starts[start] : self.starts[end] if end < self.count else None]


_remembered: Memory[Order] = Memory(REMEMBERED_IDS)


def ordered(session: Session, account: Account, rates: Rates, wanted: Wanted) -> Order:
    """The order of all holdings that are wanted; not remembered where a text is looked for."""
    stamp = account.portfolio.owner.held_stamp
    of = account.id, account.revision, account.currency
    key = stamp, *of, wanted.sort, wanted.kind, wanted.group
    found = None if wanted.text else _remembered.recall(key)
    if found is not None:
        return found
    found, stamps = _asked(session, account, rates, wanted)
    # Another stamp: somebody has changed something since this account was read.
    if not wanted.text and stamps == {stamp} and only_reads(session):
        _remembered.keep(key, found, size=len(found.ids))
    return found


def _asked(
    session: Session, account: Account, rates: Rates, wanted: Wanted
) -> tuple[Order, set[str]]:
    """The order as the database finds it, with the stamps that its rows were seen under."""
    by = _order(account, rates, wanted)
    query = (_in_groups if wanted.group else _flat)(_matching(account, wanted), by)
    stamp = select(User.held_stamp).where(User.id == account.portfolio.owner_id)
    shorts = _shorts(account)
    rows = session.execute(query.add_columns(shorts, stamp.scalar_subquery())).all()
    ids = array("q", (row[0] for row in rows))
    starts = _starts(row[1] for row in rows) if wanted.group else range(len(ids))
    # What is not wanted may be there all the same.
    others = not rows and (wanted.text or wanted.kind)
    has_shorts = session.scalar(select(shorts)) if others else bool(rows and rows[0][-2])
    return Order(ids, starts, bool(has_shorts)), {row[-1] for row in rows}


def _shorts(account: Account) -> Exists:
    """Whether something that counts in value was sold short, so that its price is in the cash."""
    row, of = aliased(Holding), aliased(Instrument)
    held = row.account_id == account.id, row.closed_at.is_(None)
    # The sign of a number is right also where its last digits are not.
    short = _real(row.quantity) < 0, of.kind.not_in(NOTIONAL_KINDS)
    return exists().where(row.instrument_id == of.id, *held, *short)


def _starts(places: Iterable[int]) -> array[int]:
    """Where each group begins, from the place of the group that each row is in."""
    starts, before = array("q"), 0
    for number, place in enumerate(places):
        if place != before:
            starts.append(number)
        before = place
    return starts


def _matching(account: Account, wanted: Wanted) -> Select[Any]:
    """The ids of the holdings that are wanted."""
    query = select(Holding.id).join(Holding.instrument)
    query = query.where(Holding.account_id == account.id, Holding.closed_at.is_(None))
    if wanted.kind:
        query = query.where(Instrument.kind == wanted.kind)
    if wanted.text:
        columns = (Instrument.symbol, Instrument.name, Instrument.underlying, Holding.notes)
        query = query.where(any_like(columns, f"%{escaped(wanted.text)}%"))
    return query


@dataclass(frozen=True, slots=True)
class _Order:
    """What rows are ordered by: a number only good for ordering, or a text; unknown comes last."""

    value: ColumnElement[Any]
    descending: bool

    def of(self, column: ColumnElement[Any]) -> Any:
        return nulls_last(column.desc() if self.descending else column.asc())


def _flat(matching: Select[Any], by: _Order) -> Select[Any]:
    return matching.order_by(by.of(by.value), Instrument.symbol, Holding.id)


def _in_groups(matching: Select[Any], by: _Order) -> Select[Any]:
    """The ids with the place of their group, ordered by what its members add up to."""
    key = func.coalesce(Instrument.underlying, Instrument.symbol)
    sums = matching.add_columns(
        key.label("key"),
        by.value.label("value"),
        func.sum(by.value).over(partition_by=key).label("sum"),
    ).subquery()
    place = func.dense_rank().over(order_by=(by.of(sums.c.sum), sums.c.key)).label("place")
    return select(sums.c.id, place).order_by(place, by.of(sums.c.value), sums.c.id)


def _order(account: Account, rates: Rates, wanted: Wanted) -> _Order:
    name = wanted.sort.removeprefix("-")
    descending = wanted.sort.startswith("-")
    if name == "symbol" and not wanted.group:
        return _Order(func.lower(Instrument.symbol), descending)
    return _Order(_numbers(account.currency, rates)[name], descending)


def _real(column: Any) -> ColumnElement[Any]:
    # Order only: never shown, never added up.
    return cast(column, Float)


def _numbers(currency: str, rates: Rates) -> dict[str, ColumnElement[Any]]:
    size = _real(Holding.quantity) * _real(Instrument.multiplier)
    by_hand = Holding.source == MANUAL
    value = case((by_hand, size * _real(Holding.price)), else_=_real(Holding.market_value))
    # As in `figures`: where it is not known, or 0, no cost is, whatever else a broker says.
    average = func.nullif(_real(Holding.average_price), 0)
    at_cost = size * average
    broker_cost = _real(Holding.market_value) - _real(Holding.unrealized_pnl)
    cost = case((by_hand, at_cost), (average.is_not(None), broker_cost), else_=None)
    profit = case((by_hand, value - at_cost), else_=_real(Holding.unrealized_pnl))
    known = {code: rates.between(code, currency) for code in rates.currencies | {currency}}
    whens = {code: _number(rate) for code, rate in known.items() if rate is not None}
    rate = case(*((Instrument.currency == code, at) for code, at in whens.items()), else_=None)
    counts = case(
        (Instrument.kind == "future", None), (Instrument.kind == "cfd", profit), else_=value
    )
    return {
        "symbol": cast(literal(None), Float),
        "quantity": _real(Holding.quantity),
        "price": _real(Holding.price),
        "value": value * rate,
        "cost": cost * rate,
        "pnl": profit * rate,
        "pnl_pct": profit / func.nullif(func.abs(cost), 0),
        "weight": counts * rate,
    }


def _number(rate: Decimal) -> ColumnElement[Any]:
    """A rate as the database orders by it."""
    return cast(literal(str(rate), String), Float)
