from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from portfolio.sync.plan import Stored, make_plan, snapshot_digest, stored_digest
from tests.unit.portfolio.sync.builders import position, snapshot, stored_from


def test_a_first_read_adds_everything():
    plan = make_plan(Stored(holdings=(), cash={}), snapshot(position("1"), position("2")))
    assert (plan.count("added"), plan.unchanged) == (3, 0)


def test_the_same_again_changes_nothing_and_a_new_price_only_reprices():
    before = snapshot(position("1"))
    assert make_plan(stored_from(before), before).steps == ()
    again = make_plan(stored_from(before), snapshot(position("1", price="7")))
    assert (again.steps, again.repriced, again.unchanged) == ((), 1, 2)


def test_each_changed_field_is_named_old_to_new():
    before = snapshot(position("1"))
    plan = make_plan(stored_from(before), snapshot(position("1", quantity="12.50", symbol="NEW")))
    (step,) = plan.steps
    assert [(c.field, c.old, c.new) for c in step.changes] == [
        ("quantity", "10", "12.5"),
        ("symbol", "S1", "NEW"),
    ]


def test_a_term_the_broker_left_out_is_kept():
    before = snapshot(position("1", expiry=date(2027, 1, 15)))
    assert make_plan(stored_from(before), snapshot(position("1"))).steps == ()


def test_a_row_that_was_no_longer_held_is_added_again():
    before = snapshot(position("1"))
    (step,) = make_plan(stored_from(before, is_open=False), before).steps[:1]
    assert step.action == "added"


def test_what_is_added_is_one_change_with_all_else_beside_it():
    bare = structs.replace(position("1", expiry=date(2027, 1, 15)), average_price=None)
    new = snapshot(bare)
    step, cash = make_plan(Stored(holdings=(), cash={}), new).steps
    assert step.changes == (("quantity", None, "10"),)
    terms = {"symbol": "S1", "kind": "stock", "currency": "USD", "multiplier": "1"}
    assert step.beside == {**terms, "expiry": "2027-01-15"}
    assert (cash.changes, cash.beside) == ((("amount", None, "100"),), None)
    # What the broker leaves out when it comes back keeps what is stored.
    (again,) = make_plan(stored_from(new, is_open=False), snapshot(position("1"))).steps
    assert again.changes == (("quantity", None, "10"),)
    assert again.beside == {"average_price": "5", **terms, "expiry": "2027-01-15"}
    closing, moved = make_plan(stored_from(new), snapshot(cash=(("USD", "90"),))).steps
    assert (closing.changes, closing.beside) == ((("quantity", "10", None),), None)
    assert (moved.changes, moved.beside) == ((("amount", "100", "90"),), None)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.decimals(-99, 99, places=3).filter(bool)),
    st.dictionaries(st.sampled_from("abcdef"), st.decimals(-99, 99, places=3).filter(bool)),
)
def test_a_plan_counts_every_row_once(before, after):
    old = snapshot(*(position(k, quantity=str(q)) for k, q in before.items()))
    new = snapshot(*(position(k, quantity=str(q)) for k, q in after.items()))
    plan = make_plan(stored_from(old), new)
    assert plan.count("added") == len(after.keys() - before.keys())
    assert plan.count("closed") == len(before.keys() - after.keys())
    rows = len(before.keys() | after.keys()) + 1
    assert (
        plan.count("added") + plan.count("closed") + plan.count("changed") == rows - plan.unchanged
    )
    assert make_plan(stored_from(new), new).steps == ()
    # So what a run without a step leaves has the digest of what it began with.
    assert snapshot_digest(new) == stored_digest(stored_from(new))
    same = stored_digest(stored_from(old)) == snapshot_digest(new)
    assert same == (plan.steps == ())


def test_the_digest_does_not_depend_on_the_order_or_on_trailing_zeros():
    one = snapshot(position("1", quantity="10"), position("2"))
    two = snapshot(position("2"), position("1", quantity="10.00"))
    assert snapshot_digest(one) == snapshot_digest(two)
    assert snapshot_digest(one) != snapshot_digest(
        snapshot(position("1"), position("2", average="4"))
    )


def test_what_stays_for_now_is_neither_closed_nor_lost_from_the_digest():
    before = snapshot(position("1"), position("2"))
    stored, read = stored_from(before), snapshot(position("1"))
    plan = make_plan(stored, read, keep=frozenset("2"))
    assert (plan.steps, plan.unchanged) == ((), 2)
    kept = [row for row in stored.holdings if row.key == "2"]
    assert snapshot_digest(read, kept) == stored_digest(stored)
    assert snapshot_digest(read) != stored_digest(stored)


def test_a_quote_that_is_missing_reprices_nothing():
    before = snapshot(position("1"))
    bare = structs.replace(before.positions[0], price=None, market_value=None, unrealized_pnl=None)
    assert make_plan(stored_from(before), replace(before, positions=(bare,))).repriced == 0


def test_a_symbol_that_is_too_long_is_cut_and_no_change_at_the_next_sync():
    read = snapshot(position("1", symbol="X" * 130))
    (step,) = (s for s in make_plan(Stored(holdings=(), cash={}), read).steps if s.key == "1")
    assert step.label == "X" * 100
    assert step.beside["symbol"] == "X" * 100
    assert not make_plan(stored_from(read), read).steps
