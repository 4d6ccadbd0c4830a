"""The one table of a run, for a terminal or for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, Row, Unmeasured

HEAD = ("figure", "measured", "floor", "ratio", "bound", "", "floor is")
LEFT = (0, 5, 6)


def as_text(rows: Iterable[Row]) -> str:
    """Columns for a terminal; what could not be measured and notes stand below."""
    cells = [HEAD, *(_cells(row) for row in rows if isinstance(row, Figure))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if number in LEFT else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([*lines, *_below(rows)])


def as_line(row: Row) -> str:
    """A figure as it is told while others are still measured."""
    if isinstance(row, Unmeasured):
        return f"{row.name}: not measured"
    return ", ".join(filter(None, _cells(row)[:6]))


def as_markdown(rows: Sequence[Row]) -> str:
    """The same as a table of docs/benchmarks.md, with date and machine."""
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine()}.",
        "",
        f"| {' | '.join(HEAD)} |",
        "|---|---:|---:|---:|---:|---|---|",
        *(f"| {' | '.join(_cells(row))} |" for row in rows if isinstance(row, Figure)),
        "",
        *(f"- {line}" for line in _below(rows)),
    ]
    return "\n".join(lines).rstrip()


def machine() -> str:
    """Processors, their kind, and Python."""
    return (
        f"{os.cpu_count()} × {_processor()} ({platform.system()} {platform.machine()}), "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "a processor without a name")


def _below(rows: Iterable[Row]) -> list[str]:
    return [
        f"{row.name}: not measured: {row.why}"
        if isinstance(row, Unmeasured)
        else f"{row.name}: {row.note}"
        for row in rows
        if isinstance(row, Unmeasured) or row.note
    ]


def _cells(row: Figure) -> tuple[str, ...]:
    sign = "≥" if row.times_faster else "≤"
    return (
        row.name,
        f"{_plain(row.value)} {row.unit}".rstrip(),
        "" if row.floor is None else f"{_plain(row.floor)} {row.unit}".rstrip(),
        "" if row.floor is None else f"{row.ratio:.2f}",
        "" if row.bound is None else f"{sign} {row.bound:g}",
        "" if row.bound is None else "holds" if row.holds else "DOES NOT HOLD",
        row.floor_is,
    )


def _plain(number: float) -> str:
    """Three digits that matter; a count as it is."""
    if number == int(number) and abs(number) < 1e6:
        return f"{int(number):,}"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:#.3g}".rstrip(".")
