"""The figures of a whole account, added up from those of its holdings and its cash; pure.

Totals are in the account's currency. An unknown part is left out, and a total says what it is
without; nothing is ever taken as 0 or 1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolio.accounts.figures import (
    NOTIONAL_KINDS,
    Figures,
    Held,
    Rates,
    figures,
    product,
    rounded,
)
from portfolio.accounts.models import CashBalance
from portfolio.db.base import MONEY

PARTS = ("amount", "accrued_interest", "accrued_dividends")
# Why something is missing, as the API documents it. Never read is what is connected, until its
# broker was read for the first time; without a value is an account of which nothing is known.
NO_RATE, NO_PRICE, NO_COST = "no rate for {}", "no price", "cost or price not known"
NEVER_READ, NO_VALUE, NO_AVERAGE = "never read yet", "no value", "average price not known"
# What a sentence is about that is not about the net liquidation.
SUMS = {"": "", "pnl": "P&L ", "exposure": "exposure ", "cost": "cost "}
# How a sentence begins that net liquidation is not without.
BESIDE_NET = tuple(filter(None, SUMS.values()))
WITHOUT_BROKER = f"without what the broker holds now: {NEVER_READ}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The figures of a whole account, in its currency; `incomplete` says what they are without.

    `pnl_on_cost` is the profit of what `cost` is of: futures have one, and no cost that was paid.
    It is in percent of `gross_cost`, from which shorts take nothing away, as they do from `cost`.
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
    pnl_on_cost: Decimal | None
    gross_cost: Decimal | None
    exposure: Decimal | None
    by_kind: Mapping[str, Decimal]
    by_currency: Mapping[str, Decimal]
    incomplete: tuple[str, ...]


def totals(
    currency: str,
    holdings: Iterable[Held],
    cash: Sequence[CashBalance],
    rates: Rates,
    *,
    unread: bool = False,
) -> Totals:
    """The figures of an account from all that it holds.

    Of one that is `unread` that is a part only: what its broker holds now is not known.
    """
    tally = _Tally()
    if unread:
        tally.without_broker()
    groups: defaultdict[tuple[str, str], _Group] = defaultdict(_Group)
    for holding in holdings:
        of = holding.instrument
        groups[of.kind, of.currency].add(figures(holding))
    for (kind, own), group in groups.items():
        _add_group(tally, group, kind, own, rates.between(own, currency))
    for balance in cash:
        _add_cash(tally, balance, rates.between(balance.currency, currency))
    sums, reasons = tally.sums, sorted(tally.reasons.items())
    nothing = unread and not sums["cost"].known
    return Totals(
        currency=currency,
        market_value=sums["value"].result,
        cash=sums["amount"].result,
        accrued_interest=sums["accrued_interest"].result,
        accrued_dividends=sums["accrued_dividends"].result,
        net_liquidation=sums["net"].result,
        unrealized_pnl=sums["profit"].result,
        cost=None if sums["cost"].missing or nothing else sums["cost"].result,
        pnl_on_cost=None if sums["on_cost"].missing or nothing else sums["on_cost"].result,
        gross_cost=None if sums["gross"].missing or nothing else sums["gross"].result,
        exposure=sums["exposure"].result,
        by_kind=shares(tally.by_kind),
        by_currency=shares(tally.by_currency),
        incomplete=(
            *((WITHOUT_BROKER,) if unread else ()),
            *(_sentence(reason, count) for reason, count in reasons),
        ),
    )


def shares(parts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The parts of a total, the largest first."""
    ordered = sorted(parts.items(), key=lambda part: (-part[1], part[0]))
    return {name: rounded(value) for name, value in ordered}


