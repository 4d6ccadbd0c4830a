"""The totals of an account against sums worked out by hand."""

from __future__ import annotations

import re
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.accounts import figures
from portfolio.accounts.figures import Rates
from portfolio.accounts.models import CashBalance
from portfolio.accounts.queries.totals import TOTAL_FIELDS
from portfolio.accounts.totals import totals
from tests.unit.portfolio.accounts.test_figures import holding, rate


def cash(currency, amount, interest=None, dividends=None, futures=None):
    return CashBalance(
        currency=currency,
        amount=D(amount),
        accrued_interest=interest,
        accrued_dividends=dividends,
        futures_pnl=futures,
    )


def test_totals_add_all_parts_and_name_what_they_are_without():
    rates = Rates([rate("EUR", "USD", "1.25")])
    held = [
        holding(quantity="10", price="20", average_price="15"),
        holding(currency="EUR", quantity="4", price="5", average_price="5"),
        holding(currency="CHF", quantity="1", price="7"),
        holding(quantity="1", price=None),
    ]
    money = [cash("USD", "-50", D("1.5"), D("2")), cash("EUR", "8"), cash("CHF", "0")]
    of = totals("USD", held, money, rates)
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


def test_what_is_in_percent_of_the_cost_is_the_profit_of_what_has_one():
    future = holding(kind="future", quantity="1", price="5100", average_price="5000")
    cfd = holding(kind="cfd", quantity="2", price="12", average_price="10")
    stock = holding(quantity="1", price="101", average_price="100")
    of = totals("USD", [future, cfd, stock], [], Rates([]))
    assert (of.unrealized_pnl, of.pnl_on_cost, of.cost) == (D(105), D(1), D(100))


def test_a_short_takes_nothing_away_from_what_a_profit_is_in_percent_of():
    long = holding(quantity="1", price="1050", average_price="1000")
    short = holding(quantity="-1", price="990", average_price="990")
    of = totals("USD", [long, short], [], Rates([]))
    assert (of.cost, of.pnl_on_cost, of.gross_cost) == (D(10), D(50), D(1990))
    of = totals("USD", [long], [], Rates([]))
    assert of.cost == of.gross_cost == D(1000)


def test_sizes_keep_every_digit():
    price = "12345678901234567890.12345678901234567891"
    short = holding(quantity="-1", price=price, average_price=price)
    of = totals("USD", [short], [], Rates([]))
    assert (of.exposure, of.gross_cost) == (D(price), D(price))


def test_a_cost_that_a_broker_does_not_say_is_named():
    values = {"quantity": "2", "market_value": "30", "unrealized_pnl": "5"}
    known = holding(source="ibkr", average_price="12.5", **values)
    for average in (None, "0"):
        row = holding(source="ibkr", average_price=average, **values)
        of = totals("USD", [known, row], [], Rates([]))
        assert (of.cost, of.gross_cost, of.pnl_on_cost) == (None, None, D(10))
        assert of.incomplete == ("cost without 1 holding: average price not known",)
    of = totals("USD", [known], [], Rates([]))
    assert (of.cost, of.gross_cost, of.incomplete) == (D(25), D(25), ())
    # Without a value it is named by that.
    row = holding(source="ibkr", quantity="2", unrealized_pnl="5")
    of = totals("USD", [row], [], Rates([]))
    assert (of.cost, of.incomplete) == (None, ("without 1 holding: no price",))


def test_the_profit_and_the_notional_of_futures_without_a_rate_are_named():
    stock = holding(quantity="1", price="101", average_price="100")
    future = holding("future", currency="EUR", quantity="1", price="5100", average_price="5000")
    of = totals("USD", [stock, future], [], Rates([]))
    assert (of.net_liquidation, of.unrealized_pnl, of.exposure) == (D(101), D(1), D(101))
    assert of.incomplete == (
        "exposure without 1 holding: no rate for EUR",
        "P&L without 1 holding: no rate for EUR",
    )
    of = totals("USD", [stock, future], [], Rates([rate("EUR", "USD", "2")]))
    assert (of.unrealized_pnl, of.exposure, of.incomplete) == (D(201), D(10301), ())


