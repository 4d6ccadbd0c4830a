"""Each gate both ways: the fault is stopped, the truth gets through."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D

import pytest

from brokers.types import Kind, Witness
from portfolio.sync import gates
from portfolio.sync.gates import Evidence, judge
from portfolio.sync.plan import Stored, make_plan
from portfolio.sync.reconcile import reconcile
from tests.unit.portfolio.sync.builders import (
    NOON,
    adding_up,
    position,
    snapshot,
    stored_from,
)

NOTHING = Stored(holdings=(), cash={})


def seen(*keys):
    return Witness(read_at=NOON, quantities={key: D(1) for key in keys})


def verdict(before, read, **more):
    stored = before if isinstance(before, Stored) else stored_from(before)
    evidence = Evidence(stored=stored, snapshot=read, judgement=reconcile(read), **more)
    return judge(make_plan(stored, read), evidence)


def gate(before, read, **more):
    found = verdict(before, read, **more).rejection
    return found.gate if found else None


OLD = adding_up(*(position(str(n)) for n in range(1, 4)))
LEFT = adding_up(position("1"), position("2"))


# removal


def test_a_sale_seen_by_both_reads_passes_and_one_read_alone_does_not():
    assert gate(OLD, LEFT) == "removal"
    assert gate(OLD, LEFT, witness=seen("1", "2", "3")) == "removal"
    assert gate(OLD, LEFT, witness=seen("1", "2")) is None


def test_a_zero_row_is_proof():
    assert gate(OLD, replace(LEFT, closed_keys=frozenset("3"))) is None


def test_what_expired_needs_no_witness_from_the_second_day_on():
    option = position("9", kind=Kind.OPTION, expiry=date(2026, 11, 18))
    before = adding_up(position("1"), position("2"), option)
    assert gate(before, LEFT) is None
    early = replace(LEFT, read_at=NOON - timedelta(days=1))
    assert gate(before, early) == "removal"


def test_the_sentence_names_what_was_missing():
    one = verdict(OLD, LEFT).rejection.saw
    assert one == "S3 was missing in one answer but not in another."
    two = verdict(OLD, adding_up(position("1"))).rejection.saw
    assert two.startswith("S2 and S3 were missing")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # a symbol change keeps the contract, a contract change brings a new one; splits
        (position("3"), position("3", symbol="NEW")),
        (position("3"), position("30")),
        (position("3"), position("3", quantity="40", price="1.5")),
        (position("3", quantity="40"), position("3", quantity="4", price="60")),
    ],
)
def test_changes_of_contracts_and_splits_get_through(before, after):
    stored = adding_up(position("1"), position("2"), before)
    read = adding_up(position("1"), position("2"), after)
    keys = [p.instrument.key for p in read.positions]
    assert gate(stored, read, witness=seen(*keys)) is None


# shrink

MANY = adding_up(*(position(str(n)) for n in range(20)))


def half(of):
    return [position(str(n)) for n in range(of)]


def test_many_removals_need_the_books_as_a_witness():
    left = half(13)
    agreeing = adding_up(*left)
    keys = [p.instrument.key for p in left]
    assert gate(MANY, agreeing, witness=seen(*keys)) is None
    differing = replace(agreeing, ledger=MANY.ledger)
    assert gate(MANY, differing, witness=seen(*keys)) == "shrink"


def test_a_few_small_removals_need_no_books():
    left = half(16)
    differing = replace(adding_up(*left), ledger=MANY.ledger)
    keys = [p.instrument.key for p in left]
    assert gate(MANY, differing, witness=seen(*keys)) is None


def test_most_of_the_value_in_one_row_needs_the_books_and_else_stays_for_now():
    large = position("L", quantity="1000", price="100")
    before = adding_up(*half(8), large)
    left = adding_up(*half(8))
    keys = [p.instrument.key for p in left.positions]
    assert gate(before, left, witness=seen(*keys)) is None
    differing = replace(left, ledger=before.ledger)
    found = verdict(before, differing, witness=seen(*keys))
    assert (found.rejection, found.unconfirmed) == (None, frozenset("L"))


def test_a_reduction_by_more_than_half_counts_and_a_smaller_one_does_not():
    large = position("L", quantity="1000", price="100")
    before = adding_up(*half(8), large)
    most = replace(
        adding_up(*half(8), position("L", quantity="300", price="100")), ledger=before.ledger
    )
    assert gate(before, most) == "shrink"
    some = replace(
        adding_up(*half(8), position("L", quantity="600", price="100")), ledger=before.ledger
    )
    assert gate(before, some) is None


def test_a_value_with_an_unknown_rate_counts_as_too_much():
    foreign = position("F", currency="SEK")
    cash = (("USD", "100"), ("SEK", "0"))
    whole = adding_up(*half(8), foreign, cash=cash, rates={"SEK": "0.1"})
    before = replace(stored_from(whole), cash={"USD": D(1)})
    left = replace(adding_up(*half(8)), ledger=snapshot(books="7", cash=(("USD", "1"),)).ledger)
    keys = [p.instrument.key for p in left.positions]
    found = verdict(before, left, witness=seen(*keys))
    assert found.unconfirmed == frozenset("F")
    known = verdict(before, left, witness=seen(*keys), rates={"SEK": D("0.1")})
    assert (known.rejection, known.unconfirmed) == (None, frozenset())


def test_the_notional_of_a_future_is_no_value():
    future = position("F", quantity="5", price="100000", kind=Kind.FUTURE)
    before = adding_up(*half(8))
    stored = stored_from(replace(before, positions=(*before.positions, future)))
    left = replace(before, ledger=MANY.ledger)
    keys = [p.instrument.key for p in before.positions]
    assert gate(stored, left, witness=seen(*keys)) is None


# emptied


def test_an_empty_answer_passes_only_when_the_books_are_empty_as_well():
    assert gate(OLD, snapshot(books="4000"), witness=seen()) == "emptied"
    assert gate(OLD, snapshot(), witness=seen("1")) == "removal"
    assert gate(OLD, adding_up(), witness=seen()) is None
    assert gate(OLD, adding_up(), witness=seen(), margin=D(10)) == "emptied"


def test_an_empty_account_with_margin_passes_at_the_second_run_ten_minutes_later():
    early, late = NOON - timedelta(minutes=9), NOON - timedelta(minutes=10)
    more = {"witness": seen(), "margin": D(10)}
    assert gate(OLD, adding_up(), emptied_before=early, **more) == "emptied"
    assert gate(OLD, adding_up(), emptied_before=late, **more) is None


@pytest.mark.parametrize(
    ("risk", "passes"),
    [
        (position("1", kind=Kind.FUTURE), False),
        (position("1", quantity="-1", kind=Kind.OPTION), False),
        (position("1", kind=Kind.OPTION), True),
    ],
)
def test_open_risk_is_never_emptied_while_margin_remains(risk, passes):
    before = snapshot(risk)
    more = {"witness": seen(), "emptied_before": NOON - timedelta(days=1)}
    assert (gate(before, adding_up(), margin=D(10), **more) is None) is passes
    assert gate(before, adding_up(), **more) is None


def test_an_account_of_cash_alone_is_not_emptied():
    stored = Stored(holdings=(), cash={"USD": D(1)})
    read = snapshot()
    assert not gates.is_emptied(make_plan(stored, read), read)
    assert gate(stored, read) is None


def test_an_account_of_futures_alone_is_read_and_closed():
    future = position("F", kind=Kind.FUTURE)
    read = adding_up()
    first = replace(read, positions=(future,))
    assert gate(NOTHING, first, first=True) is None
    assert gate(first, read, witness=seen()) is None


# first read


def test_a_first_read_needs_the_books_or_a_second_look():
    differing = replace(OLD, ledger=snapshot(books="7000").ledger)
    assert gate(NOTHING, OLD, first=True) is None
    assert gate(NOTHING, differing, first=True) == "first_read"
    assert gate(NOTHING, differing, first=True, witness=seen("1", "2")) == "first_read"
    assert gate(NOTHING, differing, first=True, witness=seen("1", "2", "3")) is None
    assert gate(NOTHING, differing) is None


def test_an_empty_first_read_must_be_empty_by_the_books_too():
    assert gate(NOTHING, adding_up(), first=True, witness=seen()) is None
    assert gate(NOTHING, snapshot(books="50"), first=True, witness=seen()) == "emptied"
    assert gate(NOTHING, adding_up(), first=True, witness=seen("1")) == "emptied"


# cash


def test_cash_that_vanished_must_be_missing_in_the_total_as_well():
    both = (("USD", "100"), ("EUR", "50"))
    before = adding_up(position("1"), cash=both, rates={"EUR": "1.1"})
    after = adding_up(position("1"))
    assert gate(before, after) is None
    kept = replace(after.ledger, total=replace(after.ledger.total, cash=D("155")))
    assert gate(before, replace(after, ledger=kept)) == "cash"


def test_cash_that_vanished_beside_an_unknown_rate_is_not_believed():
    three = (("USD", "100"), ("EUR", "50"), ("SEK", "5"))
    before = adding_up(cash=three, rates={"EUR": "1.1", "SEK": "0.1"})
    after = snapshot(cash=(("USD", "100"), ("SEK", "5")))
    found = verdict(before, after).rejection
    assert (found.gate, "rate of SEK" in found.saw) == ("cash", True)
