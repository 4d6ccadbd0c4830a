from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.db.base import canonical
from portfolio.web import filters


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (D("1234567.885"), "1,234,567.88"),
        (D("-0.004"), "0.00"),
        (D("-1234.5"), "−1,234.50"),
        (D("1E+30"), "1" + ",000" * 10 + ".00"),
        (None, "—"),
    ],
)
def test_money(value, shown):
    assert filters.money(value) == shown


def test_quantities_keep_all_digits():
    assert filters.quantity(D("1250.50000")) == "1,250.5"
    assert filters.quantity(D("0.00000001")) == "0.00000001"
    assert filters.quantity(D("-3")) == "−3"


@given(st.decimals(-(10**20), 10**20, places=8) | st.decimals("-1e9", "1e9"))
def test_a_quantity_is_its_canonical_text_with_its_thousands_grouped(value):
    plain = f"{D(canonical(value)):,f}"
    assert filters.quantity(value) == plain.replace("-", "−")


def test_signs_are_printed():
    assert filters.signed(D("3")) == "+3.00"
    assert filters.signed(D("0")) == "0.00"
    assert filters.percent(D("-0.1234")) == "−12.3 %"
    assert filters.sign_class(D("-1")) == "figure negative"
    assert filters.sign_class(None) == "figure"


ZONE = ZoneInfo("Europe/Zurich")
NOW = datetime(2026, 11, 24, 13, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 11, 24, 13, 7, tzinfo=UTC), "14:07, just now"),
        (datetime(2026, 11, 24, 13, 5, tzinfo=UTC), "14:05, 2 min ago"),
        (datetime(2026, 11, 24, 9, 0, tzinfo=UTC), "10:00"),
        (datetime(2026, 11, 23, 21, 0, tzinfo=UTC), "yesterday 22:00"),
        (datetime(2026, 11, 20, 21, 0, tzinfo=UTC), "Friday 22:00"),
        (datetime(2026, 11, 18, 9, 0, tzinfo=UTC), "Wednesday 10:00"),
        (datetime(2026, 11, 17, 21, 0, tzinfo=UTC), "Tue 17 Nov 26, 22:00"),
        (datetime(2026, 11, 26, 21, 0, tzinfo=UTC), "Thu 26 Nov 26, 22:00"),
        (datetime(2026, 11, 24, 13, 9, tzinfo=UTC), "14:09"),
        (None, "never"),
    ],
)
def test_times_are_said_as_people_say_them(moment, shown):
    assert filters.when(moment, NOW, ZONE) == shown


@pytest.mark.parametrize(
    ("days", "kind", "shown"),
    [
        (-1, "option", "expired"),
        (-1, "bill", "matured"),
        (0, "option", "expires today"),
        (1, "bond", "matures tomorrow"),
        (2, "option", "expires in 2 days"),
    ],
)
def test_how_soon_something_ends(days, kind, shown):
    assert filters.days_left(days, kind) == shown


def test_a_day_that_is_not_known_is_said():
    assert filters.day(None) == "—"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Only with `AUTH=password`.", "Only with <code>AUTH=password</code>."),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("no code", "no code"),
        ("`<script>` & <b>", "<code>&lt;script&gt;</code> &amp; &lt;b&gt;"),
        ('<img src="`x`">', "&lt;img src=&#34;<code>x</code>&#34;&gt;"),
        ("`{0}` {0}", "<code>{0}</code> {0}"),
        ("one ` alone <b>", "one ` alone &lt;b&gt;"),
    ],
)
def test_code_in_a_sentence_is_marked_and_everything_escaped(text, shown):
    assert filters.inline_code(text) == shown


def test_a_path_may_break_at_its_joints_and_is_escaped():
    assert filters.jointed("/srv/<b>/x") == "/<wbr>srv/<wbr>&lt;b&gt;/<wbr>x"
    assert filters.jointed("https://a.example/b") == "https://a.example/<wbr>b"
    assert filters.jointed("—") == "—"
