"""Each gate both ways: the fault is stopped, the truth gets through."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from msgspec import structs

from brokers.types import Kind, ValueClass, Witness
from portfolio.sync import gates
from portfolio.sync.gates import Evidence, Verdict, judge
from portfolio.sync.plan import Stored, make_plan
from portfolio.sync.reconcile import reconcile
from tests.unit.portfolio.sync.builders import (
    NOON,
    adding_up,
    instrument,
    ledger_row,
    position,
    snapshot,
    stored_from,
)

NOTHING = Stored(holdings=(), cash={})


def seen(*keys):
    return Witness(read_at=NOON, quantities={key: D(1) for key in keys})


def verdict(before, read, **more):
    stored = before if isinstance(before, Stored) else stored_from(before)
    evidence = Evidence(
        **{"stored": stored, "snapshot": read, "judgement": reconcile(read)} | more
    )
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
    three = verdict(MANY, adding_up(*some(3, 20)), witness=whole(MANY)).rejection.saw
    assert three.startswith("S0, S1 and S2 were missing")
    four = verdict(MANY, adding_up(*some(4, 20)), witness=whole(MANY)).rejection.saw
    assert four.startswith("S0, S1, S2 and 1 others were missing")


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


def some(first, last):
    return [position(str(n)) for n in range(first, last)]


def half(of):
    return some(0, of)


def whole(read):
    return seen(*(p.instrument.key for p in read.positions))


def contradicted(left, before):
    """What is left, while the books still show everything."""
    return replace(adding_up(*left), ledger=before.ledger)


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


def test_more_than_five_rows_and_more_than_a_fifth_are_many():
    def gone(of, all_rows):
        before = adding_up(*half(all_rows))
        read = contradicted(some(of, all_rows), before)
        return verdict(before, read, witness=whole(read))

    assert gone(5, 20) == Verdict()
    assert gone(6, 20).rejection.gate == "shrink"
    assert gone(6, 30) == Verdict()
    assert gone(6, 31) == Verdict()
    assert gone(7, 30).rejection.gate == "shrink"
    assert gone(6, 20).rejection.saw == (
        "6 of 20 holdings would shrink or go at once, and what is left does not agree "
        "with the broker’s books."
    )


def test_at_most_five_rows_without_proof_stay_for_now():
    def left(of):
        before = adding_up(*half(9))
        read = contradicted(some(of, 9), before)
        return verdict(before, read, witness=whole(read))

    assert left(5).unconfirmed == frozenset("01234")
    assert left(6).rejection.gate == "shrink"


def test_what_shrinks_the_same_twice_in_ten_minutes_gets_through_where_books_say_nothing():
    read = contradicted(half(13), MANY)
    silent = replace(reconcile(read), by_class=False, gaps={})
    more = {"judgement": silent, "witness": whole(read)}
    early, late = NOON - timedelta(minutes=9), NOON - timedelta(minutes=10)
    assert gate(MANY, read, **more) == "shrink"
    assert gate(MANY, read, shrunk_since=early, **more) == "shrink"
    assert gate(MANY, read, shrunk_since=late, **more) is None
    refuted = more | {"judgement": reconcile(read)}
    assert gate(MANY, read, shrunk_since=late, **refuted) == "shrink"


def test_a_missing_row_does_not_let_cuts_through_that_the_books_refute():
    cut = [position(str(n), quantity="1") for n in range(1, 20)]
    read = contradicted(cut, MANY)
    assert verdict(MANY, read, witness=whole(read)).rejection.gate == "shrink"
    # A small sale beside one large cut: keeping the sale mends nothing.
    large = position("L", quantity="1000", price="100")
    before = adding_up(*half(8), large)
    read = contradicted([*some(1, 8), position("L", quantity="300", price="100")], before)
    assert verdict(before, read, witness=whole(read)).rejection.gate == "shrink"
    # A cut that would pass by itself goes with it.
    read = contradicted([*some(1, 8), position("L", quantity="600", price="100")], before)
    small = verdict(before, read, witness=whole(read))
    assert (small.rejection, small.unconfirmed) == (None, frozenset())
    agreeing = adding_up(*cut)
    assert gate(MANY, agreeing, witness=whole(agreeing)) is None


def test_most_of_the_value_in_one_row_needs_the_books_and_else_stays_for_now():
    large = position("L", quantity="1000", price="100")
    before = adding_up(*half(8), large)
    left = adding_up(*half(8))
    keys = [p.instrument.key for p in left.positions]
    assert gate(before, left, witness=seen(*keys)) is None
    differing = replace(left, ledger=before.ledger)
    found = verdict(before, differing, witness=seen(*keys))
    assert (found.rejection, found.unconfirmed) == (None, frozenset("L"))


def off_by(read, amount, value_class=ValueClass.STOCKS):
    """What was read, while the books are off in one class."""
    row = read.ledger.rows[0]
    values = {**row.values, value_class: row.values.get(value_class, D(0)) + D(amount)}
    books = replace(read.ledger, rows=(replace(row, values=values), *read.ledger.rows[1:]))
    return replace(read, ledger=books)


@pytest.mark.parametrize(
    ("amount", "value_class", "unconfirmed"),
    [
        ("50000", ValueClass.FUNDS, ""),
        ("9999", ValueClass.STOCKS, ""),
        ("-9999", ValueClass.STOCKS, ""),
        ("10000", ValueClass.STOCKS, "L"),
        ("100000", ValueClass.STOCKS, "L"),
    ],
)
def test_books_that_differ_elsewhere_let_a_sale_through_that_is_seen_twice(
    amount, value_class, unconfirmed
):
    before = adding_up(*half(8), position("L", quantity="1000", price="100"))
    read = off_by(adding_up(*half(8)), amount, value_class)
    first = verdict(before, read, witness=whole(read))
    assert (first.rejection, first.unconfirmed) == (None, frozenset("L"))
    since = NOON - timedelta(minutes=10)
    second = verdict(before, read, witness=whole(read), shrunk_since=since)
    assert (second.rejection, second.unconfirmed) == (None, frozenset(unconfirmed))


def test_what_is_worth_nothing_goes_though_its_class_differs_for_good():
    worthless = [position(f"W{n}", price="0") for n in range(7)]
    before, read = adding_up(*half(8), *worthless), off_by(adding_up(*half(8)), "50")
    since = NOON - timedelta(minutes=10)
    assert gate(before, read, witness=whole(read)) == "shrink"
    assert gate(before, read, witness=whole(read), shrunk_since=since) is None
    # What is worth little may be in it.
    cheap = adding_up(*half(8), *(position(f"W{n}", price="0.05") for n in range(7)))
    assert gate(cheap, read, witness=whole(read), shrunk_since=since) == "shrink"
    # Of what has no price, nobody knows.
    worthless[0] = structs.replace(worthless[0], price=None, market_value=None)
    before = adding_up(*half(8), position("W0"), *worthless[1:])
    stored = stored_from(replace(before, positions=(*half(8), *worthless)))
    assert gate(stored, read, witness=whole(read), shrunk_since=since) == "shrink"


def test_of_what_the_books_have_no_class_for_they_tell_nothing_by_another():
    def gone(kind, twice):
        rows = [position(f"F{n}", kind=kind) for n in range(7)]
        read = off_by(adding_up(*half(8)), "7")
        since = NOON - timedelta(minutes=10) if twice else None
        return gate(adding_up(*half(8), *rows), read, witness=whole(read), shrunk_since=since)

    assert [gone(Kind.FUTURE, twice) for twice in (False, True)] == ["shrink", None]
    # A CFD's profit is somewhere in the books, perhaps where the gap is.
    assert [gone(Kind.CFD, twice) for twice in (False, True)] == ["shrink", "shrink"]


def test_a_cfd_without_a_profit_is_nowhere_in_the_books():
    even = [
        structs.replace(position(f"F{n}", kind=Kind.CFD), unrealized_pnl=D(0)) for n in range(7)
    ]
    read = off_by(adding_up(*half(8)), "7")
    since = NOON - timedelta(minutes=10)
    before = replace(adding_up(*half(8)), positions=(*half(8), *even))
    assert gate(before, read, witness=whole(read)) == "shrink"
    assert gate(before, read, witness=whole(read), shrunk_since=since) is None


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
    just_half = replace(
        adding_up(*half(8), position("L", quantity="500", price="100")), ledger=before.ledger
    )
    assert shrunk(before, just_half) == frozenset()
    assert shrunk(before, most) == frozenset("L")
    short = position("L", quantity="-400", price="100")
    assert shrunk(before, replace(most, positions=(*half(8), short))) == frozenset("L")
    assert shrunk(before, replace(most, positions=tuple(half(8)))) == frozenset("L")


def shrunk(before, read):
    stored = stored_from(before)
    evidence = Evidence(stored=stored, snapshot=read, judgement=reconcile(read))
    return gates.shrunk_keys(make_plan(stored, read), evidence)


@pytest.mark.parametrize(("rest", "passes"), [("20", True), ("19", False)])
def test_of_a_reduction_only_the_share_that_goes_is_lost(rest, passes):
    # 60 go: just half of 120, and more than half of 119
    small = position("0", quantity="1", price=rest)
    before = adding_up(position("L", quantity="100", price="1"), small)
    read = contradicted([position("L", quantity="40", price="1"), small], before)
    assert (gate(before, read) is None) is passes


def test_values_are_compared_in_the_base_currency():
    foreign = position("E", quantity="1", price="100", currency="EUR")
    cash, rates = (("USD", "1"), ("EUR", "1")), {"EUR": "1.1"}
    large = position("L", quantity="1", price="100")
    before = adding_up(large, foreign, cash=cash, rates=rates)
    left = replace(adding_up(foreign, cash=cash, rates=rates), ledger=before.ledger)
    found = verdict(before, left, witness=seen("E"))
    assert (found.rejection, found.unconfirmed) == (None, frozenset())


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
    found = verdict(stored, left, witness=whole(before))
    assert (found.rejection, found.unconfirmed) == (None, frozenset())
    futures = [structs.replace(future, instrument=instrument(f, kind=Kind.FUTURE)) for f in "FGH"]
    stored = stored_from(replace(before, positions=tuple(futures)))
    left = replace(left, positions=tuple(futures[:1]))
    found = verdict(stored, left, witness=seen("F"))
    assert (found.rejection, found.unconfirmed) == (None, frozenset())


def test_of_a_cfd_only_the_profit_is_value():
    cfd = position("C", quantity="5", price="100000", kind=Kind.CFD)
    large = [position(key, quantity="500", price="100") for key in "LM"]
    before = adding_up(*half(8))
    stored = stored_from(replace(before, positions=(*before.positions, *large, cfd)))
    left = replace(before, positions=(*before.positions, cfd), ledger=MANY.ledger)
    found = verdict(stored, left, witness=whole(left))
    assert found.unconfirmed == frozenset("LM")
    gone = replace(before, ledger=MANY.ledger)
    stored = stored_from(replace(before, positions=(*before.positions, cfd)))
    small = verdict(stored, gone, witness=whole(before))
    assert (small.rejection, small.unconfirmed) == (None, frozenset())
    unknown = structs.replace(cfd, unrealized_pnl=None)
    stored = stored_from(replace(before, positions=(*before.positions, unknown)))
    found = verdict(stored, gone, witness=whole(before))
    assert found.unconfirmed == frozenset("C")


# emptied


def test_an_empty_answer_passes_only_when_the_books_are_empty_as_well():
    assert gate(OLD, snapshot(books="4000"), witness=seen()) == "emptied"
    assert gate(OLD, snapshot(), witness=seen("1")) == "removal"
    assert gate(OLD, adding_up(), witness=seen()) is None
    assert gate(OLD, snapshot(books="1"), witness=seen()) == "emptied"
    assert gate(OLD, snapshot(books="0.99"), witness=seen()) is None
    assert gate(OLD, adding_up(), witness=seen(), margin=D(10)) == "emptied"


def test_of_an_empty_account_no_row_stays_for_now():
    read = contradicted([], adding_up(position("0", quantity="1", price="0.9")))
    found = verdict(adding_up(*half(3)), read, witness=seen())
    assert (found.rejection.gate, found.unconfirmed) == ("shrink", frozenset())
    assert gate(adding_up(*half(3)), snapshot(), witness=seen()) is None


def test_the_sentence_says_what_contradicts_the_empty_account():
    books = verdict(OLD, snapshot(books="4000"), witness=seen()).rejection.saw
    assert books == (
        "the list of positions came back empty, but the broker’s books still show value."
    )
    margin = verdict(OLD, adding_up(), witness=seen(), margin=D(10)).rejection.saw
    assert margin == "the account looks empty, but the broker still holds margin for it."


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
        (position("1", quantity="-1", kind=Kind.FUTURE_OPTION), False),
        (position("1", quantity="0.5", kind=Kind.OPTION), True),
        (position("1", quantity="-1"), True),
    ],
)
def test_open_risk_is_never_emptied_while_margin_remains(risk, passes):
    before = snapshot(risk)
    more = {"witness": seen(), "emptied_before": NOON - timedelta(days=1)}
    assert (gate(before, adding_up(), margin=D(10), **more) is None) is passes
    assert gate(before, adding_up(), **more) is None


def test_margin_is_not_for_what_has_expired_or_is_listed_with_0():
    option = position("1", quantity="-1", kind=Kind.OPTION, expiry=date(2026, 11, 18))
    more = {"witness": seen(), "margin": D(10), "emptied_before": NOON - timedelta(days=1)}
    assert gate(snapshot(option), adding_up(), **more) is None
    today = position("1", quantity="-1", kind=Kind.OPTION, expiry=date(2026, 11, 20))
    assert gate(snapshot(today), adding_up(), **more) == "emptied"
    listed = replace(adding_up(), closed_keys=frozenset("1"))
    assert gate(snapshot(today), listed, **more) is None


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
    found = verdict(NOTHING, differing, first=True).rejection
    assert found.gate == "first_read"
    assert found.saw == (
        "two reads of this account did not show the same holdings, and they do not agree "
        "with the broker’s books."
    )
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
    found = verdict(before, replace(after, ledger=kept)).rejection
    assert (found.gate, found.saw) == (
        "cash",
        "the EUR cash is missing, and the rest does not add up to the broker’s total.",
    )


@pytest.mark.parametrize(("total", "passes"), [("99.9899", True), ("99.9898", False)])
def test_cents_that_the_books_lose_do_not_stop_what_vanished_with_them(total, passes):
    # two cents, and a millionth of the 200 that are compared
    before = adding_up(cash=(("USD", "100"), ("EUR", "50")), rates={"EUR": "1.1"})
    after = adding_up(cash=(("USD", "100.0101"),))
    books = replace(after.ledger, total=replace(after.ledger.total, cash=D(total)))
    assert (gate(before, replace(after, ledger=books)) is None) is passes


@pytest.mark.parametrize(("off", "passes"), [("0.6", True), ("0.7", False)])
def test_the_decimals_of_rates_do_not_stop_what_vanished_beside_many_yen(off, passes):
    # half a seventh decimal of ten million, two cents, and a millionth of the 129,640 compared
    yen, rates = ("JPY", "10000000"), {"JPY": "0.006482", "CHF": "1.1"}
    before = adding_up(cash=(yen, ("USD", "0"), ("CHF", "50")), rates=rates)
    after = adding_up(cash=(yen, ("USD", "0")), rates=rates)
    total = replace(after.ledger.total, cash=after.ledger.total.cash + D(off))
    books = replace(after.ledger, total=total)
    assert (gate(before, replace(after, ledger=books)) is None) is passes


NO_BOOKS = {"row": ledger_row("USD", "0", rate="1"), "total": ledger_row("USD", "0")}


def beside(of, row, total):
    """A holding beside books of one row."""
    read = snapshot(of, cash=(("USD", "0"),))
    return replace(read, ledger=replace(read.ledger, rows=(row,), total=total))


@pytest.mark.parametrize(
    "of",
    [position("1"), position("1", kind=Kind.CFD, price="0")],
    ids=["a share", "the profit of a CFD"],
)
def test_books_that_are_empty_beside_what_has_value_are_no_answer(of):
    read = beside(of, **NO_BOOKS)
    found = verdict(read, read).rejection
    assert (found.gate, found.saw) == (
        "cash",
        "the broker’s books show neither cash nor value, though there are holdings.",
    )


@pytest.mark.parametrize(
    ("of", "books"),
    [
        (position("1"), {"row": ledger_row("USD", "1", rate="1")}),
        (position("1"), {"row": ledger_row("USD", "0", rate="1", net="1")}),
        (position("1"), {"row": ledger_row("USD", "0", rate="1", net="0", funds="1")}),
        (position("1"), {"total": ledger_row("USD", "1", net="0")}),
        (position("1"), {"total": ledger_row("USD", "0", net="0", funds="1")}),
        (position("1"), {"total": ledger_row("USD", "0", net=None)}),
        (position("1"), {"total": ledger_row("USD", "0", net="1")}),
        (position("1", price="0"), {}),
        (structs.replace(position("1"), market_value=None), {}),
        (structs.replace(position("1", kind=Kind.CFD), unrealized_pnl=D(0)), {}),
    ],
)
def test_books_that_say_anything_or_are_of_nothing_are_an_answer(of, books):
    read = beside(of, **NO_BOOKS | books)
    assert gate(read, read) is None


def test_a_currency_without_cash_needs_no_rate():
    before = adding_up(position("1"), cash=(("USD", "100"), ("EUR", "50")), rates={"EUR": "1.1"})
    after = adding_up(position("1"))
    rows = (ledger_row("SEK", "0"), *after.ledger.rows)
    assert gate(before, replace(after, ledger=replace(after.ledger, rows=rows))) is None


def test_cash_that_vanished_beside_an_unknown_rate_is_not_believed():
    three = (("USD", "100"), ("EUR", "50"), ("SEK", "5"))
    before = adding_up(cash=three, rates={"EUR": "1.1", "SEK": "0.1"})
    after = snapshot(cash=(("USD", "100"), ("SEK", "5")))
    found = verdict(before, after).rejection
    assert (found.gate, "rate of SEK" in found.saw) == ("cash", True)
