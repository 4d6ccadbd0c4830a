"""Measure, print one table, and end with status 1 where a figure does not hold."""

from __future__ import annotations

import argparse
import os
import sys

from benchmarks.figures import Figure, Row
from benchmarks.modules import BY_HAND, MODULES, measured
from benchmarks.options import Options
from benchmarks.processes import apart
from benchmarks.table import as_markdown, as_text


def main() -> int:
    """Run what was named, or everything."""
    asked = _arguments()
    # What is installed has its bytecode beside it; without it each start would compile anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    Options(quick=asked.quick, full=asked.full, python=asked.python).pass_on()
    rows: list[Row] = []
    for name in asked.modules or MODULES:
        print(f"Measuring: {name}", file=sys.stderr, flush=True)
        # A process that nothing else was measured in.
        rows += apart(measured, name)
    print(as_markdown(rows) if asked.markdown else as_text(rows))
    failed = [row for row in rows if isinstance(row, Figure) and not row.holds]
    if failed:
        print(f"{len(failed)} of {len(rows)} figures do not hold.", file=sys.stderr)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = (*MODULES, *BY_HAND)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="small sizes: does all of it run?")
    parser.add_argument("--full", action="store_true", help="also what takes long")
    parser.add_argument("--markdown", action="store_true", help="as in docs/benchmarks.md")
    parser.add_argument("--python", default="", help="environment of the program to compare with")
    asked = parser.parse_args()
    for name in asked.modules:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
