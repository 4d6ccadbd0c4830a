"""What each number means: pure functions from stored rows to figures.

Everything of a holding is in its instrument's currency; totals are in the account's. An unknown
input makes the figure None, and a total says what it is without; nothing is ever taken as 0 or 1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

import msgspec

from portfolio.accounts.models import MANUAL, CashBalance, Rate
from portfolio.db.base import MONEY

# Their profit is in the broker's cash or stands beside it, or only their profit counts.
NOTIONAL_KINDS = frozenset({"future", "cfd"})
DECIMALS = Decimal(1).scaleb(-20)
PARTS = ("amount", "accrued_interest", "accrued_dividends")


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
        """What a unit cost."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The figures of a whole account, in its currency; `incomplete` says what they are without.

    `by_kind` and `by_currency` divide the net liquidation; a part may be negative. The part of
    futures is their profit, where that is not in the cash.
    """

    currency: str
    market_value: Decimal | None
    cash: Decimal | None
    accrued_interest: Decimal | None
    accrued_dividends: Decimal | None
    net_liquidation: Decimal | None
    unrealized_pnl: Decimal | None
    cost: Decimal | None
    exposure: Decimal | None
    by_kind: Mapping[str, Decimal]
    by_currency: Mapping[str, Decimal]
    incomplete: tuple[str, ...]


class Rates:
    """Exchange rates of one owner: direct, inverse, or through one common currency."""

    def __init__(self, rows: Iterable[Rate]) -> None:
        # The newest day wins; on one day the broker's rate comes before one typed by hand.
        ordered = sorted(rows, key=lambda row: (row.day, row.source != MANUAL, row.read_at))
        self._direct = {(row.from_currency, row.to_currency): row.value for row in ordered}

    @property
    def currencies(self) -> frozenset[str]:
        """Every currency that a rate is known of."""
        return frozenset(currency for pair in self._direct for currency in pair)

    def between(self, source: str, target: str) -> Decimal | None:
        """The value of one unit of `source` in `target`, or None where no rate is known."""
        if source == target:
            return Decimal(1)
        return self._one_step(source, target) or self._two_steps(source, target)

    def _one_step(self, source: str, target: str) -> Decimal | None:
        direct = self._direct.get((source, target))
        if direct:
            return direct
        inverse = self._direct.get((target, source))
        return MONEY.divide(Decimal(1), inverse) if inverse else None

    def _two_steps(self, source: str, target: str) -> Decimal | None:
        for middle in sorted(self.currencies):
            first, second = (
                self._one_step(source, middle),
                self._one_step(middle, target),
            )
            if first and second:
                return MONEY.multiply(first, second)
        return None


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
    if holding.average_price is None:
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


class _Sum:
    """A sum that remembers what it is without."""

    def __init__(self) -> None:
        self.total = Decimal(0)
        self.known = 0
        self.missing = 0

    def add(self, value: Decimal | None) -> None:
        """Add a part, or note that it is unknown."""
        if value is None:
            self.missing += 1
        else:
            self.known += 1
            self.total = MONEY.add(self.total, value)

    @property
    def result(self) -> Decimal | None:
        """The sum of the known parts; None where there are parts and none is known."""
        return None if self.missing and not self.known else rounded(self.total)


def rounded(value: Decimal) -> Decimal:
    """A total as it is stored: to twenty decimals, half to even."""
    return value.quantize(DECIMALS, ROUND_HALF_EVEN, MONEY).normalize(MONEY)


def totals(
    currency: str,
    holdings: Iterable[Held],
    cash: Sequence[CashBalance],
    rates: Rates,
) -> Totals:
    """The figures of an account from all that it holds."""
    tally = _Tally()
    known: dict[str, Decimal | None] = {}
    for holding in holdings:
        own = holding.instrument.currency
        if own not in known:
            known[own] = rates.between(own, currency)
        _add_holding(tally, holding, known[own])
    for balance in cash:
        _add_cash(tally, balance, rates.between(balance.currency, currency))
    sums, reasons = tally.sums, tally.reasons
    return Totals(
        currency=currency,
        market_value=sums["value"].result,
        cash=sums["amount"].result,
        accrued_interest=sums["accrued_interest"].result,
        accrued_dividends=sums["accrued_dividends"].result,
        net_liquidation=sums["net"].result,
        unrealized_pnl=sums["profit"].result,
        cost=None if sums["cost"].missing else sums["cost"].result,
        exposure=sums["exposure"].result,
        by_kind=shares(tally.by_kind),
        by_currency=shares(tally.by_currency),
        incomplete=tuple(_sentence(reason, count) for reason, count in sorted(reasons.items())),
    )


class _Tally:
    """All sums of an account while its rows are gone through once."""

    def __init__(self) -> None:
        names = (*PARTS, "value", "profit", "cost", "exposure", "net")
        self.sums = {name: _Sum() for name in names}
        self.by_kind: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.by_currency: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.reasons: Counter[str] = Counter()

    def counts(self, value: Decimal | None, kind: str, currency: str) -> None:
        """Add a part of the net liquidation, with its place in both allocations."""
        self.sums["net"].add(value)
        if value:
            self.by_kind[kind] = MONEY.add(self.by_kind[kind], value)
            self.by_currency[currency] = MONEY.add(self.by_currency[currency], value)


def shares(parts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The parts of a total, the largest first."""
    ordered = sorted(parts.items(), key=lambda part: (-part[1], part[0]))
    return {name: rounded(value) for name, value in ordered}


def _add_holding(tally: _Tally, holding: Held, rate: Decimal | None) -> None:
    of, instrument = figures(holding), holding.instrument
    size = of.value if of.counts_in_value else of.notional
    counts = product(of.counts, rate)
    tally.sums["exposure"].add(product(None if size is None else abs(size), rate))
    tally.sums["profit"].add(product(of.unrealized_pnl, rate))
    if of.unrealized_pnl is None:
        tally.reasons["pnl:cost or price not known"] += 1
    elif of.counts_in_value:
        # The cost of just those whose profit is known: one is shown in percent of the other.
        tally.sums["cost"].add(product(of.cost, rate))
    if instrument.kind == "future":
        return
    tally.sums["value"].add(counts)
    tally.counts(counts, instrument.kind, instrument.currency)
    if counts is None:
        known = of.counts is not None
        tally.reasons[f"no rate for {instrument.currency}" if known else "no price"] += 1


def _add_cash(tally: _Tally, balance: CashBalance, rate: Decimal | None) -> None:
    for name in PARTS:
        amount: Decimal | None = getattr(balance, name)
        # A currency with nothing in it needs no rate, and an accrual not reported is none.
        if amount:
            value = product(amount, rate)
            tally.sums[name].add(value)
            tally.counts(value, "cash", balance.currency)
    if balance.futures_pnl:
        tally.counts(product(balance.futures_pnl, rate), "future", balance.currency)
    if rate is None and any(getattr(balance, name) for name in (*PARTS, "futures_pnl")):
        tally.reasons[f"cash:no rate for {balance.currency}"] += 1


def _sentence(reason: str, count: int) -> str:
    if reason.startswith("cash:"):
        reason = reason.removeprefix("cash:")
        return f"without the {reason.split()[-1]} cash: {reason}"
    of = "P&L " if reason.startswith("pnl:") else ""
    reason = reason.removeprefix("pnl:")
    return f"{of}without {count} holding{'' if count == 1 else 's'}: {reason}"
