"""What a figure of the benchmarks comes to, and what their table says of it."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figure, Unmeasured
from benchmarks.measuring import exponent
from benchmarks.table import as_markdown, as_text


@pytest.mark.parametrize(
    ("value", "floor", "bound", "times_faster", "ratio", "holds"),
    [
        (1.4, 1.0, 1.4, False, 1.4, True),
        (1.5, 1.0, 1.4, False, 1.5, False),
        (0.5, 50.0, 100, True, 100, True),
        (0.6, 50.0, 100, True, 50 / 0.6, False),
        (24.0, None, 25, False, 24.0, True),
        (26.0, None, 25, False, 26.0, False),
        (9.0, 1.0, None, False, 9.0, True),
    ],
)
def test_a_figure_holds_within_its_bound(value, floor, bound, times_faster, ratio, holds):
    figure = Figure("x", value, "s", floor, "a script", bound, times_faster=times_faster)
    assert figure.ratio == pytest.approx(ratio)
    assert figure.holds == holds


def test_the_exponent_of_growth_is_that_of_the_power():
    for power in (0.5, 1, 2):
        grown = {size: 0.003 * size**power for size in (100, 1_000, 7_000)}
        assert exponent(grown) == pytest.approx(power)


ROWS = (
    Figure("good", 1, "s", 1, "a script", 2),
    Figure("bad", 12.345, "MB", None, "", 3, "because"),
    Unmeasured("missing", "PostgreSQL is not installed"),
)


@pytest.mark.parametrize("shown", [as_text, as_markdown])
def test_a_table_says_what_holds_what_does_not_and_what_was_not_measured(shown):
    lines = shown(ROWS).splitlines()
    ends = ("bad: because", "missing: not measured: PostgreSQL is not installed")
    assert [line for line in lines if "good" in line and " holds" in line]
    assert [line for line in lines if "bad" in line and "DOES NOT HOLD" in line]
    for end in ends:
        assert [line for line in lines if line.endswith(end)]
