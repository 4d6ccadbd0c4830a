"""Reading an account through the gateway, by the pages and at once: time, pace and CPU."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import requests

from benchmarks.figures import Figure
from benchmarks.measuring import wall
from benchmarks.options import chosen
from benchmarks.processes import LARGE, gateway
from brokers.contract import Connection, Context
from brokers.http import RealNetwork
from brokers.ibkr import MANIFEST, InteractiveBrokers
from brokers.ibkr.agreement import LARGE as MORE_THAN
from brokers.pacing import Pacer
from brokers.types import Certificate
from portfolio.clock import SystemClock

SIZES, QUICK = (100, 1_000, 10_000), (100, 1_000)
LATENCY = 0.08
PACE = next(limit for limit in MANIFEST.limits if limit.endpoint == "*")
TICKLES_APART = 1
# The account list may be asked for once in five seconds.
BETWEEN_READS = 6
BY_PAGES, AT_ONCE, CPU = 1.15, 1.75, 1.5
# Nine tenths of the pace are to be used.
SUSTAINED = 1 / 0.9
QUEUE, ROUNDS = 6, 5
CLOCK = SystemClock()


def figures() -> Iterator[Figure]:
    """Seconds against latency and pace, then a queue, then CPU against plain requests and json."""
    sizes = QUICK if chosen().quick else SIZES
    for positions in sizes:
        yield from _times(positions)
    yield from _queue(1_000)
    for positions in sizes:
        yield from _cpu(positions)


@dataclass
class Program:
    """A process that reads through a gateway; `restarted` it knows nothing but its pace."""

    address: str
    last_calls: Mapping[str, datetime] = field(default_factory=dict)
    certificate: Certificate | None = None
    calls: int = 0

    def __post_init__(self) -> None:
        self._broker = InteractiveBrokers()

    def read(self, account: str = LARGE) -> int:
        """The whole account, as one run reads it; how many positions."""
        connection = self.connection()
        found = connection.snapshot(account)
        self.last_calls, self.certificate = connection.last_calls, connection.certificate
        return len(found.positions)

    def connection(self) -> Connection:
        """What one run reads by; its second look is always one by the pages."""
        context = Context(
            clock=CLOCK,
            network=RealNetwork(CLOCK),
            address=self.address,
            login_address=self.address,
            certificate=self.certificate,
            last_calls=self.last_calls,
            before_call=self._count,
        )
        return self._broker.connect(context)

    def _count(self) -> None:
        self.calls += 1

    def restarted(self) -> Program:
        """The same after a restart: it has to compare the two lists anew."""
        return Program(self.address, self.last_calls, self.certificate)


class Plain:
    """What a short script would do: the same calls at the same pace, decoded, nothing else."""

    def __init__(self, program: Program) -> None:
        assert program.certificate is not None
        self._address = program.address
        self._session = RealNetwork(CLOCK).session(program.certificate)
        self._pacer = Pacer(MANIFEST.limits, CLOCK)

    def by_pages(self, *, compared: bool) -> int:
        """The account by its pages, and the other list where it is compared."""
        rows: list[Any] = []
        self._begin()
        while found := self._call(f"/portfolio/{LARGE}/positions/{len(rows) // 100}"):
            rows += found
        if compared:
            self._call(f"/portfolio2/{LARGE}/positions")
        self._end()
        return len(rows)

    def at_once(self) -> int:
        """The account by the single answer."""
        self._begin()
        rows = self._call(f"/portfolio2/{LARGE}/positions")
        self._end()
        return len(rows)

    def single_answer(self) -> bytes:
        """The bytes of the single answer."""
        return self._answer(f"/portfolio2/{LARGE}/positions").content

    def _begin(self) -> None:
        self._call("/tickle", "POST")
        self._call("/portfolio/accounts")
        self._call(f"/portfolio/{LARGE}/ledger")

    def _end(self) -> None:
        self._call(f"/portfolio/{LARGE}/ledger")
        self._call("/tickle", "POST")

    def _call(self, path: str, method: str = "GET") -> Any:
        return json.loads(self._answer(path, method).content)

    def _answer(self, path: str, method: str = "GET") -> requests.Response:
        self._pacer.wait(path)
        answer = self._session.request(method, f"{self._address}/v1/api{path}", timeout=30)
        answer.raise_for_status()
        return answer


def _times(positions: int) -> Iterator[Figure]:
    """Seconds of one read, each answer late, limits on: by the pages, then at once."""
    with gateway(positions, "--latency", str(LATENCY * 1000)) as running:
        program = Program(running.url)
        # The terms of contracts come behind the first read of a session.
        program.read()
        time.sleep(BETWEEN_READS)
        program = program.restarted()
        spent = _timed(program.read)
        floor, note = _fastest(program.calls), f"{program.calls} calls"
        name, floor_is = f"reading {positions:,} positions", "calls × latency, or the pace"
        yield Figure(f"{name} by the pages", spent, "s", floor, floor_is, BY_PAGES, note)
        if positions <= MORE_THAN:
            return
        time.sleep(BETWEEN_READS)
        program.calls = 0
        spent = _timed(program.read)
        parsing = wall(partial(msgspec.json.decode, Plain(program).single_answer()))
        floor, note = _fastest(program.calls) + parsing, f"{program.calls} calls"
        floor_is += ", and parsing"
        yield Figure(f"{name} at once", spent, "s", floor, floor_is, AT_ONCE, note)


def _fastest(calls: int) -> float:
    """The seconds that so many calls take at least; a second tickle waits for one in any case."""
    paced = max(((calls - 1) // PACE.calls) * PACE.seconds, TICKLES_APART)
    return max(calls * LATENCY, paced + LATENCY)


def _queue(positions: int) -> Iterator[Figure]:
    """Seconds of several accounts that are read by the pages one after the other."""
    more = ("--accounts", str(QUEUE), "--latency", str(LATENCY * 1000))
    accounts = [f"{LARGE[:-1]}{number}" for number in range(QUEUE)]
    with gateway(positions, *more) as running:
        program = Program(running.url)
        spent = _timed(lambda: [program.read(account) for account in accounts])
    floor, floor_is = program.calls / PACE.calls * PACE.seconds, f"{PACE.calls} calls a second"
    note = f"{program.calls} calls, {program.calls / spent:.2f} a second, none refused"
    name = f"{QUEUE} accounts of {positions:,} positions in a queue"
    yield Figure(name, spent, "s", floor, floor_is, SUSTAINED, note)


def _cpu(positions: int) -> Iterator[Figure]:
    """CPU seconds of one read, no latency, no limits; what pacing waits for is no CPU."""
    large, name = positions > MORE_THAN, f"reading {positions:,} positions"
    with gateway(positions, "--no-limits") as running:
        program = Program(running.url)
        # The first read fetches the terms of contracts, which later ones know.
        assert program.read() == positions
        plain = Plain(program)
        assert plain.by_pages(compared=large) == positions
        looked = program.connection()
        looked.snapshot(LARGE)
        ours, script = partial(looked.snapshot, LARGE), partial(plain.by_pages, compared=large)
        yield _compared(f"{name} by the pages, CPU", ours, script)
        if large:
            # Each run connects anew, and so does the script.
            yield _compared(f"{name} at once, CPU", program.read, lambda: Plain(program).at_once())


def _compared(name: str, ours: Callable[[], object], script: Callable[[], object]) -> Figure:
    """The least CPU of each; they take turns, to have met the computer at its quickest alike."""
    spent: tuple[list[float], list[float]] = [], []
    for _ in range(2 if chosen().quick else ROUNDS):
        for task, times in zip((ours, script), spent, strict=True):
            time.sleep(BETWEEN_READS)
            began = time.process_time()
            task()
            times.append(time.process_time() - began)
    least, floor = map(min, spent)
    return Figure(name, least, "s", floor, "requests and json", CPU)


def _timed(task: Callable[[], object]) -> float:
    began = time.monotonic()
    task()
    return time.monotonic() - began
