"""What must be true before a plan is believed: functions `(plan, evidence) -> Rejection | None`.

Each lets the truth through without a hand; each stops an answer that only looks like it. The last
gate, the fence, is in `lease.py`: it is asked within the transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

from brokers.types import Ledger, Position, Snapshot, Witness
from portfolio.db.base import MONEY
from portfolio.sync.plan import Plan, Stored, StoredHolding, make_plan
from portfolio.sync.reconcile import Judgement, Place, adds, place_of, rounding, tolerance

# The broker's class values are rounded; below one unit of the base currency there is nothing.
NOTHING = Decimal(1)
BETWEEN_EMPTY_RUNS = BETWEEN_SHRUNK_RUNS = timedelta(minutes=10)
OPTIONS = frozenset({"option", "future_option"})
# What a person sells on an ordinary day; more than that needs the books as a witness.
FEW_ROWS, FEW_SHARE = 5, Decimal("0.2")
MOST_VALUE = Decimal("0.5")
# Of what goes, the books must show less than this still there: else they contradict.
STILL_BOOKED = Decimal("0.1")
# A corporate action that is half booked takes a few rows away before it brings new ones.
MOST_UNCONFIRMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run has seen beside its plan.

    `judgement` is whether the snapshot adds up; `witness` is None where no second look was needed;
    `margin` is the maintenance margin where it was read; `emptied_before` is when an earlier run
    first saw the account empty; `first` is whether no run was ever applied for this broker
    account; `rates` are the last good ones to the base currency; `shrunk_since` is when an earlier
    run first saw just what shrinks now.
    """

    stored: Stored
    snapshot: Snapshot
    judgement: Judgement
    witness: Witness | None = None
    margin: Decimal | None = None
    emptied_before: datetime | None = None
    first: bool = False
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    shrunk_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Which gate did not open, and what it saw."""

    gate: str
    saw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A rejection, or None and the holdings that stay for now although they were missing."""

    rejection: Rejection | None = None
    unconfirmed: frozenset[str] = frozenset()


Gate = Callable[[Plan, Evidence], Rejection | None]


def explained(row: StoredHolding, snapshot: Snapshot) -> bool:
    """Whether an absence needs no witness: the broker lists 0, or the contract expired."""
    if row.key in snapshot.closed_keys:
        return True
    return row.expiry is not None and row.expiry + timedelta(days=1) < snapshot.read_at.date()


def unexplained(plan: Plan, snapshot: Snapshot) -> tuple[StoredHolding, ...]:
    """The holdings that would be closed without any proof so far."""
    return tuple(row for row in plan.closed if not explained(row, snapshot))


def is_emptied(plan: Plan, snapshot: Snapshot) -> bool:
    """Whether an account that held something would hold nothing."""
    return bool(plan.closed) and not snapshot.positions


def removal(plan: Plan, evidence: Evidence) -> Rejection | None:
    """Each absence without proof must be confirmed by the second, independent read."""
    missing = unexplained(plan, evidence.snapshot)
    seen = evidence.witness.quantities if evidence.witness else None
    doubted = [row.label for row in missing if seen is None or seen.get(row.key)]
    if not doubted:
        return None
    verb = "was" if len(doubted) == 1 else "were"
    saw = f"{_named(doubted)} {verb} missing in one answer but not in another."
    return Rejection(gate="removal", saw=saw)


def _named(labels: list[str]) -> str:
    if len(labels) > 3:
        return f"{', '.join(labels[:3])} and {len(labels) - 3} others"
    return " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))


def shrink(plan: Plan, evidence: Evidence) -> Rejection | None:
    """When much goes at once, what remains must agree with the broker's books class by class.

    Where they do not agree, or cannot be compared (a holding without a price), seeing the same
    twice will do, unless they still have what goes.
    """
    gone = _shrunk(plan, evidence)
    if not gone:
        return None
    held = [row for row in evidence.stored.holdings if row.is_open]
    many = len(gone) > FEW_ROWS and len(gone) > FEW_SHARE * len(held)
    if not (many or _much(gone, held, evidence)) or evidence.judgement.by_class:
        return None
    since = evidence.shrunk_since
    seen_before = since is not None and evidence.snapshot.read_at - since >= BETWEEN_SHRUNK_RUNS
    if seen_before and not _still_booked(gone, evidence.judgement):
        return None
    return Rejection(
        gate="shrink",
        saw=f"{len(gone)} of {len(held)} holdings would shrink or go at once, and what is left "
        "does not agree with the broker’s books.",
    )


