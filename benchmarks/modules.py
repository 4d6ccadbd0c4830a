"""The modules of measurements, each with `figures()`, and how one is run."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module

from benchmarks.figures import Figure, MissingPrerequisite, Row, Unmeasured
from benchmarks.table import as_line

# What `make bench` runs.
MODULES = ("start", "reading", "storing", "syncing", "pages", "beside", "decade", "growth")
# By hand: it needs an environment with the other program.
BY_HAND = ("fava",)


def measured(name: str) -> list[Row]:
    """The figures of one module; what is missing or breaks is a row that says so."""
    rows: list[Row] = []
    try:
        figures: Callable[[], Iterable[Row]] = import_module(f"benchmarks.{name}").figures
        for row in figures():
            rows.append(row)
            print(f"  {as_line(row)}", file=sys.stderr, flush=True)
    except MissingPrerequisite as missing:
        rows.append(Unmeasured(name, str(missing)))
    except Exception:  # noqa: BLE001
        # One broken measurement must not hide the others; it does not hold.
        traceback.print_exc()
        rows.append(Figure(f"{name} (broke off)", 1, "", None, "", 0))
    return rows
