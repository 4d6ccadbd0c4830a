"""Each figure against a number worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest

from portfolio.accounts import figures
from portfolio.accounts.figures import Rates
from portfolio.accounts.models import CashBalance, Holding, Instrument, Rate

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


def cash(currency, amount, interest=None, dividends=None, futures=None):
    return CashBalance(
        currency=currency,
        amount=D(amount),
        accrued_interest=interest,
        accrued_dividends=dividends,
        futures_pnl=futures,
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


@pytest.mark.parametrize("missing", ["market_value", "unrealized_pnl", "average_price"])
def test_an_unknown_input_makes_the_cost_unknown(missing):
    values = {"market_value": "10", "unrealized_pnl": "1", "average_price": "9", missing: None}
    of = figures.figures(holding(source="ibkr", quantity="1", **values))
    assert of.cost is None
    assert of.unrealized_ratio is None


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


def test_totals_add_all_parts_and_name_what_they_are_without():
    rates = Rates([rate("EUR", "USD", "1.25")])
    held = [
        holding(quantity="10", price="20", average_price="15"),
        holding(currency="EUR", quantity="4", price="5", average_price="5"),
        holding(currency="CHF", quantity="1", price="7"),
        holding(quantity="1", price=None),
    ]
    money = [cash("USD", "-50", D("1.5"), D("2")), cash("EUR", "8"), cash("CHF", "0")]
    of = figures.totals("USD", held, money, rates)
    assert of.market_value == D("225")
    assert of.cash == D("-40")
    assert of.net_liquidation == D("188.5")
    assert of.exposure == D("225")
    assert of.incomplete == (
        "without 1 holding: no price",
        "without 1 holding: no rate for CHF",
        "P&L without 2 holdings: cost or price not known",
    )
    assert (of.unrealized_pnl, of.cost) == (D("50"), D("175"))
    assert of.by_kind == {"stock": D("225"), "cash": D("-36.5")}
    assert of.by_currency == {"EUR": D("35"), "USD": D("153.5")}


def test_a_total_of_unknowns_only_is_unknown():
    of = figures.totals("USD", [holding(quantity="1", price=None)], [], Rates([]))
    assert of.net_liquidation is None
    assert figures.totals("USD", [], [], Rates([])).net_liquidation == 0


def test_cash_without_a_rate_is_named():
    of = figures.totals("USD", [], [cash("CHF", "5"), cash("USD", "1")], Rates([]))
    assert of.net_liquidation == 1
    assert of.incomplete == ("without the CHF cash: no rate for CHF",)


def test_the_profit_of_futures_beside_the_cash_is_a_part_of_its_own():
    values = {"quantity": "1", "market_value": "5000", "unrealized_pnl": "9", "average_price": "1"}
    held = [holding("future", source="ibkr", **values)]
    money = [cash("USD", "100", futures=D("7")), cash("EUR", "0", futures=D("-4"))]
    of = figures.totals("USD", held, money, Rates([rate("EUR", "USD", "1.25")]))
    assert (of.net_liquidation, of.cash, of.market_value) == (D(102), D(100), D(0))
    assert of.by_kind == {"cash": D(100), "future": D(2)}
    assert of.by_currency == {"USD": D(107), "EUR": D(-5)}
    assert (of.unrealized_pnl, of.incomplete) == (D(9), ())


def test_the_profit_of_futures_without_a_rate_is_named():
    of = figures.totals("USD", [], [cash("EUR", "0", futures=D(3))], Rates([]))
    assert of.net_liquidation is None
    assert of.incomplete == ("without the EUR cash: no rate for EUR",)


@pytest.mark.parametrize("part", ["interest", "dividends"])
def test_what_is_accrued_without_a_rate_is_named(part):
    of = figures.totals("USD", [], [cash("SEK", "0", **{part: D(7)})], Rates([]))
    assert of.net_liquidation is None
    assert of.incomplete == ("without the SEK cash: no rate for SEK",)


def test_weights_of_longs_and_shorts():
    assert figures.weight(D("150"), D(1), D("100")) == D("1.5")
    assert figures.weight(D("-10"), D("1.25"), D("100")) == D("-0.125")
    assert figures.weight(None, D(1), D("100")) is None
    assert figures.weight(D(1), D(1), D("0")) is None
