"""What both lists say is the same to the last digit, and whatever differs is seen."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from brokers.errors import BadAnswer
from brokers.http import decode, encode
from brokers.ibkr import agreement, mapping
from brokers.ibkr.agreement import Standing
from brokers.ibkr.simulator import answers
from brokers.ibkr.simulator.data import Held
from brokers.types import Ledger, LedgerRow
from tests.unit.brokers.ibkr.pages import held_by

ACCOUNT = "U1234567"
BASE = "USD"


def wire(value):
    return decode(encode(value))


def by_pages(account):
    rows = wire([answers.position(of, ACCOUNT, lean=False) for of in account])
    return held_by(mapping.checked_page(rows, ACCOUNT), ACCOUNT, BASE)


def lines_of(account, beside=None):
    return mapping.uncached(wire([answers.uncached(of, 1) for of in account]), ACCOUNT, beside)


def agrees(positions, lines):
    said = agreement.agree(positions, mapping.Waiting(lines))
    assert agreement.agree(positions, [lines]) is said
    return said


def keyed(positions):
    return {of.instrument.key: of for of in positions}


def figures(low, high, places):
    return st.decimals(low, high, places=places, allow_nan=False, allow_infinity=False)


kinds = st.sampled_from(["STK", "OPT", "FUT", "BOND", "CRYPTO", "FUND", "CFD", "CASH", "NEW"])
rows = st.builds(
    Held,
    conid=st.integers(1, 12),
    ticker=st.just("T"),
    name=st.just("NAME"),
    asset=st.just("STK"),
    currency=st.just("USD"),
    quantity=st.one_of(st.just(D(0)), figures(-(10**6), 10**6, 8)),
    price=st.just(D(0)),
    average=figures(0, 10**5, 6),
    model=st.sampled_from(["", "Growth", "Income"]),
)
# A contract is of one kind, in one currency and at one price, whatever its models.
terms = st.fixed_dictionaries(
    dict.fromkeys(
        range(1, 13),
        st.tuples(
            kinds,
            st.sampled_from(["USD", "EUR"]),
            st.sampled_from([D(1), D(100)]),
            figures(0, 10**5, 4),
        ),
    )
)


@st.composite
def accounts(draw):
    held = draw(st.lists(rows, max_size=20, unique_by=lambda of: (of.conid, of.model)))
    of = draw(terms)
    for row in held:
        row.asset, row.currency, row.multiplier, row.price = of[row.conid]
    return held


@given(accounts(), st.randoms(use_true_random=False))
def test_the_single_answer_gives_what_the_pages_give(account, shuffle):
    positions, closed = by_pages(account)
    shuffled = list(account)
    shuffle.shuffle(shuffled)
    lines = lines_of(shuffled)
    held = mapping.repositioned(lines, keyed(positions))
    assert (keyed(held[0]), held[1]) == (keyed(positions), closed)
    assert agrees(positions, lines) is True


@given(accounts(), accounts())
def test_lines_are_the_same_beside_whatever_was_read_and_share_its_numbers(account, other):
    lines = lines_of(account)
    for read in (account, other):
        beside = keyed(by_pages(read)[0])
        assert lines_of(account, beside) == lines
    held = keyed(by_pages(account)[0])
    for line in lines_of(account, held):
        of = held.get(line.key)
        if of is not None and line.market_value == of.market_value:
            assert line.market_value is of.market_value


@given(accounts())
def test_lines_that_wait_come_back_as_they_were_each_contract_in_one_piece(account):
    lines = lines_of(account)
    pieces = list(mapping.Waiting(lines))
    came = [line for piece in pieces for line in piece]
    assert sorted(map(repr, came)) == sorted(map(repr, lines))
    keys = [{line.key for line in piece} for piece in pieces]
    assert sum(map(len, keys)) == len(set().union(*keys))


changes = st.sampled_from(["quantity", "average", "currency", "lost", "more"])


@given(accounts(), st.integers(0, 30), changes)
def test_any_difference_is_seen(account, which, change):
    positions, _ = by_pages(account)
    counted = [of for of in account if of.quantity and of.asset != "CASH"]
    assume(counted)
    row = counted[which % len(counted)]
    assume(sum(of.conid == row.conid for of in account) == 1)
    other = {
        "quantity": lambda: replace(row, quantity=row.quantity + D("0.00000001")),
        "average": lambda: replace(row, average=row.average + D("0.000001")),
        "currency": lambda: replace(row, currency="CHF"),
        "lost": lambda: None,
        "more": lambda: replace(row, conid=99),
    }[change]()
    assume(other is None or (other.quantity and row.average))
    changed = [of for of in account if of is not row or change == "more"]
    changed += [] if other is None else [other]
    assert agrees(positions, lines_of(changed)) is False


def share(number, quantity="10", **more):
    values = {"price": D("20.5"), "average": D("18.25"), "currency": "USD"} | more
    return Held(
        conid=number, ticker=f"S{number}", name="N", asset="STK", quantity=D(quantity), **values
    )


def ledger(**cash):
    rows = tuple(LedgerRow(currency=code, cash=D(amount)) for code, amount in cash.items())
    return Ledger(base_currency=BASE, rows=rows, total=LedgerRow(currency=BASE, cash=D(0)))


@pytest.mark.parametrize(
    ("earlier", "later", "found"),
    [
        ({"USD": "5"}, {"USD": "5"}, set()),
        ({"USD": "0.02"}, {"USD": "0"}, set()),
        ({"USD": "0.03"}, {"USD": "0"}, {"USD"}),
        ({"USD": "1000000"}, {"USD": "1000001.02"}, set()),
        ({"USD": "1000000"}, {"USD": "1000001.03"}, {"USD"}),
        ({"USD": "-1000000"}, {"USD": "-1000001"}, set()),
        ({"USD": "5"}, {"USD": "5", "EUR": "0.01"}, set()),
        ({"USD": "5"}, {"USD": "5", "EUR": "1"}, {"EUR"}),
        ({"USD": "5", "EUR": "1"}, {"USD": "6"}, {"USD", "EUR"}),
    ],
)
def test_cash_has_moved_where_it_is_more_than_the_rounding_of_the_books(earlier, later, found):
    before, after = ({of: D(much) for of, much in cash.items()} for cash in (earlier, later))
    assert agreement.moved(before, after) == found


def test_when_the_lists_are_compared():
    known = agreement.Seen(positions={})
    assert (Standing().runs, Standing().seen) == (9, None)
    assert agreement.to_compare(None)
    assert agreement.to_compare(Standing(seen=known, runs=0))
    assert agreement.to_compare(Standing(seen=known, runs=5))
    assert agreement.to_compare(Standing(runs=0))
    assert not agreement.to_compare(Standing(runs=1))
    assert not agreement.to_compare(Standing())


def test_after_the_last_quick_run_nothing_is_remembered_for_the_next():
    known = agreement.Seen(positions={})
    assert agreement.after_one_more(Standing(seen=known, runs=2)) == Standing(seen=known, runs=1)
    assert agreement.after_one_more(Standing(seen=known, runs=1)) == Standing(runs=0)
    assert agreement.after_one_more(Standing(runs=9)) == Standing(runs=8)


MANY = [share(number) for number in range(1, 302)]


def believed(account, before=MANY):
    return agreement.unchanged(lines_of(account), agreement.seen(by_pages(before)[0]))


def test_what_only_has_new_prices_is_believed():
    dearer = [replace(of, price=of.price * 2) for of in MANY]
    positions, closed = believed([*dearer, share(900, "0")])
    assert (keyed(positions), closed) == (keyed(by_pages(dearer)[0]), {"900"})


numbers = st.one_of(
    st.decimals("-1e19", "1e19", allow_nan=False).filter(bool),
    st.sampled_from([D("1"), D("1.0"), D("1E+1"), D("10"), D("-1"), D("-2"), D("1.10")]),
)


@given(
    numbers,
    numbers,
    st.none() | st.decimals(-10, 10, places=3).filter(bool),
)
def test_what_is_remembered_of_a_holding_is_the_same_where_its_figures_are(one, other, average):
    of = by_pages([share(1)])[0][0]
    held = [structs.replace(of, quantity=each, average_price=average) for each in (one, other)]
    first, second = (agreement.seen([each]).positions["1"].fixed for each in held)
    assert agreement.same_numbers(first, second) is (one == other)


def test_three_hundred_positions_are_not_enough():
    assert believed(MANY[1:], before=MANY[1:]) is None


@pytest.mark.parametrize(
    ("account", "is_believed"),
    [
        (MANY, True),
        ([share(1, "4"), *MANY[1:]], False),
        ([share(1, "0"), *MANY[1:], share(900)], False),
        ([*MANY, share(900)], False),
        ([*MANY[1:], share(900)], False),
        ([share(1, average=D(1)), *MANY[1:]], False),
        ([share(1, average=D(0)), *MANY[1:]], False),
        ([share(1, currency="EUR"), *MANY[1:]], False),
    ],
)
def test_whatever_else_has_changed_is_for_the_pages(account, is_believed):
    assert (believed(account) is not None) is is_believed


def test_what_is_gone_is_for_the_pages_with_or_without_a_row_of_zero():
    more = [*MANY, share(302)]
    assert believed(more, before=more) is not None
    assert believed(MANY, before=more) is None
    assert believed([*MANY, share(302, "0")], before=more) is None


def test_the_cash_of_every_currency_must_have_stood_still():
    seen = {"USD": D(5), "EUR": D(7)}
    for cash in ({"USD": "5", "EUR": "8"}, {"USD": "5"}, {"USD": "5", "EUR": "7", "CHF": "1"}):
        assert agreement.has_traded(seen, ledger(**cash))
    for cash in ({"USD": "5", "EUR": "7"}, {"USD": "5.02", "EUR": "7"}):
        assert not agreement.has_traded(seen, ledger(**cash))


def test_what_the_pages_alone_have_told_since_is_compared_when_the_other_list_says_it():
    known, _ = by_pages(MANY)
    before = agreement.seen(known)
    bought = [share(1, "11"), *MANY[1:], share(302)]
    *_, new = by_pages(bought)[0]
    told = (structs.replace(known[0], quantity=D(11)), *known[1:], new)
    after = agreement.after_trade(Standing(runs=3, seen=before), told)
    assert after.runs == 3
    lines = lines_of(bought)
    assert [of.quantity for of in agreement.unchanged(lines, after.seen)[0]] == [
        of.quantity for of in told
    ]
    # The known one is in the same unit as ever; of the new one this is the first comparison.
    for which, same in ((0, True), (-1, False)):
        other = list(lines)
        value = lines[which].market_value * 100
        other[which] = structs.replace(lines[which], market_value=value)
        assert (agreement.unchanged(other, after.seen) is not None) is same
    # So it is until both lists are compared as a whole.
    later = agreement.after_trade(after, told)
    assert agreement.unchanged(other, later.seen) is None
    compared = agreement.seen(told)
    assert agreement.unchanged(other, compared) is not None


def test_terms_that_were_learnt_anew_since_are_compared_too():
    before = agreement.seen(by_pages(MANY)[0])
    after = agreement.after_trade(Standing(runs=3, seen=before), by_pages(MANY)[0])
    first, *others = lines_of(MANY)
    other = structs.replace(first, market_value=first.market_value * 100)
    assert agreement.unchanged([other, *others], after.seen) is None


def test_after_a_trade_in_the_last_quick_run_the_next_one_compares():
    before = agreement.seen(by_pages(MANY)[0])
    after = agreement.after_trade(Standing(runs=0, seen=before), by_pages(MANY)[0])
    assert after == Standing(runs=0)
    assert agreement.to_compare(after)
    one_more = agreement.after_trade(Standing(runs=1, seen=before), by_pages(MANY)[0])
    assert one_more.seen is not None


def test_a_figure_that_is_missing_now_and_was_there_is_odd():
    lines = lines_of(MANY)
    seen = agreement.seen(by_pages(MANY)[0])
    for name in ("average_price", "price", "market_value", "unrealized_pnl"):
        less = [structs.replace(lines[0], **{name: None}), *lines[1:]]
        assert agreement.unchanged(less, seen) is None
        assert agrees(by_pages(MANY)[0], less) is None


def test_what_the_pages_do_not_fully_say_is_not_taken_from_the_other_list():
    rows = wire([answers.position(of, ACCOUNT, lean=True) for of in MANY])
    positions, _ = held_by(rows, ACCOUNT, BASE)
    assert agreement.seen(positions).positions == {}
    rows = wire([answers.position(of, ACCOUNT, lean=False) for of in MANY])
    rows = [{**row, "currency": None} for row in rows]
    positions, _ = held_by(rows, ACCOUNT, BASE)
    assert agreement.seen(positions).positions == {}
    assert agrees(positions, lines_of(MANY)) is None


UNITS = {
    "1": True,
    "1.9": True,
    "3": True,
    "0.55": True,
    "3.01": False,
    "100": False,
    "0.01": False,
}


@pytest.mark.parametrize(("factor", "same"), UNITS.items())
def test_a_value_in_another_unit_is_no_agreement(factor, same):
    lines = lines_of(MANY)
    other = structs.replace(lines[0], market_value=lines[0].market_value * D(factor))
    assert agrees(by_pages(MANY)[0], [other, *lines[1:]]) is same


@pytest.mark.parametrize(("factor", "same"), [("2", True), ("100", False)])
def test_a_price_in_another_unit_beside_the_same_value_is_no_agreement(factor, same):
    lines = lines_of(MANY)
    other = structs.replace(lines[0], price=lines[0].price * D(factor))
    assert agrees(by_pages(MANY)[0], [other, *lines[1:]]) is same


def test_a_price_that_moved_with_its_value_and_one_of_nothing_are_the_same_unit():
    lines = lines_of(MANY)
    value = lines[0].market_value
    dearer = structs.replace(lines[0], price=lines[0].price * 10, market_value=value * 10)
    worthless = structs.replace(lines[1], price=D(0), market_value=D(0))
    assert agrees(by_pages(MANY)[0], [dearer, worthless, *lines[2:]]) is True
    nothing = [replace(of, price=D(0)) for of in MANY]
    assert agrees(by_pages(nothing)[0], lines) is True


@pytest.mark.parametrize("value", ["0", "-205"])
def test_a_value_of_nothing_or_of_the_other_sign_is_no_agreement(value):
    lines = lines_of(MANY)
    other = structs.replace(lines[0], market_value=D(value))
    assert agrees(by_pages(MANY)[0], [other, *lines[1:]]) is False


@pytest.mark.parametrize(
    "change",
    [
        {"conid": None},
        {"conid": "1.5"},
        {"position": None},
        {"position": "many"},
        {"currency": "usd"},
        {"avgPrice": "NaN"},
        {"marketPrice": "x"},
        {"acctId": "U7654321"},
    ],
)
def test_an_odd_row_makes_the_single_answer_useless(change):
    rows = wire([answers.uncached(of, 1) for of in MANY])
    with pytest.raises(BadAnswer):
        mapping.uncached([{**rows[0], **change}, *rows[1:]], ACCOUNT)


def test_a_contract_twice_under_one_model_makes_the_single_answer_useless():
    rows = wire([answers.uncached(of, 1) for of in MANY])
    with pytest.raises(BadAnswer):
        mapping.uncached([*rows, {**rows[0], "conid": 1}], ACCOUNT)
