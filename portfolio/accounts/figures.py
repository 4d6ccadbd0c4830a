"""What each number means: pure functions from stored rows to figures.

Everything of a holding is in its instrument's currency. An unknown input makes the figure None;
nothing is ever taken as 0 or 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple, Protocol

import msgspec

from portfolio.accounts.models import MANUAL, Rate
from portfolio.db.base import MONEY

# Their profit is in the broker's cash or stands beside it, or only their profit counts.
NOTIONAL_KINDS = frozenset({"future", "cfd"})
DECIMALS = Decimal(1).scaleb(-20)
# Brokers and central banks give rates each working day: one that is so much older than others
# is given by nobody any more.
RENEWED = timedelta(days=7)


class Terms(Protocol):
    """What figures need to know of an instrument."""

    @property
    def kind(self) -> str:
        """Its kind."""
        ...

    @property
    def currency(self) -> str:
        """The currency of all figures."""
        ...

    @property
    def multiplier(self) -> Decimal:
        """How many units of what the price is of are in one of the quantity."""
        ...


class Held(Protocol):
    """What figures need to know of a holding, whichever way it was read."""

    @property
    def source(self) -> str:
        """Who says so: `MANUAL`, or a broker's key."""
        ...

    @property
    def instrument(self) -> Terms:
        """What is held."""
        ...

    @property
    def quantity(self) -> Decimal:
        """How much of it; negative for a short."""
        ...

    @property
    def average_price(self) -> Decimal | None:
        """What a unit cost; 0 says that this is not known, as files and brokers write it."""
        ...

    @property
    def price(self) -> Decimal | None:
        """What a unit is worth."""
        ...

    @property
    def market_value(self) -> Decimal | None:
        """The broker's own value."""
        ...

    @property
    def unrealized_pnl(self) -> Decimal | None:
        """The broker's own profit."""
        ...


# As many as there are holdings: dataclasses would take three times as long to make.
class Figures(msgspec.Struct, kw_only=True, gc=False):
    """The figures of one holding, in its instrument's currency.

    `counts` is what the holding adds to net liquidation: its value, only its profit (a CFD), or
    None where that is unknown; a future adds nothing by itself and its `counts` is 0.
    """

    value: Decimal | None
    notional: Decimal | None
    cost: Decimal | None
    unrealized_pnl: Decimal | None
    counts: Decimal | None
    counts_in_value: bool

    @property
    def unrealized_ratio(self) -> Decimal | None:
        """The profit as a share of the cost; worked out where it is shown, as few rows are."""
        return profit_ratio(self.unrealized_pnl, self.cost)


class _Way(NamedTuple):
    """A way from one currency to another: as old as the oldest rate on it."""

    day: date
    rate: Decimal


class Rates:
    """Exchange rates of one owner: direct, inverse, or through one common currency.

    Of the first two the newer one, and where both are as new the direct one. The third one where
    there is neither, or where nobody renews them any more: they are a product of two, but new.
    """

    def __init__(self, rows: Iterable[Rate]) -> None:
        # The newest day wins; on one day the broker's rate comes before one typed by hand.
        # Of two read at one moment always the same one, in whatever order they come.
        ordered = sorted(rows, key=_precedence)
        self._known = {
            (row.from_currency, row.to_currency): (_precedence(row)[:2], row.value)
            for row in ordered
        }
        self._newest = ordered[-1].day if ordered else date.min
        # These are asked for again with each row and each page.
        self._found: dict[tuple[str, str], Decimal | None] = {}

    @property
    def currencies(self) -> frozenset[str]:
        """Every currency that a rate is known of."""
        return frozenset(currency for pair in self._known for currency in pair)

    def between(self, source: str, target: str) -> Decimal | None:
        """The value of one unit of `source` in `target`, or None where no rate is known."""
        pair = source, target
        if pair not in self._found:
            way = self._way(source, target)
            self._found[pair] = None if way is None else way.rate
        return self._found[pair]

    def _way(self, source: str, target: str) -> _Way | None:
        if source == target:
            return _Way(self._newest, Decimal(1))
        step = self._one_step(source, target)
        if step is not None and self._newest - step.day <= RENEWED:
            return step
        through = self._two_steps(source, target)
        if step is None or (through is not None and through.day - step.day > RENEWED):
            return through
        return step

    def _one_step(self, source: str, target: str) -> _Way | None:
        direct = self._known.get((source, target))
        inverse = self._known.get((target, source))
        # A rate that nobody renews any more is no better for being the right way round.
        turned = direct is None or (inverse is not None and inverse[0] > direct[0])
        found = inverse if turned else direct
        if found is None or not found[1]:
            return None
        (day, _), rate = found
        return _Way(day, MONEY.divide(Decimal(1), rate) if turned else rate)

    def _two_steps(self, source: str, target: str) -> _Way | None:
        ways = []
        for middle in sorted(self.currencies):
            first, second = self._one_step(source, middle), self._one_step(middle, target)
            if first and second:
                rate = MONEY.multiply(first.rate, second.rate)
                ways.append(_Way(min(first.day, second.day), rate))
        return max(ways, key=lambda way: way.day, default=None)


