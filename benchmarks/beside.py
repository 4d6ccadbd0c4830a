"""Pages while syncs run: how long one takes beside a large account, and whether any fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import quantiles

import requests

from benchmarks.figures import Figure, Row
from benchmarks.measuring import percentiles, wall
from benchmarks.options import chosen
from benchmarks.pages import asking
from benchmarks.processes import LARGE, Running, connected, gateway, scratch, server, synced

POSITIONS, ACCOUNTS = 10_000, 3
LATENCY = 0.08
# A sync asks for the accounts of the gateway, which may be done once in five seconds.
BETWEEN_SYNCS = 6
SYNCS, READERS = 1_000, 4


def figures() -> Iterable[Row]:
    """Seconds of a page beside first syncs and later ones, against those of an idle server."""
    positions = 1_000 if chosen().quick else POSITIONS
    options = ("--latency", f"{LATENCY * 1000:.0f}", "--accounts", str(ACCOUNTS))
    with (
        scratch() as folder,
        gateway(positions, *options) as broker,
        server(folder / "data", broker.url) as ours,
    ):
        accounts = [connected(ours, f"{LARGE[:-1]}{of}", f"A{of}") for of in range(ACCOUNTS)]
        page = accounts[0]
        synced(ours, page)
        with asking(ours, page) as one_page:
            percentiles(one_page, 100)
            _, idle, _ = percentiles(one_page, 400)
        first = _during(ours, page, [partial(synced, ours, of) for of in accounts[1:]])
        later = _during(ours, page, [partial(synced, ours, page)] * 5)
    for name, spent in (("first syncs", first), ("later syncs", later)):
        what = f"account page while {positions:,} rows are synced, {name}, p95"
        note = f"of {len(spent)} pages"
        yield Figure(what, quantiles(spent, n=100)[94], "s", idle, "an idle server", 2, note)
    if chosen().full:
        yield _failures()


def _during(served: Running, page: str, syncs: list[Callable[[], object]]) -> list[float]:
    """Seconds of each page that was asked for while one of the syncs ran."""
    spent: list[float] = []
    with asking(served, page) as one_page:
        for sync in syncs:
            time.sleep(BETWEEN_SYNCS)
            thread = threading.Thread(target=sync)
            thread.start()
            while thread.is_alive():
                spent.append(wall(one_page, 1))
            thread.join()
    return spent


def _failures() -> Figure:
    """How many of many syncs and of the pages beside them fail, in whatever way."""
    count = 20 if chosen().quick else SYNCS
    with scratch() as folder, gateway(0, "--no-limits") as broker:
        with server(folder / "data", broker.url, program="benchmarks.unpaced") as ours:
            url, done, failed = connected(ours, "U1234567"), threading.Event(), list[str]()
            page = f"{ours.url}{url}"
            readers = [
                threading.Thread(target=_read, args=(page, done, failed)) for _ in range(READERS)
            ]
            for each in readers:
                each.start()
            for _ in range(count):
                try:
                    synced(ours, url)
                except (requests.RequestException, RuntimeError) as error:
                    failed.append(str(error))
            done.set()
            for each in readers:
                each.join()
        log = _log(folder)
    failed += [line for line in log.splitlines() if "database is locked" in line]
    name = f"{count:,} syncs beside {READERS} readers of pages: failures"
    return Figure(name, len(failed), "", None, "", 0, "; ".join(failed[:3]))


def _log(folder: Path) -> str:
    return (folder / "data.log").read_text(encoding="utf-8")


def _read(page: str, done: threading.Event, failed: list[str]) -> None:
    with requests.Session() as session:
        while not done.is_set():
            status = session.get(page, timeout=60).status_code
            if status != 200:
                failed.append(f"a page answered {status}")