class _Group:
    """The holdings of a kind and a currency: added up before a rate comes in, once for all."""

    def __init__(self) -> None:
        self.exposure, self.counts = _Sum(), _Sum()
        self.profit, self.on_cost = _Sum(), _Sum()
        self.cost, self.gross = _Sum(), _Sum()
        # Of how many a broker says what they are worth and their profit, and not what was paid.
        self.no_average = 0
        # Whether one of them has a part in the whole, though all of them may come to nothing.
        self.is_any = False

    def add(self, of: Figures) -> None:
        """Add the figures of a holding."""
        size = of.value if of.counts_in_value else of.notional
        self.exposure.add(None if size is None else size.copy_abs())
        self.profit.add(of.unrealized_pnl)
        if of.counts_in_value and of.unrealized_pnl is not None:
            # Of just those of which both are known: one is shown in percent of the other.
            self.cost.add(of.cost)
            self.gross.add(None if of.cost is None else of.cost.copy_abs())
            self.no_average += of.cost is None and of.value is not None
            self.on_cost.add(of.unrealized_pnl)
        self.counts.add(of.counts)
        self.is_any |= bool(of.counts)


class _Tally:
    """All sums of an account while its rows are gone through once."""

    def __init__(self) -> None:
        names = (*PARTS, "value", "profit", "cost", "gross", "on_cost", "exposure", "net")
        self.sums = {name: _Sum() for name in names}
        self.by_kind: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.by_currency: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.reasons: Counter[str] = Counter()

    def counts(self, value: Decimal | None, kind: str, currency: str) -> None:
        """Add a part of the net liquidation, with its place in both allocations."""
        self.sums["net"].add(value)
        if value:
            self.place(value, kind, currency)

    def place(self, value: Decimal, kind: str, currency: str) -> None:
        """Give a part of the whole its place in both allocations."""
        self.by_kind[kind] = MONEY.add(self.by_kind[kind], value)
        self.by_currency[currency] = MONEY.add(self.by_currency[currency], value)

    def without_broker(self) -> None:
        """Note that of each sum the broker's part is missing."""
        for name, of in self.sums.items():
            # The profit that is known is in percent of its own cost.
            if name not in {"cost", "gross", "on_cost"}:
                of.add(None)

    def without(self, reason: str, count: int) -> None:
        """Note why so many parts are missing."""
        if count:
            self.reasons[reason] += count


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

    def add_all(self, parts: _Sum, rate: Decimal | None) -> None:
        """Add the parts of another sum at a rate; without one, none of them is known."""
        self.missing += parts.missing
        if rate is None:
            self.missing += parts.known
        else:
            self.known += parts.known
            self.total = MONEY.add(self.total, MONEY.multiply(parts.total, rate))

    @property
    def result(self) -> Decimal | None:
        """The sum of the known parts; None where there are parts and none is known."""
        return None if self.missing and not self.known else rounded(self.total)


def _add_group(
    tally: _Tally, group: _Group, kind: str, currency: str, rate: Decimal | None
) -> None:
    tally.sums["exposure"].add_all(group.exposure, rate)
    tally.sums["profit"].add_all(group.profit, rate)
    tally.sums["cost"].add_all(group.cost, rate)
    tally.sums["gross"].add_all(group.gross, rate)
    tally.sums["on_cost"].add_all(group.on_cost, rate)
    tally.without(f"cost:{NO_AVERAGE}", group.no_average)
    tally.without(f"pnl:{NO_COST}", group.profit.missing)
    no_rate = NO_RATE.format(currency)
    if kind in NOTIONAL_KINDS:
        # Their notional is in no value: what is said of values says nothing of it.
        tally.without(f"exposure:{NO_PRICE}", group.exposure.missing)
        tally.without(f"exposure:{no_rate}", group.exposure.known if rate is None else 0)
    if kind == "future":
        tally.without(f"pnl:{no_rate}", group.profit.known if rate is None else 0)
        return
    tally.sums["value"].add_all(group.counts, rate)
    tally.sums["net"].add_all(group.counts, rate)
    if rate is None:
        tally.without(no_rate, group.counts.known)
    elif group.is_any:
        tally.place(MONEY.multiply(group.counts.total, rate), kind, currency)
    tally.without(NO_COST if kind == "cfd" else NO_PRICE, group.counts.missing)


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
        tally.reasons[f"cash:{NO_RATE.format(balance.currency)}"] += 1


def _sentence(reason: str, count: int) -> str:
    of, _, said = reason.rpartition(":")
    if of == "cash":
        return f"without the {said.split()[-1]} cash: {said}"
    return f"{SUMS[of]}without {count} holding{'' if count == 1 else 's'}: {said}"