def shrunk_keys(plan: Plan, evidence: Evidence) -> frozenset[str]:
    """Which holdings go without proof, or by more than half."""
    return frozenset(row.key for row, _ in _shrunk(plan, evidence))


def _shrunk(plan: Plan, evidence: Evidence) -> list[tuple[StoredHolding, Decimal]]:
    """The rows that go without proof, or by more than half, each with the share that goes."""
    gone = [(row, Decimal(1)) for row in unexplained(plan, evidence.snapshot)]
    for step in (each for each in plan.steps if each.action == "changed"):
        if isinstance(step.old, StoredHolding) and isinstance(step.new, Position):
            before, left = abs(step.old.quantity), abs(step.new.quantity)
            if 2 * left < before:
                gone.append((step.old, 1 - MONEY.divide(left, before)))
    return gone


def _still_booked(gone: list[tuple[StoredHolding, Decimal]], judged: Judgement) -> bool:
    """Whether the books still have what goes, as far as they tell.

    Only the classes that it was counted in are asked: another one may differ for years.
    """
    lost: defaultdict[Place, list[Decimal | None]] = defaultdict(list)
    for row, share in gone:
        value = adds(row.kind, row.market_value, row.unrealized_pnl)
        size = None if value is None else abs(MONEY.multiply(value, share))
        lost[place_of(row.currency, row.kind)].append(size)
    return any(_is_booked(place, sizes, judged) for place, sizes in lost.items())


def _is_booked(place: Place, lost: list[Decimal | None], judged: Judgement) -> bool:
    currency, group = place
    if group is None:
        # What has no class of its own may be in any one of its currency; of futures, which add
        # nothing, none of them tells.
        adds_something = any(size != 0 for size in lost)
        return adds_something and any(of == currency for of, _ in judged.gaps)
    gap = judged.gaps.get(place)
    if gap is None:
        return False
    known = [size for size in lost if size is not None]
    share = MONEY.multiply(STILL_BOOKED, Decimal(sum(known)))
    # What is worth nothing is in no gap.
    return len(known) < len(lost) or 0 < share <= abs(gap)


def _much(
    gone: list[tuple[StoredHolding, Decimal]], held: list[StoredHolding], evidence: Evidence
) -> bool:
    """Whether more than half of the value goes; a value that is not known counts as too much."""
    values = {row.key: _value(row, evidence) for row in held}
    lost = Decimal(0)
    for row, share in gone:
        value = values[row.key]
        if value is None:
            return True
        lost += MONEY.multiply(value, share)
    gross = Decimal(sum(value for value in values.values() if value is not None))
    return lost > MONEY.multiply(MOST_VALUE, gross)


def _value(row: StoredHolding, evidence: Evidence) -> Decimal | None:
    """The absolute value of a stored row in base; a notional is none."""
    value = adds(row.kind, row.market_value, row.unrealized_pnl)
    if not value:
        return value
    rate = _rate(row.currency, evidence)
    return None if rate is None else abs(MONEY.multiply(value, rate))


def _rate(currency: str, evidence: Evidence) -> Decimal | None:
    if currency == evidence.snapshot.ledger.base_currency:
        return Decimal(1)
    said = {row.currency: row.rate_to_base for row in evidence.snapshot.ledger.rows}
    return said.get(currency) or evidence.rates.get(currency)


def emptied(plan: Plan, evidence: Evidence) -> Rejection | None:
    """An account that would be empty must be empty by the broker's books as well."""
    empty_first = evidence.first and not evidence.snapshot.positions
    if not (is_emptied(plan, evidence.snapshot) or empty_first):
        return None
    if not both_empty(evidence):
        return Rejection(
            gate="emptied",
            saw="the list of positions came back empty, but the broker’s books still show value.",
        )
    if not evidence.margin or _seen_empty_twice(evidence):
        return None
    return Rejection(
        gate="emptied",
        saw="the account looks empty, but the broker still holds margin for it.",
    )


def both_empty(evidence: Evidence) -> bool:
    """Whether both reads hold nothing and the books add up to nothing."""
    witness = evidence.witness
    return (
        not evidence.snapshot.positions
        and witness is not None
        and not any(witness.quantities.values())
        and _class_values(evidence.snapshot) < NOTHING
    )