def _precedence(row: Rate) -> tuple[date, bool, datetime, str]:
    return row.day, row.source != MANUAL, row.read_at, row.source


def figures(holding: Held) -> Figures:
    """The figures of one holding, from the broker's valuation or from what was typed by hand."""
    value = _value(holding)
    counts_in_value = holding.instrument.kind not in NOTIONAL_KINDS
    cost = _cost(holding, value)
    profit = _profit(holding, value, cost)
    return Figures(
        value=value if counts_in_value else None,
        notional=None if counts_in_value else value,
        cost=cost,
        unrealized_pnl=profit,
        counts=_counts(holding.instrument.kind, value, profit),
        counts_in_value=counts_in_value,
    )


def _value(holding: Held) -> Decimal | None:
    if holding.source != MANUAL:
        return holding.market_value
    return _worth(holding, holding.price)


def _worth(holding: Held, price: Decimal | None) -> Decimal | None:
    """A holding at a price."""
    if price is None:
        return None
    return MONEY.multiply(MONEY.multiply(holding.quantity, price), holding.instrument.multiplier)


def _cost(holding: Held, value: Decimal | None) -> Decimal | None:
    if not holding.average_price:
        return None
    if holding.source == MANUAL:
        return _worth(holding, holding.average_price)
    if value is None or holding.unrealized_pnl is None:
        return None
    return MONEY.subtract(value, holding.unrealized_pnl)


def _profit(holding: Held, value: Decimal | None, cost: Decimal | None) -> Decimal | None:
    if holding.source != MANUAL:
        return holding.unrealized_pnl
    return None if value is None or cost is None else MONEY.subtract(value, cost)


def _counts(kind: str, value: Decimal | None, profit: Decimal | None) -> Decimal | None:
    if kind == "future":
        return Decimal(0)
    return profit if kind == "cfd" else value


def product(first: Decimal | None, *others: Decimal | None) -> Decimal | None:
    """The product of all factors, or None where one is unknown."""
    result = first
    for factor in others:
        if result is None or factor is None:
            return None
        result = MONEY.multiply(result, factor)
    return result


def profit_ratio(profit: Decimal | None, cost: Decimal | None) -> Decimal | None:
    """A profit as a share of what was paid, or None where either is unknown."""
    return _ratio(profit, None if cost is None else abs(cost))


def _ratio(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    return None if part is None or not whole else rounded(MONEY.divide(part, whole))


def weight(counts: Decimal | None, rate: Decimal | None, net: Decimal | None) -> Decimal | None:
    """A holding's share of net liquidation; longs may exceed one, shorts are negative."""
    return None if net is None or net <= 0 else _ratio(product(counts, rate), net)


def rounded(value: Decimal) -> Decimal:
    """A total as it is stored: to twenty decimals, half to even."""
    if value.adjusted() >= MONEY.prec + DECIMALS.adjusted():
        # So large that the digits that are reckoned with do not reach so far.
        return value.normalize(MONEY)
    return value.quantize(DECIMALS, ROUND_HALF_EVEN, MONEY).normalize(MONEY)
