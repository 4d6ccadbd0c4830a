"""What a start costs, and what a server holds: beside the libraries that it cannot do without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.measuring import ROOT, cpu_of_script, memory_of
from benchmarks.options import chosen
from benchmarks.processes import (
    Running,
    bare_server,
    connected,
    environ,
    gateway,
    scratch,
    server,
    synced,
)

BARE = "the same libraries and an empty application"
START = """
import time
from portfolio import create_app
create_app()
print(time.process_time())
"""
POSITIONS, PAGES, ROUNDS = 10_000, 1_000, 10
# What one page more or less of the allocator comes to.
SLACK = 1


def figures() -> Iterable[Figure]:
    """CPU of the start and of `--help`; memory at rest and after work."""
    with scratch() as folder:
        yield from _cpu(folder)
        yield from _memory(folder)


def _cpu(folder: Path) -> Iterator[Figure]:
    data, bare = folder / "cpu", [sys.executable, "-m", "benchmarks.bare", str(folder)]
    ours = [sys.executable, "-c", START]
    known = environ(data, "https://localhost:5001")
    pairs = [(_said(bare, known), _said(ours, known)) for _ in range(ROUNDS)]
    floor, spent = (min(column) for column in zip(*pairs[1:], strict=True))
    yield Figure("start: import and create_app, CPU", spent, "s", floor, BARE, 1.4)
    helped = cpu_of_script("-m", "portfolio.cli", "--help")
    yield Figure("foliosync --help, CPU", helped, "s", floor, f"a start of {BARE}", 0.3)


def _said(command: list[str], environment: dict[str, str]) -> float:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def _memory(folder: Path) -> Iterator[Figure]:
    positions, pages = (1_000, 200) if chosen().quick else (POSITIONS, PAGES)
    # Its first start makes the database; this is about all later ones.
    with server(folder / "data", "https://localhost:5001"):
        pass
    with (
        bare_server(folder) as bare,
        gateway(positions, "--no-limits") as broker,
        server(folder / "data", broker.url, JOBS="embedded") as ours,
    ):
        floor, held = _after(bare, "/", 1), _after(ours, "/healthz", 1)
        yield Figure("memory after the start", held, "MB", floor, BARE, 1.3)
        account = connected(ours)
        synced(ours, account)
        floor, held = _after(bare, "/", pages), _after(ours, account, pages)
        name = f"memory after a sync of {positions:,} rows and {pages:,} pages"
        yield Figure(name, held, "MB", floor, f"{BARE}, after as many", 1.6)
        later = _after(ours, account, pages)
        allowed = max(1.02, (held + SLACK) / held)
        yield Figure(f"memory after {pages:,} pages more", later, "MB", held, "before", allowed)


def _after(served: Running, path: str, pages: int) -> float:
    """Megabytes after so many pages."""
    for _ in range(pages):
        served.call("GET", path)
    return memory_of(served.pid)
