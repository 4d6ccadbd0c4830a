"""Whether a snapshot adds up: the broker's books by themselves, and the positions with them.

A judgement on a run, never a gate; two gates ask it whether the positions agree class by class.
Constants stand here with their reason, and will be calibrated on real accounts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from brokers.types import Kind, Ledger, LedgerRow, Position, Snapshot, ValueClass
from portfolio.db.base import MONEY, canonical

AGREES, DIFFERS, UNAVAILABLE = "agrees", "differs", "unavailable"
# The books are single precision: cents are lost above about 131,000.
CENTS, PRECISION = Decimal("0.02"), Decimal("0.000001")
# The total is made with all digits of a rate, of which seven decimals are told: half of the last.
RATE = Decimal("0.00000005")
# Positions and books are read moments apart, and are rounded differently.
BETWEEN_READS = Decimal("0.0005")
MOST_MOVEMENT = Decimal("0.01")
# The books value options by a model, the positions by the last price; markets are open then.
MODELLED = Decimal("0.03")
SATURDAY = 5
# The notional of a future is no value, and its profit is in the cash already.
NOT_EQUITY = frozenset({ValueClass.FUTURES, ValueClass.FUTURES_PNL})
OPTIONS, WARRANTS = frozenset({ValueClass.OPTIONS}), frozenset({ValueClass.WARRANTS})
BONDS = frozenset({ValueClass.CORPORATE_BONDS, ValueClass.GOVERNMENT_BONDS})
FUNDS = frozenset({ValueClass.FUNDS, ValueClass.MONEY_FUNDS})
# Which classes of the books a kind is counted in; where there are two, we cannot tell which.
PLACES: Mapping[Kind, frozenset[ValueClass]] = {
    Kind.STOCK: frozenset({ValueClass.STOCKS}),
    Kind.ETF: frozenset({ValueClass.STOCKS}),
    Kind.OPTION: OPTIONS,
    Kind.FUTURE_OPTION: frozenset({ValueClass.FUTURE_OPTIONS}),
    Kind.BOND: BONDS,
    Kind.BILL: frozenset({ValueClass.BILLS}),
    Kind.FUND: FUNDS,
    Kind.WARRANT: WARRANTS,
    Kind.STRUCTURED: frozenset({ValueClass.STRUCTURED}),
    Kind.CRYPTO: frozenset({ValueClass.CRYPTO}),
    Kind.COMMODITY: frozenset({ValueClass.COMMODITIES}),
}
GROUPS = tuple(dict.fromkeys(PLACES.values()))
# A currency, and the classes that a kind is counted in; None where it has none of its own.
Place = tuple[str, frozenset[ValueClass] | None]
MODEL_PRICED = (OPTIONS, WARRANTS, frozenset({ValueClass.FUTURE_OPTIONS}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A difference beyond its tolerance: books minus positions, in a currency and its classes."""

    amount: Decimal
    tolerance: Decimal
    currency: str
    cause: str
    group: frozenset[ValueClass] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a snapshot adds up, by how much it does not, and probably why.

    `tolerance` is what the difference was judged by, in the same currency.
    `by_class` is whether positions and books agree in every class, as two gates want to know;
    `gaps` are the classes that do not, each with books minus positions.
    `futures_profit_counts` is what the books say of futures, or None while they say nothing.
    """

    status: str
    difference: Decimal | None
    tolerance: Decimal | None
    currency: str | None
    likely_cause: str | None
    by_class: bool
    gaps: Mapping[Place, Decimal] = field(default_factory=dict)
    futures_profit_counts: bool | None = None


def place_of(currency: str, kind: str) -> Place:
    """Where the books count what is of a kind and in a currency."""
    return currency, PLACES.get(Kind(kind))


def reconcile(snapshot: Snapshot, futures_profit_counts: bool | None = None) -> Judgement:
    """The judgement on a snapshot; `futures_profit_counts` is what earlier runs have learnt."""
    learnt = _learn(snapshot.ledger)
    counts = futures_profit_counts if learnt is None else learnt
    own = _own_gap(snapshot.ledger, with_futures=bool(counts))
    gaps, unknown, by_class = _class_gaps(snapshot)
    total = _total(snapshot, with_futures=bool(counts))
    allowed = by_class + _of_total(snapshot.ledger)
    allowed += rounding(snapshot.ledger, net)
    rates = {row.currency: row.rate_to_base or Decimal(1) for row in snapshot.ledger.rows}
    worst = own or max(gaps, key=lambda gap: _weight(gap, rates), default=None)
    if worst is None and unknown is None:
        worst = _total_gap(snapshot, total, allowed)
    judged: tuple[str, Decimal | None, Decimal | None, str | None, str | None]
    if worst is not None:
        judged = DIFFERS, worst.amount, worst.tolerance, worst.currency, worst.cause
    elif unknown or total is None:
        why = unknown or "a rate or a total of the broker is not known"
        judged = UNAVAILABLE, None, None, None, why
    else:
        judged = AGREES, total, allowed, snapshot.ledger.base_currency, None
    status, difference, within, currency, cause = judged
    return Judgement(
        status=status,
        difference=difference,
        tolerance=within,
        currency=currency,
        likely_cause=cause,
        by_class=not gaps and unknown is None,
        gaps={(gap.currency, gap.group): gap.amount for gap in gaps},
        futures_profit_counts=counts,
    )


def tolerance(fields: Iterable[Decimal | None]) -> Decimal:
    """How far single precision puts a sum of these off."""
    size = sum((abs(field) for field in fields if field is not None), Decimal(0))
    return CENTS + MONEY.multiply(PRECISION, size)


def rounding(ledger: Ledger, amount: Callable[[LedgerRow], Decimal | None]) -> Decimal:
    """How far rates put the sum of amounts off: of many yen, a dollar."""
    others = (amount(row) for row in ledger.rows if row.currency != ledger.base_currency)
    return MONEY.multiply(RATE, sum((abs(of) for of in others if of), Decimal(0)))


def net(row: LedgerRow) -> Decimal | None:
    """All that a row of the books adds up to."""
    return row.net_liquidation


def _fields(row: LedgerRow, *, with_futures: bool) -> list[Decimal]:
    left_out = NOT_EQUITY - ({ValueClass.FUTURES_PNL} if with_futures else set())
    values = [value for of, value in row.values.items() if of not in left_out]
    return [
        row.cash,
        row.accrued_interest or Decimal(0),
        row.accrued_dividends or Decimal(0),
        *values,
    ]


def _own_difference(row: LedgerRow, *, with_futures: bool) -> tuple[Decimal, Decimal] | None:
    """By how much a row of the books does not add up, and what was allowed.

    None where it does, or says no total.
    """
    if row.net_liquidation is None:
        return None
    fields = _fields(row, with_futures=with_futures)
    difference = row.net_liquidation - sum(fields, Decimal(0))
    allowed = tolerance([*fields, row.net_liquidation])
    return (difference, allowed) if abs(difference) > allowed else None


def _lines(ledger: Ledger) -> tuple[LedgerRow, ...]:
    return (*ledger.rows, ledger.total)


def _learn(ledger: Ledger) -> bool | None:
    """Whether the books add up only with (True) or only without the profit of futures."""
    closes = {
        with_futures: all(
            _own_difference(row, with_futures=with_futures) is None for row in _lines(ledger)
        )
        for with_futures in (False, True)
    }
    return None if closes[True] == closes[False] else closes[True]


def _own_gap(ledger: Ledger, *, with_futures: bool) -> Gap | None:
    """Where the books do not add up by themselves, the total last."""
    for row in _lines(ledger):
        found = _own_difference(row, with_futures=with_futures)
        if found is not None:
            amount, allowed = found
            is_total = row is ledger.total
            currency = ledger.base_currency if is_total else row.currency
            where = "in total" if is_total else f"in {currency}"
            return Gap(
                amount=amount,
                tolerance=allowed,
                currency=currency,
                cause=f"The broker’s own books do not add up {where}.",
            )
    return None


def _weight(gap: Gap, rates: Mapping[str, Decimal]) -> Decimal:
    """How much a gap is in the base currency: a million yen is less than a million dollars."""
    return abs(MONEY.multiply(gap.amount, rates.get(gap.currency, Decimal(1))))


def _of_total(ledger: Ledger) -> Decimal:
    """How far single precision puts the total of the books off."""
    said = [ledger.total.net_liquidation, ledger.total.cash, *ledger.total.values.values()]
    return tolerance(said)


def _total_gap(snapshot: Snapshot, total: Decimal | None, allowed: Decimal) -> Gap | None:
    """What every class hides and the total shows: a wrong rate, or a kind the books leave out."""
    if total is None or abs(total) <= allowed:
        return None
    return Gap(
        amount=total,
        tolerance=allowed,
        currency=snapshot.ledger.base_currency,
        cause="A rate of the broker, or a kind of holding that its books do not have.",
    )


def _class_gaps(snapshot: Snapshot) -> tuple[list[Gap], str | None, Decimal]:
    """Where positions and books differ, why some cannot be told, and what was allowed in base."""
    gaps: list[Gap] = []
    unknown: str | None = None
    allowed = Decimal(0)
    rates = {row.currency: row.rate_to_base for row in snapshot.ledger.rows}
    books = {row.currency: row for row in snapshot.ledger.rows}
    before = {row.currency: row for row in (snapshot.ledger_before or snapshot.ledger).rows}
    by_currency: defaultdict[str, list[Position]] = defaultdict(list)
    for position in snapshot.positions:
        by_currency[position.instrument.currency].append(position)
    for currency in sorted(by_currency.keys() | books.keys()):
        held = by_currency[currency]
        values = _by_group(held)
        priceless = sum(of.count(None) for of in values.values())
        if priceless:
            unknown = f"no price for {priceless} holding{'' if priceless == 1 else 's'}"
        found = _Compared(
            currency=currency,
            held=held,
            values=values,
            after=books.get(currency),
            before=before.get(currency),
            weekday=snapshot.read_at.weekday(),
        )
        tolerances = {group: found.tolerance(group) for group in GROUPS}
        gaps += found.gaps(tolerances)
        together = sum(tolerances.values(), Decimal(0))
        allowed += MONEY.multiply(together, rates.get(currency) or Decimal(0))
    return gaps, unknown, allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """The positions and the books of one currency."""

    currency: str
    held: list[Position]
    values: Mapping[frozenset[ValueClass] | None, list[Decimal | None]]
    after: LedgerRow | None
    before: LedgerRow | None
    weekday: int

    def gaps(self, tolerances: Mapping[frozenset[ValueClass], Decimal]) -> list[Gap]:
        """The classes that differ; what has no class of its own may stand in one of them."""
        found = {group: self._gap(group, within) for group, within in tolerances.items()}
        open_gaps = {group: gap for group, gap in found.items() if gap is not None}
        loose = self._of(None)
        rest = sum((value or Decimal(0) for value in loose), Decimal(0))
        for group, gap in open_gaps.items():
            if loose and abs(gap - rest) <= tolerances[group]:
                del open_gaps[group]
                break
        return [
            Gap(
                amount=gap,
                tolerance=tolerances[group],
                currency=self.currency,
                cause=self._cause(group, gap),
                group=group,
            )
            for group, gap in open_gaps.items()
        ]

    def tolerance(self, group: frozenset[ValueClass]) -> Decimal:
        """How far a class may be off."""
        said = _booked(self.after, group)
        gross = sum((abs(value) for value in self._of(group) if value), Decimal(0))
        gross = max(gross, abs(said))
        moved = abs(said - _booked(self.before, group)) if self.before else Decimal(0)
        allowed = CENTS + MONEY.multiply(BETWEEN_READS, gross)
        allowed += 2 * min(moved, MONEY.multiply(MOST_MOVEMENT, gross))
        if group in MODEL_PRICED and self.weekday < SATURDAY:
            allowed += MONEY.multiply(MODELLED, gross)
        return allowed

    def _of(self, group: frozenset[ValueClass] | None) -> list[Decimal | None]:
        return self.values.get(group, [])

    def _gap(self, group: frozenset[ValueClass], within: Decimal) -> Decimal | None:
        said = _booked(self.after, group)
        values = self._of(group)
        if None in values:
            # Without a price there is nothing to compare.
            return None
        gap = said - sum((value for value in values if value), Decimal(0))
        return gap if abs(gap) > within else None

    def _cause(self, group: frozenset[ValueClass], gap: Decimal) -> str:
        what = " and ".join(sorted(of.value.replace("_", " ") for of in group))
        alike = [of for of in self.held if _is_worth(of, gap)]
        # Of several, nobody knows which one it is.
        if len(alike) == 1:
            return f"The gap in {what} is as large as the value of {alike[0].instrument.symbol}."
        if self.after is None:
            return f"The broker’s books have nothing in {self.currency}."
        if group == BONDS:
            return "Perhaps the accrued interest of bonds, which the books count differently."
        return f"The broker’s books say otherwise for {what}; prices may have moved."


def _by_group(
    held: Iterable[Position],
) -> dict[frozenset[ValueClass] | None, list[Decimal | None]]:
    """The values by the classes of the books that their kind is counted in; futures have none."""
    found: defaultdict[frozenset[ValueClass] | None, list[Decimal | None]] = defaultdict(list)
    for position in held:
        kind = position.instrument.kind
        if kind != Kind.FUTURE:
            found[PLACES.get(kind)].append(_value(position))
    return found


def _booked(row: LedgerRow | None, group: frozenset[ValueClass]) -> Decimal:
    values = row.values if row is not None else {}
    return sum((values.get(of, Decimal(0)) for of in group), Decimal(0))


def _is_worth(position: Position, gap: Decimal) -> bool:
    """Whether a gap is as large as a position, but for what prices move between two calls."""
    size = abs(_value(position) or Decimal(0))
    allowed = CENTS + MONEY.multiply(BETWEEN_READS, size)
    return size > 0 and abs(size - abs(gap)) <= allowed


def _value(position: Position) -> Decimal | None:
    return adds(position.instrument.kind, position.market_value, position.unrealized_pnl)


def adds(kind: str, market_value: Decimal | None, profit: Decimal | None) -> Decimal | None:
    """What a holding adds to net liquidation; of a CFD that is its profit, of a future nothing."""
    if kind == Kind.FUTURE:
        return Decimal(0)
    return profit if kind == Kind.CFD else market_value


def _total(snapshot: Snapshot, *, with_futures: bool) -> Decimal | None:
    """The broker's net liquidation minus ours, in base; None where a part is not known."""
    ledger = snapshot.ledger
    rates = {row.currency: row.rate_to_base for row in ledger.rows}
    parts: defaultdict[str, list[Decimal | None]] = defaultdict(list)
    for position in snapshot.positions:
        parts[position.instrument.currency].append(_value(position))
    for row in ledger.rows:
        extras = (row.accrued_interest, row.accrued_dividends)
        profit = row.values.get(ValueClass.FUTURES_PNL) if with_futures else None
        parts[row.currency] += [part or Decimal(0) for part in (row.cash, *extras, profit)]
    ours = Decimal(0)
    for currency, values in parts.items():
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        # A currency with nothing in it needs no rate.
        if any(known):
            rate = rates.get(currency)
            if rate is None:
                return None
            # Added up before the rate comes in, once for all.
            with localcontext(MONEY):
                ours += sum(known, Decimal(0)) * rate
    said = ledger.total.net_liquidation
    return None if said is None else MONEY.subtract(said, ours)


def as_stored(of: Judgement) -> dict[str, str | None]:
    """The judgement as a run keeps it."""
    return {
        "status": of.status,
        "difference": None if of.difference is None else canonical(of.difference),
        "tolerance": None if of.tolerance is None else canonical(of.tolerance),
        "currency": of.currency,
        "likely_cause": of.likely_cause,
    }
