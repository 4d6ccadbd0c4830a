from __future__ import annotations

from datetime import date
from decimal import Decimal as D

from portfolio.web.charts import bars, line


def test_longs_and_shorts_share_one_axis():
    long, short = bars({"etf": D(300), "option": D(-100)}, D(200))
    assert (long.x, long.width, long.share) == (D("25.00"), D("75.00"), D("1.5"))
    assert (short.x, short.width, short.share) == (D("0.00"), D("25.00"), D("-0.5"))


def test_a_share_of_nothing_is_unknown():
    (bar,) = bars({"cash": D(0)}, D(0))
    assert (bar.share, bar.width) == (None, D("0.00"))
    assert bars({}, None) == ()


def test_a_line_breaks_where_a_value_is_unknown():
    days = [date(2026, 11, day) for day in (1, 2, 3, 5)]
    drawn = line(list(zip(days, [D(10), None, D(20), D(30)], strict=True)))
    assert (drawn.path, drawn.days) == ("M0 480l0 0M2 240l0 0 2 -240", 4)
    assert (drawn.low, drawn.high) == (D(10), D(30))
    assert line([(days[0], D(1))]) is None


def test_a_flat_line_is_in_the_middle():
    drawn = line([(date(2026, 1, 1), D(5)), (date(2026, 1, 2), D(5))])
    assert (drawn.path, drawn.days) == ("M0 240l0 0 1 0", 1)
