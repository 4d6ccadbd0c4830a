"""The geometry of charts: pure functions from figures to the coordinates of an SVG.

Coordinates are only looked at; every chart stands beside a table with the exact figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portfolio.db.base import MONEY

# How high a line is, in units of its own: some to each pixel.
HEIGHT = 480
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One part of a whole: a bar to the right of the axis, or to the left where it is negative."""

    label: str
    value: Decimal
    share: Decimal | None
    x: Decimal
    width: Decimal


def bars(parts: Mapping[str, Decimal], whole: Decimal | None) -> tuple[Bar, ...]:
    """Long and short bars over one axis in a box of width 100; `share` is of the whole."""
    longest = max((value for value in parts.values()), default=Decimal(0))
    shortest = min((value for value in parts.values()), default=Decimal(0))
    low, high = min(shortest, Decimal(0)), max(longest, Decimal(0))
    unit = MONEY.divide(Decimal(100), high - low) if high > low else Decimal(0)
    axis = -low * unit
    return tuple(
        Bar(
            label=label,
            value=value,
            share=MONEY.divide(value, whole) if whole and whole > 0 else None,
            x=_point(axis + min(value, Decimal(0)) * unit),
            width=_point(abs(value) * unit),
        )
        for label, value in parts.items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of values over time: the path of an SVG of `days` by `HEIGHT`; gaps interrupt it."""

    path: str
    days: int
    first: date
    last: date
    low: Decimal
    high: Decimal


def line(values: Sequence[tuple[date, Decimal | None]]) -> Line | None:
    """A line through what is known, or None where that is less than two days."""
    known = [value for _, value in values if value is not None]
    if len(known) < 2:
        return None
    first, last = values[0][0], values[-1][0]
    low, high = min(known), max(known)
    unit = HEIGHT / (high - low) if high > low else Decimal(0)
    path, drawing, x, y = "", False, 0, 0
    for day, value in values:
        if value is None:
            drawing = False
            continue
        to = (day - first).days, HEIGHT - round((value - low) * unit) if unit else HEIGHT // 2
        # A point between two gaps is a dot; steps are shorter than places.
        path += f" {to[0] - x} {to[1] - y}" if drawing else f"M{to[0]} {to[1]}l0 0"
        drawing, (x, y) = True, to
    days = max(1, (last - first).days)
    return Line(path=path, days=days, first=first, last=last, low=low, high=high)


def _point(value: Decimal) -> Decimal:
    return value.quantize(CENT)
