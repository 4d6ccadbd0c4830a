"""The geometry of charts: pure functions from figures to the coordinates of an SVG.

Coordinates are only looked at; every chart stands beside a table with the exact figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portfolio.db.base import MONEY

# The box of a chart, in units of its own.
WIDTH, HEIGHT = Decimal(600), Decimal(120)
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
    """A line of values over time, as the `points` of an SVG polyline; gaps begin a new one."""

    pieces: tuple[str, ...]
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
    days = Decimal(max(1, (last - first).days))
    unit = MONEY.divide(HEIGHT, high - low) if high > low else Decimal(0)
    pieces: list[list[str]] = [[]]
    for day, value in values:
        if value is None:
            pieces.append([])
            continue
        x = _point(WIDTH * (day - first).days / days)
        y = _point(HEIGHT - (value - low) * unit) if unit else _point(HEIGHT / 2)
        pieces[-1].append(f"{x},{y}")
    return Line(
        pieces=tuple(" ".join(piece) for piece in pieces if piece),
        first=first,
        last=last,
        low=low,
        high=high,
    )


def _point(value: Decimal) -> Decimal:
    return value.quantize(CENT)
