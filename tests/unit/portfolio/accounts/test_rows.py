"""Headings and rows of holdings are those of plain templates, whatever stands in them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from brokers.types import Kind
from portfolio.accounts.queries.order import SORTS, Wanted
from portfolio.accounts.resources import AccountView, HoldingView, InstrumentView
from portfolio.accounts.rows import HoldingHeads, HoldingRows, share_of
from portfolio.web import filters

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 27, 14, 5, tzinfo=UTC)
NASTY = "<b>&\"'`{{ 7 }}</b>"


@pytest.fixture(scope="module")
def template():
    app = Flask(__name__)
    app.jinja_options = {"lstrip_blocks": True}
    filters.register(app)
    app.add_template_filter(share_of)
    return lambda name: app.jinja_env.from_string((HERE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plain(template):
    return template("plain_rows.html")


@pytest.fixture(scope="module")
def plain_heads(template):
    return template("plain_heads.html")


numbers = st.decimals(-(10**12), 10**12, places=6)
known = st.none() | numbers
moments = st.none() | st.datetimes(
    datetime(2026, 11, 1), datetime(2026, 11, 30), timezones=st.just(UTC)
)
texts = st.text(max_size=12) | st.just(NASTY)
instruments = st.builds(
    InstrumentView,
    id=st.just(1),
    symbol=texts,
    name=st.none() | texts,
    kind=st.sampled_from([*map(str, Kind), NASTY]),
    currency=st.sampled_from(["USD", "EUR", NASTY]),
    multiplier=st.sampled_from([D(1), D(100), D("0.01"), D("1.0")]),
    identifiers=st.just({}),
    source=st.just("ibkr"),
    expiry=st.none() | st.dates(date(2020, 1, 1), date(2040, 1, 1)),
    strike=st.none() | numbers,
    right=st.sampled_from([None, "call", "put"]),
)


@st.composite
def holdings(draw):
    of = draw(instruments)
    return HoldingView(
        id=draw(st.integers(1, 10**9)),
        instrument=of,
        quantity=draw(numbers),
        average_price=draw(known),
        cost=draw(known | st.just(D(0))),
        price=draw(known),
        market_value=draw(known),
        notional=draw(known),
        counts_in_value=of.kind not in ("future", "cfd"),
        unrealized_pnl=draw(known),
        quoted_at=draw(moments),
        rate=draw(known),
        weight=draw(known),
        currency=of.currency,
        source=draw(st.sampled_from(["manual", "ibkr"])),
        editable=True,
        days_left=draw(st.none() | st.integers(-3, 90)),
        notes=draw(st.none() | texts),
        closed_at=None,
    )


def account(shared_by=None, currency="USD", synced_at=None):
    return AccountView(
        id=1,
        portfolio_id=1,
        name="A",
        slug="A",
        currency=currency,
        mode="manual",
        notes=None,
        synced_at=synced_at,
        stale=False,
        attention_code=None,
        shared_by=shared_by,
    )


@given(
    rows=st.lists(holdings(), max_size=4),
    whose=st.tuples(st.sampled_from([None, "Ada"]), st.sampled_from(["USD", NASTY]), moments),
    largest=st.sampled_from([D(0), D("0.5"), D(10**12)]),
    inner=st.booleans(),
    beside=st.frozensets(st.sampled_from(["USD", NASTY])),
)
def test_rows_are_those_of_a_plain_template(plain, rows, whose, largest, inner, beside):
    of = account(*whose)
    written = HoldingRows(rows, of, "A%20B", largest, NOW, UTC, inner, beside).__html__()
    around = {"at": "A%20B", "largest": largest, "now": NOW, "zone": UTC, "inner": inner}
    template = plain.render(rows=rows, account=of, futures_beside=beside, **around)
    # Both ways to write a quotation mark mean the same.
    assert written == template.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


def row(**values):
    told = {"kind": "stock", "source": "manual", "currency": "USD", "counts_in_value": True}
    told |= {"average_price": D(1), "price": D(1), "cost": D(1), "market_value": D(1)}
    told |= {"unrealized_pnl": D(0), "rate": D(1)} | values
    return SimpleNamespace(**told, instrument=SimpleNamespace(kind=told["kind"]))


@pytest.mark.parametrize(
    ("figure", "values", "reason"),
    [
        ("value", {"price": None}, "no price"),
        ("value", {}, "value not known"),
        ("cost", {"average_price": None}, "average price not known"),
        ("cost", {"average_price": D(0)}, "average price not known"),
        ("cost", {"source": "ibkr"}, "value or P&L not known"),
        ("profit", {"price": None}, "no price"),
        ("profit", {"average_price": None}, "average price not known"),
        ("profit", {"source": "ibkr"}, "not known"),
        ("percent", {"unrealized_pnl": None}, "P&L not known"),
        ("percent", {"cost": None}, "cost not known"),
        ("percent", {"cost": D(0)}, "cost is 0"),
        ("weight", {"kind": "future", "counts_in_value": False}, "does not count in value"),
        (
            "weight",
            {"kind": "cfd", "counts_in_value": False, "unrealized_pnl": None},
            "P&L not known",
        ),
        ("weight", {"market_value": None}, "value not known"),
        ("weight", {"rate": None}, "no rate for USD"),
        ("weight", {}, "total not known, or not above 0"),
    ],
)
def test_the_reason_for_a_dash_is_what_is_missing(figure, values, reason):
    assert getattr(HoldingView, f"why_no_{figure}").fget(row(**values)) == reason


@pytest.mark.parametrize(
    ("weight", "largest", "percent"),
    [("-0.5", "1", "50"), ("2", "1", "100"), ("0", "0", "100"), ("0.004", "1", "0")],
)
def test_a_bar_is_as_long_as_its_share_of_the_longest(weight, largest, percent):
    assert str(share_of(D(weight), D(largest))) == percent


def test_a_template_takes_them_as_they_are():
    rows = HoldingRows((), account(), NASTY, D(0), NOW, UTC)
    assert escape(rows) == ""


@given(
    sort=st.sampled_from([*SORTS, *(f"-{name}" for name in SORTS)]),
    text=texts,
    kind=st.sampled_from(["", "stock", NASTY]),
    group=st.booleans(),
    start=st.sampled_from([0, 50]),
)
def test_headings_are_those_of_a_plain_template(plain_heads, sort, text, kind, group, start):
    wanted = Wanted(sort=sort, text=text, kind=kind, group=group, start=start)
    assert HoldingHeads(wanted).__html__() == plain_heads.render(wanted=wanted).strip()
