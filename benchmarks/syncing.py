"""Whole syncs by the real runner and the real database, through the simulator."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from benchmarks import naive, shortest
from benchmarks.accounts import application, linked, sync
from benchmarks.figures import Figure, MissingPrerequisite, Row, Unmeasured
from benchmarks.measuring import cpu, exponent, forget_peak, memory_of, wall
from benchmarks.options import chosen
from benchmarks.processes import (
    LARGE,
    Running,
    calls_of,
    connected,
    control,
    empty_database,
    gateway,
    postgres,
    scratch,
    server,
    synced,
)
from brokers.ibkr import MANIFEST

POSITIONS = 10_000
LATENCY = 0.08
ROUNDS = 3
# The account list may be asked for once in five seconds; connecting has asked for it.
AFTER_CONNECTING = 6
MOST_MEGABYTES = 25
SHORTEST = "the shortest script: the pages, msgspec, raw sqlite3"
NOTHING_NEW = "none new"
# What a sync finds, in this order, and what is done at the broker before.
FOUND: dict[str, dict[str, str] | None] = {
    "all new": None,
    NOTHING_NEW: None,
    "all prices moved": {"action": "move", "percent": "1"},
    "one share in 20 bought": {"action": "buy", "account": LARGE, "every": "20"},
}
# The last one is close to what the gateway's pages hold.
SIZES = (1_000, 3_000, 10_000, 19_000)
# Syncs of a server one after the other. Of ten, one reads the pages and compares both lists.
STAGES = (
    ("first sync", "all new", 1),
    ("second sync", NOTHING_NEW, 1),
    ("ten more", "all prices moved", 10),
    ("three more", "one share in 20 bought", 3),
)


def figures() -> Iterable[Row]:
    """Time at the pace of the gateway, CPU beside floors, memory, and growth."""
    positions = 1_000 if chosen().quick else POSITIONS
    least = yield from _unpaced(positions)
    yield _paced(positions, least)
    yield from _memory(positions)
    yield from _growth()


def _paced(positions: int, least: float) -> Figure:
    """Seconds of a first sync against those that the calls must take, and the shortest script."""
    with (
        gateway(positions, "--latency", str(LATENCY * 1000)) as broker,
        scratch() as folder,
        application(folder / "data", broker.url) as app,
    ):
        place = linked(app)
        time.sleep(AFTER_CONNECTING)
        before = calls_of(broker)
        spent = wall(partial(sync, app, place), rounds=1)
        calls = calls_of(broker) - before
    pace = next(limit for limit in MANIFEST.limits if limit.endpoint == "*")
    paced = (calls - 1) // pace.calls * pace.seconds + LATENCY
    return Figure(
        f"sync, {positions:,} rows, {LATENCY * 1000:.0f} ms an answer, limits on",
        spent,
        "s",
        max(calls * LATENCY, paced) + least,
        f"its {calls} calls by latency and pace, and the shortest script",
        1.05,
    )


def _unpaced(positions: int) -> Generator[Figure, None, float]:
    """CPU of syncs that find this and that; returns the seconds of the shortest script.

    Script and sync take turns, so that both have met the computer at its quickest.
    """
    with gateway(positions, "--no-limits") as broker, scratch() as folder:
        plain = shortest.Gateway(broker.url)
        slow = _spent_by(broker, partial(naive.sync, plain, LARGE, folder / "naive.db"))
        rounds = []
        for number in range(ROUNDS):
            with application(folder / f"{number}", broker.url, paced=False) as app:
                script = partial(_shortest, plain, folder / f"{number}.db")
                rounds.append(_spent_by(broker, script, partial(sync, app, linked(app))))
        least = wall(partial(_shortest, plain, folder / "wall.db"), 1)
    for found in FOUND:
        floor, ours = map(min, zip(*(each[found] for each in rounds), strict=True))
        yield from _compared(f"sync, {positions:,} rows, {found}", ours, floor, *slow[found])
    return least


def _spent_by(broker: Running, *programs: Callable[[], object]) -> dict[str, list[float]]:
    """CPU of programs by what a sync of theirs finds at the broker, from the first one on."""
    spent = {}
    for found, change in FOUND.items():
        if change is not None:
            control(broker, **change)
        # What finds nothing new can be asked again.
        rounds = ROUNDS if found == NOTHING_NEW else 1
        spent[found] = [cpu(program, rounds) for program in programs]
    return spent


def _compared(name: str, spent: float, floor: float, slow: float) -> Iterator[Figure]:
    naively = "row by row through an ORM"
    yield Figure(f"{name}, CPU", spent, "s", floor, SHORTEST, 3)
    yield Figure(f"{name}, times faster", spent, "s", slow, naively, 15, times_faster=True)


def _shortest(plain: shortest.Gateway, file: Path) -> None:
    shortest.store(file, shortest.parse(plain.pages(LARGE)))


def _first(broker: Running, database: Callable[[], AbstractContextManager[str | None]]) -> float:
    """CPU of a first sync in a database that is empty."""
    with scratch() as folder, database() as url:
        settings = {"DATABASE_URL": url} if url else {}
        with application(folder / "data", broker.url, paced=False, **settings) as app:
            return cpu(partial(sync, app, linked(app)), 1)


def _memory(positions: int) -> Iterator[Figure]:
    """The most that the server held while it synced, above what it held before the first sync."""
    with scratch() as folder, gateway(positions, "--no-limits") as broker:
        with server(folder / "data", broker.url):
            # Its first start makes the database, for which it loads what later ones do not.
            pass
        with server(folder / "data", broker.url) as ours:
            url = connected(ours)
            ours.call("GET", url)
            idle = memory_of(ours.pid)
            for which, found, count in STAGES:
                forget_peak(ours.pid)
                for _ in range(count):
                    change = FOUND[found]
                    if change is not None:
                        control(broker, **change)
                    synced(ours, url)
                more = memory_of(ours.pid, "VmHWM") - idle
                name = f"{which}, {positions:,} rows, {found}, memory above idle"
                yield Figure(name, more, "MB", None, "", MOST_MEGABYTES)


def _growth() -> Iterator[Row]:
    yield _grown("SQLite", nullcontext)
    try:
        with postgres() as url:
            yield _grown("PostgreSQL", partial(empty_database, url))
    except MissingPrerequisite as missing:
        yield Unmeasured("sync, growth of CPU, PostgreSQL", str(missing))


def _grown(name: str, database: Callable[[], AbstractContextManager[str | None]]) -> Figure:
    """How CPU grows with the number of rows; each size in a database that is empty."""
    sizes = SIZES[:2] if chosen().quick else SIZES
    spent = {}
    for positions in sizes:
        with gateway(positions, "--no-limits") as broker:
            spent[positions] = min(_first(broker, database) for _ in range(ROUNDS))
    note = ", ".join(f"{of:.2f} s for {size:,}" for size, of in spent.items())
    range_ = f"{sizes[0]:,} to {sizes[-1]:,} rows"
    return Figure(
        f"sync, growth of CPU, {range_}, {name}", exponent(spent), "", None, "", 1.1, note
    )
