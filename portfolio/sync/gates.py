"""What must be true before a plan is believed: functions `(plan, evidence) -> Rejection | None`.

Each lets the truth through without a hand; each stops an answer that only looks like it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.types import Snapshot, Witness
from portfolio.sync.plan import Plan, Stored, StoredHolding

# The broker's class values are rounded; below one unit of the base currency there is nothing.
NOTHING = Decimal(1)
BETWEEN_EMPTY_RUNS = timedelta(minutes=10)
OPEN_RISK = frozenset({"future", "option", "future_option"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run has seen beside its plan.

    `witness` is None where no second look was needed; `margin` is the maintenance margin where it
    was read; `emptied_before` is when an earlier run first saw the account empty.
    """

    stored: Stored
    snapshot: Snapshot
    witness: Witness | None = None
    margin: Decimal | None = None
    emptied_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Which gate did not open, and what it saw."""

    gate: str
    saw: str


Gate = Callable[[Plan, Evidence], Rejection | None]


def explained(row: StoredHolding, snapshot: Snapshot) -> bool:
    """Whether an absence needs no witness: the broker lists 0, or the contract expired."""
    if row.key in snapshot.closed_keys:
        return True
    return row.expiry is not None and row.expiry + timedelta(days=1) < snapshot.read_at.date()


def unexplained(plan: Plan, stored: Stored, snapshot: Snapshot) -> tuple[StoredHolding, ...]:
    """The holdings that would be closed without any proof so far."""
    absent = plan.closed_keys
    return tuple(
        row for row in stored.holdings if row.key in absent and not explained(row, snapshot)
    )


def is_emptied(plan: Plan, snapshot: Snapshot) -> bool:
    """Whether an account that held something would hold nothing."""
    return bool(plan.closed_keys) and not snapshot.positions


def removal(plan: Plan, evidence: Evidence) -> Rejection | None:
    """Each absence without proof must be confirmed by the second, independent read."""
    missing = unexplained(plan, evidence.stored, evidence.snapshot)
    if not missing:
        return None
    seen = evidence.witness.quantities if evidence.witness else None
    doubted = [row.label for row in missing if seen is None or seen.get(row.key)]
    if not doubted:
        return None
    named = ", ".join(doubted[:3]) + (" and others" if len(doubted) > 3 else "")
    verb = "was" if len(doubted) == 1 else "were"
    return Rejection(
        gate="removal", saw=f"{named} {verb} missing in one answer but not in another."
    )


def emptied(plan: Plan, evidence: Evidence) -> Rejection | None:
    """An account that would be empty must be empty by the broker's books as well."""
    if not is_emptied(plan, evidence.snapshot):
        return None
    if not both_empty(evidence):
        return Rejection(
            gate="emptied",
            saw="the list of positions came back empty, but the broker's books still show value.",
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
    return sum((abs(value) for value in snapshot.ledger.total.values.values()), Decimal(0))


def _seen_empty_twice(evidence: Evidence) -> bool:
    first = evidence.emptied_before
    if first is None or evidence.snapshot.read_at - first < BETWEEN_EMPTY_RUNS:
        return False
    return not any(row.is_open and _open_risk(row) for row in evidence.stored.holdings)


def _open_risk(row: StoredHolding) -> bool:
    kind = str(row.terms.get("kind"))
    return kind == "future" or (kind in OPEN_RISK and row.quantity < 0)


GATES: tuple[Gate, ...] = (removal, emptied)


def judge(plan: Plan, evidence: Evidence) -> Rejection | None:
    """The first gate that does not open, or None."""
    for gate in GATES:
        rejection = gate(plan, evidence)
        if rejection is not None:
            return rejection
    return None
