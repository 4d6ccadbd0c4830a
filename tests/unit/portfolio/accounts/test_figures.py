"""Each figure against a number worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest

from portfolio.accounts import figures
from portfolio.accounts.figures import Rates
from portfolio.accounts.models import Holding, Instrument, Rate

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def holding(kind="stock", currency="USD", source="manual", multiplier="1", **values):
    made = Holding(source=source, **{k: v if v is None else D(v) for k, v in values.items()})
    made.instrument = Instrument(
        symbol="X", kind=kind, currency=currency, multiplier=D(multiplier), source=source
    )
    return made


def rate(source, target, value, *, day=20, by="ibkr"):
    return Rate(
        from_currency=source,
        to_currency=target,
        value=D(value),
        day=date(2026, 11, day),
        source=by,
        read_at=NOON,
    )


def test_a_row_by_hand_is_computed():
    of = figures.figures(holding(quantity="12.5", price="101", average_price="98.10"))
    assert (of.value, of.cost) == (D("1262.5"), D("1226.25"))
    assert of.unrealized_pnl == D("36.25")
    assert str(of.unrealized_ratio).startswith("0.0295616717")


def test_a_bond_by_hand_is_priced_in_percent():
    of = figures.figures(
        holding("bond", multiplier="0.01", quantity="10000", price="99.5", average_price="101")
    )
    assert (of.value, of.cost, of.unrealized_pnl) == (D("9950"), D("10100"), D("-150"))


def test_a_short_has_negative_value_and_cost():
    of = figures.figures(holding(quantity="-10", price="12", average_price="10"))
    assert (of.value, of.cost, of.unrealized_pnl) == (D("-120"), D("-100"), D("-20"))
    assert of.unrealized_ratio == D("-0.2")


def test_a_synced_row_shows_the_brokers_value_and_its_cost_follows():
    of = figures.figures(
        holding(
            "bond",
            source="ibkr",
            quantity="10000",
            price="99.5",
            average_price="101",
            market_value="9950",
            unrealized_pnl="-150",
        )
    )
    assert of.cost == D("10100")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("market_value", None),
        ("unrealized_pnl", None),
        ("average_price", None),
        ("average_price", "0"),
    ],
)
def test_an_unknown_input_makes_the_cost_unknown(missing, said):
    values = {"market_value": "10", "unrealized_pnl": "1", "average_price": "9", missing: said}
    of = figures.figures(holding(source="ibkr", quantity="1", **values))
    assert of.cost is None
    assert of.unrealized_ratio is None


@pytest.mark.parametrize("kind", ["stock", "cfd"])
def test_an_average_price_of_0_by_hand_is_not_known(kind):
    of = figures.figures(holding(kind, quantity="2", price="5", average_price="0"))
    assert (of.cost, of.unrealized_pnl, of.unrealized_ratio) == (None, None, None)
    assert of.counts == (None if kind == "cfd" else D(10))
    known = figures.figures(holding(kind, quantity="2", price="5", average_price="4"))
    assert (known.cost, known.unrealized_pnl) == (D(8), D(2))


def test_a_future_does_not_count_and_a_cfd_counts_its_profit():
    values = {"quantity": "-1", "market_value": "-329512.5", "unrealized_pnl": "1204.5"}
    future = figures.figures(holding("future", source="ibkr", average_price="1", **values))
    assert (future.value, future.notional, future.counts) == (None, D("-329512.5"), D(0))
    cfd = figures.figures(holding("cfd", source="ibkr", average_price="1", **values))
    assert (cfd.counts, cfd.counts_in_value) == (D("1204.5"), False)


def test_rates_go_direct_then_inverse_then_through_a_third():
    rates = Rates([rate("EUR", "USD", "1.25"), rate("CHF", "USD", "1.1")])
    assert rates.between("EUR", "USD") == D("1.25")
    assert rates.between("USD", "EUR") == D("0.8")
    assert str(rates.between("EUR", "CHF")).startswith("1.13636363636")
    assert rates.between("JPY", "USD") is None
    assert rates.between("JPY", "JPY") == 1


def test_the_newest_day_wins_and_on_one_day_the_broker():
    rates = Rates(
        [
            rate("EUR", "USD", "1.1", day=19),
            rate("EUR", "USD", "1.3", by="manual"),
            rate("EUR", "USD", "1.2"),
        ]
    )
    assert rates.between("EUR", "USD") == D("1.2")


def test_the_newest_day_wins_whichever_way_round_it_was_said():
    old, new = rate("USD", "EUR", "0.5", day=19), rate("EUR", "USD", "1.25")
    assert Rates([old, new]).between("USD", "EUR") == D("0.8")
    assert Rates([old, new]).between("EUR", "USD") == D("1.25")
    by_hand = rate("USD", "EUR", "0.5", by="manual")
    assert Rates([new, by_hand]).between("USD", "EUR") == D("0.8")
    as_new = rate("USD", "EUR", "0.75")
    assert Rates([new, as_new]).between("USD", "EUR") == D("0.75")
    assert Rates([new, as_new]).between("EUR", "USD") == D("1.25")


def test_a_rate_that_nobody_renews_any_more_gives_way_to_one_through_a_third():
    old = rate("CHF", "EUR", "0.5", day=1, by="manual")
    fresh = [rate("CHF", "USD", "1.1", day=9), rate("EUR", "USD", "1.25", day=9)]
    assert Rates([old, *fresh]).between("CHF", "EUR") == D("0.88")
    assert str(Rates([old, *fresh]).between("EUR", "CHF")).startswith("1.13636363636")
    # Within a week it may just not have been given yet.
    newer = rate("CHF", "EUR", "0.5", day=2, by="manual")
    assert Rates([newer, *fresh]).between("CHF", "EUR") == D("0.5")
    # What comes through a third currency is as old as the older one of the two.
    half = [fresh[0], rate("EUR", "USD", "1.25", day=8)]
    assert Rates([old, *half]).between("CHF", "EUR") == D("0.5")
    # Of several, the newest; a rate of 0 is none.
    others = [rate("CHF", "AUD", "1.5", day=3), rate("EUR", "AUD", "2", day=3)]
    nothing = [rate("CHF", "GBP", "0"), rate("EUR", "GBP", "0.8")]
    assert Rates([*others, *fresh]).between("CHF", "EUR") == D("0.88")
    assert Rates([old, *nothing]).between("CHF", "EUR") == D("0.5")
    assert Rates(nothing).between("CHF", "EUR") is None
    # Asked again, it is the same.
    rates = Rates([old, *fresh])
    assert rates.between("CHF", "EUR") == rates.between("CHF", "EUR") == D("0.88")


def test_of_two_rates_read_at_one_moment_it_is_always_the_same():
    two = [rate("EUR", "USD", "1.1", by="ecb"), rate("EUR", "USD", "1.2", by="ibkr")]
    assert Rates(two).between("EUR", "USD") == Rates(two[::-1]).between("EUR", "USD") == D("1.2")


def test_weights_of_longs_and_shorts():
    assert figures.weight(D("150"), D(1), D("100")) == D("1.5")
    assert figures.weight(D("-10"), D("1.25"), D("100")) == D("-0.125")
    assert figures.weight(None, D(1), D("100")) is None
    assert figures.weight(D(1), D(1), D("0")) is None