def _class_values(snapshot: Snapshot) -> Decimal:
    return Decimal(sum(abs(value) for value in snapshot.ledger.total.values.values()))


def _seen_empty_twice(evidence: Evidence) -> bool:
    first = evidence.emptied_before
    if first is None or evidence.snapshot.read_at - first < BETWEEN_EMPTY_RUNS:
        return False
    return not any(_open_risk(row, evidence.snapshot) for row in evidence.stored.holdings)


def _open_risk(row: StoredHolding, snapshot: Snapshot) -> bool:
    """Whether a stored row may be what the margin is for: an expired one, or one of 0, is not."""
    if not row.is_open or explained(row, snapshot):
        return False
    return row.kind == "future" or (row.kind in OPTIONS and row.quantity < 0)


def first_read(_: Plan, evidence: Evidence) -> Rejection | None:
    """What nothing can be compared with must be seen twice, or agree with the books."""
    if not evidence.first or evidence.judgement.by_class:
        return None
    keys = {position.instrument.key for position in evidence.snapshot.positions}
    witness = evidence.witness
    if witness is not None and {of for of, held in witness.quantities.items() if held} == keys:
        return None
    return Rejection(
        gate="first_read",
        saw="two reads of this account did not show the same holdings, and they do not agree "
        "with the broker’s books.",
    )


def cash(plan: Plan, evidence: Evidence) -> Rejection | None:
    """Where the cash of a currency is gone, what is left must add up to the broker's total.

    Books that are empty beside holdings of value add up as well, and are no answer.
    """
    if _says_nothing(evidence.snapshot.ledger) and _has_value(evidence.snapshot):
        saw = "the broker’s books show neither cash nor value, though there are holdings."
        return Rejection(gate="cash", saw=saw)
    gone = sorted(s.key for s in plan.steps if s.subject == "cash" and s.action == "closed")
    if not gone:
        return None
    ledger = evidence.snapshot.ledger
    parts = []
    for row in ledger.rows:
        if not row.cash:
            continue
        if row.rate_to_base is None:
            return _lost_cash(gone, f"the rate of {row.currency} is not known")
        parts.append(MONEY.multiply(row.cash, row.rate_to_base))
    allowed = tolerance([*parts, ledger.total.cash]) + rounding(ledger, lambda row: row.cash)
    if abs(sum(parts) - ledger.total.cash) <= allowed:
        return None
    return _lost_cash(gone, "the rest does not add up to the broker’s total")


def _says_nothing(ledger: Ledger) -> bool:
    """Whether the books say that there is nothing at all; a broker without a total says less."""
    lines = (*ledger.rows, ledger.total)
    figures = [(row.cash, row.net_liquidation, *row.values.values()) for row in lines]
    return ledger.total.net_liquidation == 0 and not any(chain.from_iterable(figures))


def _has_value(snapshot: Snapshot) -> bool:
    return any(
        adds(of.instrument.kind, of.market_value, of.unrealized_pnl) for of in snapshot.positions
    )


def _lost_cash(gone: list[str], why: str) -> Rejection:
    return Rejection(gate="cash", saw=f"the {_named(gone)} cash is missing, and {why}.")


GATES: tuple[Gate, ...] = (removal, emptied, first_read, cash, shrink)


def judge(plan: Plan, evidence: Evidence) -> Verdict:
    """The first gate that does not open; a few doubtful absences alone only stay for now."""
    found = [found for gate in GATES if (found := gate(plan, evidence)) is not None]
    if not found:
        return Verdict()
    if [each.gate for each in found] == ["shrink"]:
        missing = frozenset(row.key for row in unexplained(plan, evidence.snapshot))
        if len(missing) <= MOST_UNCONFIRMED and _would_pass_without(missing, plan, evidence):
            return Verdict(unconfirmed=missing)
    return Verdict(rejection=found[0])


def _would_pass_without(missing: frozenset[str], plan: Plan, evidence: Evidence) -> bool:
    """Whether nothing else shrinks too much once the missing rows stay."""
    if is_emptied(plan, evidence.snapshot):
        return False
    rest = make_plan(evidence.stored, evidence.snapshot, missing)
    return shrink(rest, evidence) is None
