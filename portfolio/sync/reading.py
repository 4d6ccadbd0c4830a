"""Reads an account at its broker, as often as it takes to believe what it says; writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import structs

from brokers.contract import Capability, Clock, Connection, believable
from brokers.errors import Incomplete
from brokers.types import Kind, Position, Snapshot, Witness
from portfolio.sync import gates
from portfolio.sync.gates import Evidence, Verdict
from portfolio.sync.plan import Plan, Source, Stored, StoredHolding, Terms, make_plan
from portfolio.sync.rates import Believed, Doubt, believe
from portfolio.sync.reconcile import DIFFERS, Judgement, reconcile

# The books and the positions of a moment may be told apart by what happened between two calls.
BEFORE_ANOTHER_LOOK = 10
BETWEEN_SNAPSHOTS = 5
NOTHING: Mapping[str, Terms] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of an account without reading it.

    `rates` are the last good ones to `base_currency`, `doubts` those that an earlier run doubted;
    `first` is whether no run was ever applied; `futures_profit_counts` is what was learnt;
    `shrunk` are the holdings that the last run saw shrink, and since when; `known` has by key what
    other accounts know of what this one holds for the first time.
    """

    stored: Stored
    first: bool
    emptied_before: datetime | None = None
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    base_currency: str | None = None
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    futures_profit_counts: bool | None = None
    shrunk: frozenset[str] = frozenset()
    shrunk_since: datetime | None = None
    known: Mapping[str, Terms] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a run read, and what follows from it; `verdict` says whether it is believed."""

    past: Past
    snapshot: Snapshot
    plan: Plan
    evidence: Evidence
    judgement: Judgement
    believed: Believed
    verdict: Verdict


def read(
    broker: Connection, source: Source, look_back: Callable[[Snapshot], Past], clock: Clock
) -> Reading:
    """Read the account, and look a second time where something is doubtful.

    Contacts the broker and may wait: no transaction may be open. `look_back` is called once, when
    the broker has answered: what is stored need not be held beside an answer of thousands of rows.
    """
    found = _answer(broker, source)
    look = _Look(broker, source, look_back(found), clock)
    snapshot, judgement = look.understood(found)
    if judgement.status == DIFFERS:
        clock.sleep(BEFORE_ANOTHER_LOOK)
        snapshot, judgement = look.account()
    witness = look.witness(snapshot, judgement)
    if witness is not None and witness.refutes_snapshot:
        # The better source is the snapshot now, and needs a witness of its own.
        snapshot, judgement = look.account()
        witness = look.witness(snapshot, judgement)
        if witness is not None and witness.refutes_snapshot:
            raise Incomplete("The broker’s sources do not agree on what is held.")
    if witness is not None and _quantities_moved(snapshot, witness):
        # The later read counts: what changed in between is read again as a whole.
        snapshot, judgement = look.account()
    return look.judged(snapshot, judgement, witness)


def _answer(broker: Connection, source: Source) -> Snapshot:
    """The whole account, in a shape that an account can have."""
    found = broker.snapshot(source.broker_account)
    believable(found)
    return found


def with_known_terms(
    snapshot: Snapshot, stored: Stored, elsewhere: Mapping[str, Terms] = NOTHING
) -> Snapshot:
    """The snapshot with what is known of its holdings where the broker says nothing this time.

    `elsewhere` is what other accounts know of those that are not stored here.
    """
    if not any(_is_unsaid(position) for position in snapshot.positions):
        return snapshot
    known = {row.key: row for row in stored.holdings}
    positions = tuple(
        _with_known(p, known.get(p.instrument.key), elsewhere.get(p.instrument.key))
        for p in snapshot.positions
    )
    return replace(snapshot, positions=positions)


def _is_unsaid(position: Position) -> bool:
    return position.average_price is None or bool(position.instrument.guessed)


def _with_known(position: Position, row: StoredHolding | None, terms: Terms | None) -> Position:
    if row is None:
        return position if terms is None else _with_terms(position, terms)
    if position.average_price is None and row.is_open and position.quantity == row.quantity:
        position = structs.replace(position, average_price=row.average_price)
    return _with_terms(position, row.terms)


def _with_terms(position: Position, terms: Terms) -> Position:
    of = position.instrument
    if not of.guessed:
        return position
    kept: dict[str, Any] = {name: getattr(terms, name) for name in of.guessed}
    if "kind" in kept:
        kept["kind"] = Kind(kept["kind"])
    return structs.replace(position, instrument=structs.replace(of, **kept))


class _Look:
    """One run's ways of looking at an account."""

    def __init__(self, broker: Connection, source: Source, past: Past, clock: Clock) -> None:
        self._broker = broker
        self._source = source
        self._past = past
        self._clock = clock
        self._planned: tuple[Snapshot, Plan] | None = None

    def account(self) -> tuple[Snapshot, Judgement]:
        """The account read anew, and whether it adds up."""
        return self.understood(_answer(self._broker, self._source))

    def understood(self, found: Snapshot) -> tuple[Snapshot, Judgement]:
        """What was read with what is known, and whether it adds up."""
        snapshot = with_known_terms(found, self._past.stored, self._past.known)
        return snapshot, reconcile(snapshot, self._past.futures_profit_counts)

    def plan(self, snapshot: Snapshot) -> Plan:
        """What the snapshot would change, worked out once."""
        if self._planned is None or self._planned[0] is not snapshot:
            self._planned = snapshot, make_plan(self._past.stored, snapshot)
        return self._planned[1]

    def witness(self, snapshot: Snapshot, judgement: Judgement) -> Witness | None:
        """A second look where one is not enough: independent where the broker has such a one.

        Elsewhere it is a later snapshot.
        """
        if not self._is_doubtful(snapshot, judgement):
            return None
        if Capability.WITNESS in self._source.manifest.capabilities:
            return self._broker.witness(self._source.broker_account)
        self._clock.sleep(BETWEEN_SNAPSHOTS)
        later, _ = self.account()
        held = {position.instrument.key: position.quantity for position in later.positions}
        return Witness(read_at=later.read_at, quantities=held)

    def _is_doubtful(self, snapshot: Snapshot, judgement: Judgement) -> bool:
        plan = self.plan(snapshot)
        if gates.unexplained(plan, snapshot) or gates.is_emptied(plan, snapshot):
            return True
        return self._past.first and (not judgement.by_class or not snapshot.positions)

    def judged(self, snapshot: Snapshot, judgement: Judgement, witness: Witness | None) -> Reading:
        """What follows from the last snapshot."""
        past, plan = self._past, self.plan(snapshot)
        base = snapshot.ledger.base_currency
        rates = past.rates if past.base_currency == base else {}
        evidence = Evidence(
            stored=past.stored,
            snapshot=snapshot,
            judgement=judgement,
            witness=witness,
            margin=self._margin(plan, snapshot),
            emptied_before=past.emptied_before,
            first=past.first,
            rates=rates,
        )
        if past.shrunk and gates.shrunk_keys(plan, evidence) == past.shrunk:
            evidence = replace(evidence, shrunk_since=past.shrunk_since)
        verdict = gates.judge(plan, evidence)
        return Reading(
            past=past,
            snapshot=snapshot,
            plan=make_plan(past.stored, snapshot, verdict.unconfirmed)
            if verdict.unconfirmed
            else plan,
            evidence=evidence,
            judgement=judgement,
            believed=believe(snapshot.ledger, rates, past.doubts, snapshot.read_at),
            verdict=verdict,
        )

    def _margin(self, plan: Plan, snapshot: Snapshot) -> Decimal | None:
        """What the broker holds against risk, asked only of an account that looks empty."""
        empty = gates.is_emptied(plan, snapshot) or (self._past.first and not snapshot.positions)
        if not empty or Capability.MARGIN not in self._source.manifest.capabilities:
            return None
        return self._broker.maintenance_margin(self._source.broker_account)


def _quantities_moved(snapshot: Snapshot, witness: Witness) -> bool:
    seen = witness.quantities
    held: dict[str, Position] = {p.instrument.key: p for p in snapshot.positions}
    return any(of in held and held[of].quantity != amount for of, amount in seen.items())
