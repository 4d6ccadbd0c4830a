"""The account page of the server as shipped, beside a bare page of fifty of ten thousand rows."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.accounts import application, fill, new_account
from benchmarks.figures import Figure, Row
from benchmarks.measuring import forget_peak, memory_of, percentiles, wall
from benchmarks.options import chosen
from benchmarks.processes import Running, free_port, scratch, server, serving

MANY, FEW = 10_000, 100
# How often both are asked by many, and what each is asked before it is measured.
CROWDS, WARMING = 5, 30
# How often a page is asked for in its turn, and a whole table in all.
TURN, WHOLE = 50, 20
CLIENTS, EACH = 32, 30
NOBODY = "https://localhost:5001"
API = "/api/v1/portfolios/1/accounts/A"
PAGES = {MANY: "/portfolio/1/accounts/A", FEW: "/portfolio/2/accounts/B"}
AS_BROWSERS = {"Accept": "text/html", "Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
TABLE = AS_BROWSERS | {"HX-Request": "true", "HX-Target": "holdings-table"}


class Seconds(NamedTuple):
    """The median, and the 95th of a hundred."""

    median: float
    p95: float

    @classmethod
    def of(cls, spent: Sequence[float]) -> Seconds:
        """Those of some measured ones."""
        cut = quantiles(spent, n=100)
        return cls(cut[49], cut[94])


def figures() -> Iterable[Row]:
    """Time of a page, pages a second, and bytes."""
    rounds = 60 if chosen().quick else 1_000
    with scratch() as folder, _bare(folder) as bare, _program(folder) as program:
        many_at, few_at = ((program, PAGES[size]) for size in (MANY, FEW))
        floor, many, few = _in_turn([(bare, "/"), many_at, few_at], rounds)
        name = f"account page at {MANY:,} holdings, p95"
        yield Figure(name, many.p95, "s", floor.p95, "a bare page, p95", 4)
        yield Figure(name, many.p95, "s", few.p95, f"the same at {FEW}", 1.25)
        yield Figure(name, many.p95, "s", many.median, "its own median", 1.5)
        crowds = [(_for_each(bare, "/"), _for_each(*many_at)) for _ in range(CROWDS)]
        slow, fast = (min(column) for column in zip(*crowds, strict=True))
        what = f"a page for one of {CLIENTS} clients at once"
        yield Figure(what, fast, "s", slow, "the bare page", 4)
        yield from _bytes(program)
        yield from _whole(bare, program)


def _bytes(program: Running) -> Iterable[Row]:
    for what, headers, raw, packed in (
        ("account page", AS_BROWSERS, 48, 10),
        ("fifty rows", TABLE, 30, 6),
    ):
        body = _get(program, PAGES[MANY], headers)
        yield Figure(f"{what}, compressed", len(body) / 1024, "KB", None, "", packed)
        yield Figure(f"{what}, plain", len(gzip.decompress(body)) / 1024, "KB", None, "", raw)


def _whole(bare: Running, program: Running) -> Iterable[Row]:
    """The whole table in one answer: its time, and what it takes beside an idle server."""
    paths = {ending.upper(): f"{API}/export.{ending}" for ending in ("csv", "json")}
    memory = {kind: _more_memory(program, path) for kind, path in paths.items()}
    asked = [(bare, "/all"), *((program, path) for path in paths.values())]
    floor, *spent = _in_turn(asked, WHOLE, WHOLE // 5)
    for (kind, more), of in zip(memory.items(), spent, strict=True):
        name = f"the whole table of {MANY:,} as {kind}"
        yield Figure(name, of.median, "s", floor.median, "all rows of a bare page", 2)
        yield Figure(f"{name}, memory", more, "MB", None, "", 15)


def _more_memory(program: Running, path: str) -> float:
    """Megabytes that an answer takes beside an idle server."""
    _get(program, path)
    forget_peak(program.pid)
    before = memory_of(program.pid)
    for _ in range(20):
        _get(program, path)
    return memory_of(program.pid, "VmHWM") - before


@contextmanager
def _bare(folder: Path) -> Iterator[Running]:
    port, script = free_port(), str(Path(__file__).with_name("bare_page.py"))
    with serving([sys.executable, script, str(folder / "bare.db"), str(port)], port) as running:
        yield running


@contextmanager
def _program(folder: Path) -> Iterator[Running]:
    data = folder / "data"
    with application(data) as app:
        for name, size in (("A", MANY), ("B", FEW)):
            fill(new_account(app, name), size)
    with server(data, NOBODY) as running:
        yield running


def _get(of: Running, path: str, headers: dict[str, str] = AS_BROWSERS) -> bytes:
    with closing(HTTPConnection(urlsplit(of.url).netloc, timeout=60)) as connection:
        return _answer(connection, path, headers)


def _answer(connection: HTTPConnection, path: str, headers: dict[str, str]) -> bytes:
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path} answered {response.status}")
    return body


def _in_turn(asked: Sequence[tuple[Running, str]], rounds: int, turn: int = TURN) -> list[Seconds]:
    """The seconds of several pages, over connections that are kept.

    They take turns, so that what else the computer does meanwhile, or how fast it lets us be, is
    the same for all; a turn is long enough for a processor to get used to a page.
    """
    with ExitStack() as stack:
        pages = [stack.enter_context(asking(*page)) for page in asked]
        for page in pages:
            percentiles(page, WARMING)
        spent: list[list[float]] = [[] for _ in pages]
        for _ in range(rounds // min(rounds, turn)):
            for of, page in zip(spent, pages, strict=True):
                of += [wall(page, 1) for _ in range(min(rounds, turn))]
    return [Seconds.of(each) for each in spent]


@contextmanager
def asking(of: Running, path: str) -> Iterator[Callable[[], bytes]]:
    """A way to ask for a page as a browser does, over one connection that is kept."""
    with closing(HTTPConnection(urlsplit(of.url).netloc, timeout=60)) as connection:
        yield partial(_answer, connection, path, AS_BROWSERS)


def _for_each(of: Running, path: str) -> float:
    """Seconds a page where many clients ask at once; none may fail."""

    def client(_: int) -> None:
        with asking(of, path) as page:
            for _ in range(EACH):
                page()

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return (time.perf_counter() - began) / (CLIENTS * EACH)
