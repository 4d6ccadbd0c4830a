"""The table of holdings: ordered, filtered and grouped by the database, valued in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Float, Select, String, case, cast, func, literal, nulls_last, or_, select
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.sql.elements import ColumnElement

from portfolio.accounts import figures
from portfolio.accounts.figures import Rates
from portfolio.accounts.models import MANUAL, Account, CashBalance, Holding, Instrument
from portfolio.accounts.queries.totals import cash_rows, open_holdings
from portfolio.accounts.queries.twins import duplicate_of
from portfolio.accounts.resources import (
    AccountView,
    CashView,
    HoldingGroup,
    HoldingsPage,
    HoldingView,
    InstrumentView,
    TotalsView,
)
from portfolio.db.base import MONEY
from portfolio.errors import NotFound

PAGE = 50
DEFAULT_SORT = "-value"
SORTS = ("symbol", "quantity", "price", "value", "cost", "pnl", "pnl_pct", "weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which holdings are wanted, and how: `sort` is a column, after `-` a descending one."""

    sort: str = DEFAULT_SORT
    text: str = ""
    kind: str = ""
    group: bool = False
    start: int = 0
    limit: int = PAGE


def holdings_page(
    session: Session,
    account: Account,
    view: AccountView,
    *,
    totals: TotalsView,
    rates: Rates,
    today: date,
    wanted: Wanted | None = None,
) -> HoldingsPage:
    """A stretch of an account's holdings, with the totals of the whole account."""
    wanted = wanted or Wanted()
    reader = _Reader(account=account, view=view, rates=rates, totals=totals, today=today)
    found, count = _rows(session, account, rates, wanted)
    lines = tuple(reader.holding(row, duplicate_of(session, row)) for row in found)
    cash = tuple(reader.cash(row) for row in cash_rows(session, account.id))
    end = wanted.start + wanted.limit
    return HoldingsPage(
        account=view,
        holdings=lines,
        groups=_groups(lines) if wanted.group else (),
        cash=cash,
        totals=totals,
        count=count,
        page=wanted.start // wanted.limit + 1,
        pages=max(1, -(-count // wanted.limit)),
        largest_weight=max((abs(line.weight or Decimal(0)) for line in lines), default=Decimal(0)),
        next_cursor=str(end) if end < count else None,
    )


def _rows(
    session: Session, account: Account, rates: Rates, wanted: Wanted
) -> tuple[list[Holding], int]:
    """The rows of the page in one statement, each with the number of all rows or groups."""
    matching = _filtered(open_holdings(account.id), wanted)
    order = _order(account, rates, wanted)
    query = (
        _in_groups(matching, account, order, wanted)
        if wanted.group
        else _flat(matching, order, wanted)
    )
    query = query.options(selectinload(Holding.instrument, Instrument.identifiers))
    found = session.execute(query).all()
    return [row[0] for row in found], found[0][1] if found else 0


def _flat(matching: Select[Any], order: _Order, wanted: Wanted) -> Select[Any]:
    ordered = matching.order_by(order.of(order.value), Instrument.symbol, Holding.id)
    count = func.count().over()
    return ordered.add_columns(count).offset(wanted.start).limit(wanted.limit)


def _in_groups(
    matching: Select[Any], account: Account, order: _Order, wanted: Wanted
) -> Select[Any]:
    """A stretch of whole groups, ordered by what their members add up to."""
    key = func.coalesce(Instrument.underlying, Instrument.symbol)
    sums = matching.with_only_columns(
        Holding.id.label("id"),
        key.label("key"),
        order.value.label("value"),
        func.sum(order.value).over(partition_by=key).label("sum"),
    ).subquery()
    places = func.dense_rank().over(order_by=(order.of(sums.c.sum), sums.c.key))
    ranked = select(sums.c.id, sums.c.value, places.label("place")).subquery()
    return (
        open_holdings(account.id)
        .join(ranked, ranked.c.id == Holding.id)
        .where(ranked.c.place > wanted.start, ranked.c.place <= wanted.start + wanted.limit)
        .order_by(ranked.c.place, order.of(ranked.c.value), Holding.id)
        .add_columns(select(func.max(ranked.c.place)).scalar_subquery())
    )


def _filtered(query: Select[Holding], wanted: Wanted) -> Select[Holding]:
    if wanted.kind:
        query = query.where(Instrument.kind == wanted.kind)
    if wanted.text:
        pattern = "%" + _escaped(wanted.text.lower()) + "%"
        columns = (Instrument.symbol, Instrument.name, Instrument.underlying, Holding.notes)
        query = query.where(or_(*(func.lower(c).like(pattern, escape="\\") for c in columns)))
    return query


def _escaped(text: str) -> str:
    text = text.replace("\0", "")
    for character in "\\%_":
        text = text.replace(character, f"\\{character}")
    return text


@dataclass(frozen=True, slots=True)
class _Order:
    """What rows are ordered by: a number only good for ordering, or a text; unknown comes last."""

    value: ColumnElement[Any]
    descending: bool

    def of(self, column: ColumnElement[Any]) -> Any:
        return nulls_last(column.desc() if self.descending else column.asc())


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
    at_cost = size * _real(Holding.average_price)
    broker_cost = _real(Holding.market_value) - _real(Holding.unrealized_pnl)
    cost = case((by_hand, at_cost), else_=broker_cost)
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


def _groups(lines: Sequence[HoldingView]) -> tuple[HoldingGroup, ...]:
    """The lines by their underlying, in their order; a sum only where all members know theirs."""
    members: dict[str, list[HoldingView]] = {}
    for line in lines:
        of = line.instrument
        members.setdefault(of.underlying or of.symbol, []).append(line)
    return tuple(_group(key, rows) for key, rows in members.items())


def _group(key: str, rows: Sequence[HoldingView]) -> HoldingGroup:
    currencies = {row.currency for row in rows}
    one = len(currencies) == 1
    counting = [row for row in rows if row.counts_in_value]
    named = next((row.instrument.name for row in rows if row.instrument.symbol == key), None)
    return HoldingGroup(
        key=key,
        name=named or rows[0].instrument.name,
        currency=currencies.pop() if one else None,
        rows=tuple(rows),
        market_value=_sum([row.market_value for row in counting]) if one else None,
        cost=_sum([row.cost for row in counting]) if one else None,
        unrealized_pnl=_sum([row.unrealized_pnl for row in rows]) if one else None,
        weight=_sum([row.weight for row in rows if row.instrument.kind != "future"]),
    )


def _sum(values: Sequence[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for value in values:
        if value is None:
            return None
        total = MONEY.add(total, value)
    return total if values else None


def find_holding(session: Session, account: Account, holding_id: int) -> Holding:
    """A holding of this account that is held now, or `NotFound`."""
    query = open_holdings(account.id).where(Holding.id == holding_id)
    row = session.scalar(query.options(selectinload(Holding.instrument, Instrument.identifiers)))
    if row is None:
        raise NotFound("holding")
    return row


def find_cash(session: Session, account: Account, cash_id: int) -> CashBalance:
    """A cash balance of this account, or `NotFound`."""
    row = session.get(CashBalance, cash_id)
    if row is None or row.account_id != account.id:
        raise NotFound("cash balance")
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Turns rows of one account into what is shown."""

    account: Account
    view: AccountView
    rates: Rates
    totals: TotalsView
    today: date

    def holding(self, row: Holding, duplicate_of: int | None) -> HoldingView:
        shown, of = figures.figures(row), row.instrument
        rate = self.rates.between(of.currency, self.account.currency)
        counts = None if of.kind == "future" else shown.counts
        return HoldingView(
            id=row.id,
            instrument=instrument_view(of),
            quantity=row.quantity,
            average_price=row.average_price,
            cost=shown.cost,
            price=row.price,
            market_value=shown.value,
            notional=shown.notional,
            counts_in_value=shown.counts_in_value,
            unrealized_pnl=shown.unrealized_pnl,
            unrealized_pct=shown.unrealized_ratio,
            base_value=figures.product(shown.value, rate),
            base_cost=figures.product(shown.cost, rate),
            weight=figures.weight(counts, rate, self.totals.net_liquidation),
            currency=of.currency,
            source=row.source,
            editable=self.view.may_edit(row.source, row.source_account),
            days_left=None if of.expiry is None else (of.expiry - self.today).days,
            notes=row.notes,
            closed_at=row.closed_at,
            duplicate_of=None if self.view.shared_by else duplicate_of,
        )

    def cash(self, row: CashBalance) -> CashView:
        rate = self.rates.between(row.currency, self.account.currency)
        return CashView(
            id=row.id,
            currency=row.currency,
            amount=row.amount,
            settled=row.settled,
            accrued_interest=row.accrued_interest,
            accrued_dividends=row.accrued_dividends,
            rate=rate,
            value=None if rate is None else figures.rounded(MONEY.multiply(row.amount, rate)),
            source=row.source,
            editable=self.view.may_edit(row.source, row.source_account),
        )


def one_holding(
    session: Session,
    account: Account,
    view: AccountView,
    row: Holding,
    *,
    rates: Rates,
    totals: TotalsView,
    today: date,
) -> HoldingView:
    """A single holding as the table shows it."""
    reader = _Reader(account=account, view=view, rates=rates, totals=totals, today=today)
    return reader.holding(row, duplicate_of(session, row))


def cash_views(
    session: Session, account: Account, view: AccountView, *, rates: Rates, totals: TotalsView
) -> tuple[CashView, ...]:
    """The cash of an account, a row per currency and source."""
    today = date.min
    reader = _Reader(account=account, view=view, rates=rates, totals=totals, today=today)
    return tuple(reader.cash(row) for row in cash_rows(session, account.id))


def instrument_view(row: Instrument) -> InstrumentView:
    """An instrument with its identifiers."""
    named: dict[str, str | None] = {"isin": None}
    named |= {identifier.scheme: identifier.value for identifier in row.identifiers}
    return InstrumentView(
        id=row.id,
        symbol=row.symbol,
        name=row.name,
        kind=row.kind,
        currency=row.currency,
        multiplier=row.multiplier,
        identifiers=named,
        expiry=row.expiry,
        strike=row.strike,
        right=row.option_right,
        underlying=row.underlying,
        source=row.source,
    )


def instruments(
    session: Session, owner_id: int, *, text: str, start: int, limit: int
) -> list[Instrument]:
    """The owner's instruments whose symbol or name begins with a text, one row more than asked."""
    query = select(Instrument).where(Instrument.owner_id == owner_id)
    if text:
        pattern = _escaped(text.lower()) + "%"
        starts = (
            func.lower(c).like(pattern, escape="\\") for c in (Instrument.symbol, Instrument.name)
        )
        query = query.where(or_(*starts))
    query = query.options(selectinload(Instrument.identifiers))
    ordered = query.order_by(Instrument.symbol, Instrument.id).offset(start).limit(limit + 1)
    return list(session.scalars(ordered))
