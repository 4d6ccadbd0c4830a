from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st

from brokers.types import (
    BrokerAccount,
    Instrument,
    Kind,
    Ledger,
    LedgerRow,
    Position,
    Snapshot,
    ValueClass,
    Witness,
)
from portfolio.sync import gates
from portfolio.sync.gates import Evidence, judge
from portfolio.sync.plan import Stored, StoredHolding, make_plan, snapshot_digest, terms_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def instrument(key, **values):
    return Instrument(
        **{"key": key, "symbol": f"S{key}", "kind": Kind.STOCK, "currency": "USD"} | values
    )


def position(key, quantity="10", average="5", price="6", **values):
    amount = D(quantity)
    return Position(
        instrument=instrument(key, **values),
        quantity=amount,
        average_price=D(average),
        price=D(price),
        market_value=amount * D(price),
        unrealized_pnl=D(1),
    )


def snapshot(*positions, cash=(("USD", "100"),), closed=(), books="0", at=NOON):
    total = LedgerRow(currency="BASE", cash=D(0), values={ValueClass.STOCKS: D(books)})
    rows = tuple(LedgerRow(currency=code, cash=D(amount)) for code, amount in cash)
    return Snapshot(
        account=BrokerAccount(id="U1", name="U1", currency="USD"),
        read_at=at,
        positions=positions,
        closed_keys=frozenset(closed),
        ledger=Ledger(base_currency="USD", rows=rows, total=total),
    )


def stored_from(of, *, is_open=True):
    rows = tuple(
        StoredHolding(
            key=p.instrument.key,
            quantity=p.quantity,
            average_price=p.average_price,
            is_open=is_open,
            terms=terms_of(p.instrument),
            quote=(p.price, p.market_value, p.unrealized_pnl),
        )
        for p in of.positions
    )
    return Stored(holdings=rows, cash={row.currency: row.cash for row in of.ledger.rows})


def evidence(stored, read, **more):
    return Evidence(stored=stored, snapshot=read, **more)


def seen(*keys):
    return Witness(read_at=NOON, quantities={key: D(1) for key in keys})


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


def test_the_digest_does_not_depend_on_the_order_or_on_trailing_zeros():
    one = snapshot(position("1", quantity="10"), position("2"))
    two = snapshot(position("2"), position("1", quantity="10.00"))
    assert snapshot_digest(one) == snapshot_digest(two)
    assert snapshot_digest(one) != snapshot_digest(
        snapshot(position("1"), position("2", average="4"))
    )


OLD = snapshot(position("1"), position("2"))


def removed(read, **more):
    stored = stored_from(OLD)
    return judge(make_plan(stored, read), evidence(stored, read, **more))


def test_a_sale_seen_by_both_reads_passes_and_one_read_alone_does_not():
    read = snapshot(position("1"))
    assert removed(read).gate == "removal"
    assert removed(read, witness=seen("1", "2")).gate == "removal"
    assert removed(read, witness=seen("1")) is None


def test_what_was_missing_is_named_in_a_sentence():
    one, both = snapshot(position("1")), snapshot(position("3"))
    assert " was missing in one answer" in removed(one).saw
    assert " were missing in one answer" in removed(both).saw


def test_a_zero_row_is_proof():
    assert removed(snapshot(position("1"), closed=("2",))) is None


def test_what_expired_needs_no_witness_from_the_second_day_on():
    option = position("9", kind=Kind.OPTION, expiry=date(2026, 11, 18))
    stored = stored_from(snapshot(position("1"), option))
    read = snapshot(position("1"))
    assert judge(make_plan(stored, read), evidence(stored, read)) is None
    early = snapshot(position("1"), at=NOON - timedelta(days=1))
    assert judge(make_plan(stored, early), evidence(stored, early)).gate == "removal"


def test_an_empty_answer_passes_only_when_the_books_are_empty_as_well():
    read = snapshot(books="4000")
    assert removed(read, witness=seen()).gate == "emptied"
    assert removed(snapshot(), witness=seen()) is None
    assert removed(snapshot(), witness=seen(), margin=D(10)).gate == "emptied"


def test_an_empty_account_with_margin_passes_at_the_second_run_ten_minutes_later():
    early, late = NOON - timedelta(minutes=9), NOON - timedelta(minutes=10)
    more = {"witness": seen(), "margin": D(10)}
    assert removed(snapshot(), emptied_before=early, **more).gate == "emptied"
    assert removed(snapshot(), emptied_before=late, **more) is None


def test_a_stored_future_is_never_emptied_while_margin_remains():
    stored = stored_from(snapshot(position("1", kind=Kind.FUTURE)))
    read, more = snapshot(), {"witness": seen(), "margin": D(10)}
    found = judge(
        make_plan(stored, read),
        evidence(stored, read, emptied_before=NOON - timedelta(days=1), **more),
    )
    assert found.gate == "emptied"
    assert judge(make_plan(stored, read), evidence(stored, read, witness=seen())) is None


def test_an_account_of_cash_alone_is_not_emptied():
    stored = Stored(holdings=(), cash={"USD": D(1)})
    read = snapshot()
    assert not gates.is_emptied(make_plan(stored, read), read)
    assert judge(make_plan(stored, read), evidence(stored, read)) is None
