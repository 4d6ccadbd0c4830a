"""Books that add up, books that do not, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest
from msgspec import structs

from brokers.types import Kind, Ledger, ValueClass
from portfolio.sync.reconcile import AGREES, DIFFERS, GROUPS, UNAVAILABLE, reconcile, tolerance
from tests.unit.portfolio.sync.builders import adding_up, ledger_row, position, snapshot


def books(*rows, total):
    return Ledger(base_currency="USD", rows=tuple(rows), total=total)


def with_books(of, *rows, total=None):
    return replace(of, ledger=books(*rows, total=total or replace(rows[0])))


def test_a_snapshot_that_adds_up_agrees_to_the_cent():
    found = reconcile(adding_up(position("1"), position("2", quantity="-3")))
    assert (found.status, found.difference, found.currency) == (AGREES, D(0), "USD")
    assert (found.by_class, found.likely_cause) == (True, None)


def test_several_currencies_and_accruals_add_up():
    cash = (("USD", "-120.50"), ("EUR", "50"))
    read = adding_up(
        position("1"), position("2", currency="EUR"), cash=cash, rates={"EUR": "1.0842"}
    )
    assert reconcile(read).status == AGREES


def test_the_broker_s_own_books_that_do_not_add_up_are_said():
    row = ledger_row("USD", "100", rate="1", stocks="60", net="200")
    found = reconcile(with_books(snapshot(position("1")), row))
    assert (found.status, found.difference, found.currency) == (DIFFERS, D(40), "USD")
    assert "own books do not add up in USD" in found.likely_cause
    assert found.tolerance == D("0.02") + D("0.000001") * (100 + 60 + 200)


def test_single_precision_is_no_difference():
    # A float of 24 bits cannot tell these apart.
    row = ledger_row("USD", "1005182.40", rate="1", stocks="60", net="1005242.4375")
    assert reconcile(with_books(snapshot(position("1")), row)).status == AGREES
    assert tolerance([D("1005182.40")]) == D("0.02") + D("1.00518240")


@pytest.mark.parametrize(("net", "learnt"), [("100", False), ("107", True)])
def test_whether_the_profit_of_futures_counts_is_learnt_from_the_books(net, learnt):
    row = ledger_row("USD", "100", rate="1", futures="5000", futures_pnl="7", net=net)
    read = with_books(snapshot(position("1", kind=Kind.FUTURE, price="5000")), row)
    found = reconcile(read)
    assert (found.status, found.futures_profit_counts) == (AGREES, learnt)


def test_what_was_learnt_stays_while_both_ways_close():
    row = ledger_row("USD", "100", rate="1", futures_pnl="0")
    read = with_books(snapshot(), row)
    assert reconcile(read).futures_profit_counts is None
    assert reconcile(read, futures_profit_counts=True).futures_profit_counts is True


def test_a_row_that_the_books_do_not_have_is_named():
    row = ledger_row("USD", "100", rate="1", stocks="60")
    found = reconcile(with_books(snapshot(position("1"), position("2", quantity="7")), row))
    assert (found.status, found.difference, found.by_class) == (DIFFERS, D(-42), False)
    assert found.likely_cause == "The gap in stocks is as large as the value of S2."
    assert found.tolerance == D("0.02") + D("0.0005") * 102


@pytest.mark.parametrize(("apart", "named"), [("1", False), ("0.03", True), ("-1", False)])
def test_only_a_row_that_is_worth_the_gap_is_named(apart, named):
    """What a whole class may be off is more than one row’s price moves."""
    rows = position("1", quantity="10"), position("2", quantity="1000")
    books = str(D(6000) + D(apart))
    found = reconcile(
        with_books(snapshot(*rows), ledger_row("USD", "100", rate="1", stocks=books))
    )
    assert found.status == DIFFERS
    assert ("the value of S1" in found.likely_cause) is named


def test_a_gap_that_several_rows_are_worth_names_none():
    row = ledger_row("USD", "100", rate="1", stocks="120")
    alike = [position(key) for key in ("1", "2", "3")]
    found = reconcile(with_books(snapshot(*alike), row))
    assert (found.status, found.difference) == (DIFFERS, D(-60))
    assert "prices may have moved" in found.likely_cause


def test_a_currency_that_the_books_do_not_have_is_said():
    read = adding_up(position("1"))
    more = replace(read, positions=(*read.positions, position("2", currency="SEK")))
    found = reconcile(more)
    assert (found.status, found.currency) == (DIFFERS, "SEK")


def test_the_largest_gap_is_the_one_worth_most_not_the_one_with_most_digits():
    cash = (("USD", "10"), ("JPY", "0"))
    stocks = position("1", quantity="100"), position("2", currency="JPY", quantity="200")
    full = adding_up(*stocks, cash=cash, rates={"JPY": "0.006"})
    found = reconcile(replace(full, positions=()))
    assert (found.status, found.currency) == (DIFFERS, "USD")


def test_a_bond_may_stand_in_either_class_and_its_interest_is_suspected():
    bond = position("B", kind=Kind.BOND, price="1000")
    for of in ("corporate_bonds", "government_bonds"):
        row = ledger_row("USD", "100", rate="1", **{of: "10000"})
        assert reconcile(with_books(snapshot(bond), row)).status == AGREES
    row = ledger_row("USD", "100", rate="1", corporate_bonds="10120")
    assert "accrued interest of bonds" in reconcile(with_books(snapshot(bond), row)).likely_cause


def test_options_are_valued_by_a_model_on_weekdays_only():
    option = position("O", kind=Kind.OPTION, price="100")
    row = ledger_row("USD", "100", rate="1", options="1025")
    friday = with_books(snapshot(option), row)
    found = reconcile(friday)
    assert (found.status, found.difference) == (AGREES, D(25))
    # The model's 3 %, the cents of each class, what is read moments apart, and single precision.
    cents = D("0.02") * (len(GROUPS) + 1)
    assert found.tolerance == cents + D("0.0305") * 1025 + D("0.000001") * (1125 + 100 + 1025)
    assert reconcile(replace(friday, read_at=friday.read_at + timedelta(days=1))).status == DIFFERS


def test_what_moved_between_the_two_readings_is_allowed_for():
    row = ledger_row("USD", "100", rate="1", stocks="60300")
    read = with_books(snapshot(position("1", price="6000")), row)
    assert reconcile(read).status == DIFFERS
    before = books(ledger_row("USD", "100", rate="1", stocks="60000"), total=row)
    assert reconcile(replace(read, ledger_before=before)).status == AGREES
    far = books(ledger_row("USD", "100", rate="1", stocks="1"), total=row)
    gone = with_books(snapshot(position("1", price="4000")), row)
    assert reconcile(replace(gone, ledger_before=far)).status == DIFFERS


def test_what_has_no_class_may_stand_in_any_one():
    odd = position("X", kind=Kind.OTHER, price="9")
    row = ledger_row("USD", "100", rate="1", stocks="150")
    assert reconcile(with_books(snapshot(position("1"), odd), row)).status == AGREES


def test_a_cfd_counts_with_its_profit():
    cfd = position("C", kind=Kind.CFD, price="500")
    row = ledger_row("USD", "100", rate="1", stocks="61")
    assert reconcile(with_books(snapshot(position("1"), cfd), row)).status == AGREES


def test_a_missing_price_makes_it_unavailable_with_the_reason():
    bare = structs.replace(position("1"), price=None, market_value=None, unrealized_pnl=None)
    found = reconcile(with_books(snapshot(bare), ledger_row("USD", "100", rate="1", stocks="60")))
    assert (found.status, found.likely_cause) == (UNAVAILABLE, "no price for 1 holding")
    assert not found.by_class


def test_a_missing_rate_makes_the_total_unavailable():
    rows = (ledger_row("USD", "100", rate="1"), ledger_row("SEK", "5"))
    found = reconcile(with_books(snapshot(), *rows))
    assert (found.status, found.difference) == (UNAVAILABLE, None)
    assert found.by_class


def test_classes_are_all_placed_or_known_to_be_no_value():
    placed = {of for group in GROUPS for of in group}
    assert set(ValueClass) - placed == {ValueClass.FUTURES, ValueClass.FUTURES_PNL}