def test_what_is_not_known_of_a_cfd_is_named_by_its_cause():
    typed = holding("cfd", quantity="2", price="12")
    of = totals("USD", [typed], [], Rates([]))
    assert (of.net_liquidation, of.exposure) == (None, D(24))
    assert of.incomplete == (
        "without 1 holding: cost or price not known",
        "P&L without 1 holding: cost or price not known",
    )
    values = {"quantity": "2", "unrealized_pnl": "5", "average_price": "1"}
    brought = holding("cfd", source="ibkr", **values)
    of = totals("USD", [brought], [], Rates([]))
    assert (of.net_liquidation, of.exposure) == (D(5), None)
    assert of.incomplete == ("exposure without 1 holding: no price",)
    of = totals("USD", [holding("cfd", source="ibkr", market_value="9", **values)], [], Rates([]))
    assert (of.exposure, of.incomplete) == (D(9), ())


FIGURES = st.none() | st.decimals("-1e6", "1e6", places=4, allow_nan=False)
ROWS = st.builds(
    holding,
    kind=st.sampled_from(["stock", "future", "cfd", "option"]),
    currency=st.sampled_from(["USD", "EUR", "CHF"]),
    source=st.sampled_from(["manual", "ibkr"]),
    quantity=st.sampled_from(["-2", "3"]),
    average_price=FIGURES,
    price=FIGURES,
    market_value=FIGURES,
    unrealized_pnl=FIGURES,
)


def one_by_one(parts):
    """A total of parts, None for an unknown one, as somebody would add them up by hand."""
    known = [part for part in parts if part is not None]
    return None if parts and not known else sum(known, D(0))


def missing(of, sum_of):
    """How many holdings a sum is said to be without."""
    told = [re.fullmatch(rf"{sum_of}without (\d+) holdings?: .*", line) for line in of.incomplete]
    return sum(int(found[1]) for found in told if found)


@given(st.lists(ROWS, max_size=8))
def test_totals_by_groups_are_those_of_the_rows_one_by_one(rows):
    rates = Rates([rate("EUR", "USD", "1.0731")])
    each = [(figures.figures(row), row.instrument) for row in rows]
    at = [rates.between(what.currency, "USD") for _, what in each]
    size = [of.value if of.counts_in_value else of.notional for of, _ in each]
    counts = [figures.product(of.counts, r) for (of, _), r in zip(each, at, strict=True)]
    value = [c for c, (_, what) in zip(counts, each, strict=True) if what.kind != "future"]
    profit = [figures.product(of.unrealized_pnl, r) for (of, _), r in zip(each, at, strict=True)]
    cost = [
        figures.product(of.cost, r)
        for (of, _), r in zip(each, at, strict=True)
        if of.counts_in_value and of.unrealized_pnl is not None
    ]
    found = totals("USD", rows, [], rates)
    assert found.market_value == found.net_liquidation == one_by_one(value)
    assert found.unrealized_pnl == one_by_one(profit)
    assert found.cost == (None if None in cost else one_by_one(cost))
    on_cost = [
        part
        for part, (of, _) in zip(profit, each, strict=True)
        if of.counts_in_value and of.unrealized_pnl is not None
    ]
    assert found.pnl_on_cost == (None if None in on_cost else one_by_one(on_cost))
    assert found.exposure == one_by_one(
        [figures.product(s if s is None else abs(s), r) for s, r in zip(size, at, strict=True)]
    )
    for shown, name in (found.by_kind, "kind"), (found.by_currency, "currency"):
        wanted: dict[str, D] = {}
        for counted, (_, what) in zip(counts, each, strict=True):
            if counted:
                of = getattr(what, name)
                wanted[of] = wanted.get(of, D(0)) + counted
        assert shown == wanted
        assert list(shown.values()) == sorted(shown.values(), reverse=True)
    # Of what is in the value, the sentence about that names its rate for all sums.
    beside = [s for s, (of, _) in zip(size, each, strict=True) if not of.counts_in_value]
    rates_beside = [r for r, (of, _) in zip(at, each, strict=True) if not of.counts_in_value]
    assert missing(found, "") == value.count(None)
    assert missing(found, "P&L ") == sum(
        of.unrealized_pnl is None or (what.kind == "future" and r is None)
        for (of, what), r in zip(each, at, strict=True)
    )
    assert missing(found, "exposure ") == sum(
        None in known for known in zip(beside, rates_beside, strict=True)
    )


