"""How often an account is looked at before a run believes it, and which look counts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest

from brokers.contract import Capability, Manifest
from brokers.errors import Incomplete
from brokers.testing.clock import FakeClock
from brokers.types import Witness
from portfolio.sync.plan import Source
from portfolio.sync.reading import Past, read
from tests.unit.portfolio.sync.builders import NOON, adding_up, position, stored_from

SOURCE = Source(
    manifest=Manifest(
        key="b",
        name="B",
        short_name="B",
        identifier_scheme="id",
        capabilities=frozenset({Capability.WITNESS}),
    ),
    broker_account="U1",
)
WHOLE = adding_up(position("1"), position("2"))
LESS = adding_up(position("1"))


class Broker:
    """Says what it was told to say, in this order."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    def snapshot(self, _):
        self.asked.append("snapshot")
        return self._answers.pop(0)

    def witness(self, _):
        self.asked.append("witness")
        return self._answers.pop(0)


def saw(snapshot, **more):
    held = {of.instrument.key: of.quantity for of in snapshot.positions}
    return Witness(read_at=NOON, quantities=held, **more)


def reading_of(*answers, clock=None):
    broker = Broker(*answers)
    past = Past(stored=stored_from(WHOLE), first=False)
    found = read(broker, SOURCE, lambda _: past, clock or FakeClock())
    return found, broker.asked


def test_what_is_not_doubtful_is_read_once():
    found, asked = reading_of(WHOLE)
    assert (found.verdict.rejection, asked) == (None, ["snapshot"])


def test_an_absence_that_both_looks_show_is_believed():
    found, asked = reading_of(LESS, saw(LESS))
    assert (found.verdict.rejection, asked) == (None, ["snapshot", "witness"])
    assert [row.key for row in found.plan.closed] == ["2"]


def test_an_absence_that_one_look_shows_is_rejected():
    found, asked = reading_of(LESS, saw(WHOLE))
    assert found.verdict.rejection.gate == "removal"
    assert asked == ["snapshot", "witness"]


def test_a_witness_that_refutes_the_snapshot_has_it_read_anew():
    found, asked = reading_of(LESS, saw(WHOLE, refutes_snapshot=True), WHOLE)
    assert asked == ["snapshot", "witness", "snapshot"]
    assert (found.verdict.rejection, found.plan.steps) == (None, ())
    assert found.evidence.witness is None


def test_what_is_read_anew_needs_a_witness_of_its_own():
    answers = LESS, saw(WHOLE, refutes_snapshot=True), LESS
    found, asked = reading_of(*answers, saw(LESS))
    assert asked == ["snapshot", "witness", "snapshot", "witness"]
    assert [row.key for row in found.plan.closed] == ["2"]
    found, _ = reading_of(*answers, saw(WHOLE))
    assert found.verdict.rejection.gate == "removal"


def test_quantities_that_moved_meanwhile_are_read_as_a_whole_here_too():
    bought = adding_up(position("1", quantity="12"))
    answers = LESS, saw(WHOLE, refutes_snapshot=True), LESS, saw(bought), bought
    found, asked = reading_of(*answers)
    assert asked == ["snapshot", "witness", "snapshot", "witness", "snapshot"]
    assert [of.quantity for of in found.snapshot.positions] == [D(12)]


def test_a_broker_that_refutes_itself_twice_is_not_believed():
    refuted = saw(WHOLE, refutes_snapshot=True)
    with pytest.raises(Incomplete) as caught:
        reading_of(LESS, refuted, LESS, refuted)
    assert caught.value.remedy


def test_a_snapshot_that_differs_from_the_books_is_read_again_ten_seconds_later():
    clock = FakeClock()
    row = WHOLE.ledger.rows[0]
    off = replace(row, net_liquidation=row.net_liquidation + 500)
    differs = replace(WHOLE, ledger=replace(WHOLE.ledger, rows=(off,)))
    found, asked = reading_of(differs, WHOLE, clock=clock)
    assert (asked, clock.monotonic()) == (["snapshot", "snapshot"], 10)
    assert found.judgement.status == "agrees"