def test_a_total_of_unknowns_only_is_unknown():
    of = totals("USD", [holding(quantity="1", price=None)], [], Rates([]))
    assert of.net_liquidation is None
    assert totals("USD", [], [], Rates([])).net_liquidation == 0


def test_cash_without_a_rate_is_named():
    of = totals("USD", [], [cash("CHF", "5"), cash("USD", "1")], Rates([]))
    assert of.net_liquidation == 1
    assert of.incomplete == ("without the CHF cash: no rate for CHF",)


def test_the_profit_of_futures_beside_the_cash_is_a_part_of_its_own():
    values = {"quantity": "1", "market_value": "5000", "unrealized_pnl": "9", "average_price": "1"}
    held = [holding("future", source="ibkr", **values)]
    money = [cash("USD", "100", futures=D("7")), cash("EUR", "0", futures=D("-4"))]
    of = totals("USD", held, money, Rates([rate("EUR", "USD", "1.25")]))
    assert (of.net_liquidation, of.cash, of.market_value) == (D(102), D(100), D(0))
    assert of.by_kind == {"cash": D(100), "future": D(2)}
    assert of.by_currency == {"USD": D(107), "EUR": D(-5)}
    assert (of.unrealized_pnl, of.incomplete) == (D(9), ())


def test_the_profit_of_futures_without_a_rate_is_named():
    of = totals("USD", [], [cash("EUR", "0", futures=D(3))], Rates([]))
    assert of.net_liquidation is None
    assert of.incomplete == ("without the EUR cash: no rate for EUR",)


def test_of_what_was_never_read_nothing_is_known():
    of = totals("USD", [], [], Rates([]), unread=True)
    sums = {name for name in TOTAL_FIELDS if name not in {"currency", "by_kind", "by_currency"}}
    assert {getattr(of, name) for name in sums} == {None}
    assert (of.by_kind, of.by_currency) == ({}, {})
    assert of.incomplete == ("without what the broker holds now: never read yet",)


def test_what_is_kept_beside_what_was_never_read_counts_and_is_a_part():
    held = [
        holding(quantity="2", price="5", average_price="4"),
        holding(currency="CHF", quantity="1", price="7"),
    ]
    of = totals("USD", held, [cash("USD", "3")], Rates([]), unread=True)
    assert (of.net_liquidation, of.market_value, of.cash) == (D(13), D(10), D(3))
    assert (of.unrealized_pnl, of.cost, of.exposure) == (D(2), D(8), D(10))
    assert (of.accrued_interest, of.accrued_dividends) == (None, None)
    assert of.incomplete == (
        "without what the broker holds now: never read yet",
        "without 1 holding: no rate for CHF",
        "P&L without 1 holding: cost or price not known",
    )


@pytest.mark.parametrize("part", ["interest", "dividends"])
def test_what_is_accrued_without_a_rate_is_named(part):
    of = totals("USD", [], [cash("SEK", "0", **{part: D(7)})], Rates([]))
    assert of.net_liquidation is None
    assert of.incomplete == ("without the SEK cash: no rate for SEK",)
