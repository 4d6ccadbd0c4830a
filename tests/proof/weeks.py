"""A household for a long time: gateways with troubles, a person, meters, and a turned clock."""

from __future__ import annotations

import gc
import heapq
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from weakref import WeakSet

import requests

from brokers.http import plain_session
from brokers.ibkr.calendar import quiet_until
from brokers.ibkr.simulator import Simulator
from brokers.testing.clock import FakeClock
from brokers.testing.network import WsgiNetwork
from brokers.types import Certificate
from portfolio import app as composition
from portfolio.app import create_app, prepare_database
from portfolio.db.base import db
from portfolio.jobs.embedded import EmbeddedEngine
from portfolio.settings import Settings

MINUTE = 60.0
HOUR = 60 * MINUTE
IDLE = 360
WORKER = "foliosync"
# A call a minute, a tenth more, and a beat, before an outage and after it: what is shorter than
# the rest of the six minutes must not cost the session.
SURVIVABLE = 210.0
PLACES = {1: "127.0.0.1:5000", 2: "127.0.0.1:5001"}
# The documented limits, by the end of the path; "*" counts them all.
DOCUMENTED = {"*": (10, 1), "/tickle": (1, 1), "/portfolio/accounts": (1, 5)}
DOCUMENTED |= {"/sso/validate": (1, 60)}
# Both sides read the same clock, as the simulator does, which allows this much.
HAIR = 0.05
# A Friday evening: also a short run meets midnight in New York.
START = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)


class Clock(FakeClock):
    """A turned clock that lets the world move along, also while the program sleeps."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.follow: Callable[[float], None] = lambda _: None

    def turn(self, seconds: float) -> None:
        """Let time pass, event by event."""
        to = self._elapsed + seconds
        self.follow(to)
        self._elapsed = to

    def reach(self, at: float) -> None:
        """Stand at this moment, in the middle of a turn."""
        self._elapsed = at


class Engine(EmbeddedEngine):
    """The shipped engine whose beats come as the clock is turned; one task at a time.

    `stretch` makes all pauses so many times longer, as if the computer were busy.
    """

    stretch = 1
    newest: Engine

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._pool.shutdown()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=WORKER)
        self._under_way: list[Future[None]] = []
        self._leads = True
        self._due: list[tuple[float, int]] = []
        Engine.newest = self

    def defer(self, task: Callable[[], None]) -> Future[None]:
        """Run a task in the pool."""
        future = super().defer(task)
        self._under_way.append(future)
        return future

    def step(self, clock: Clock) -> None:
        """Turn to the next task that is due, and do it with all that it begins."""
        if not self._due:
            self._due = [(clock.monotonic(), place) for place in range(len(self._periodic))]
        at, place = heapq.heappop(self._due)
        if at > clock.monotonic():
            clock.turn(at - clock.monotonic())
        task = self._periodic[place]
        self._run(task)
        while self._under_way:
            self._under_way.pop().result()
        pause = task.pause.longest.total_seconds() * self.stretch
        heapq.heappush(self._due, (clock.monotonic() + pause, place))


class Switchboard:
    """A network in which each address leads to a simulated gateway; it knows what is open."""

    def __init__(self, networks: dict[str, WsgiNetwork]) -> None:
        self._networks = networks
        self.open: WeakSet[requests.Session] = WeakSet()

    def session(self, certificate: Certificate) -> requests.Session:
        """A session to whichever gateway shows this certificate."""
        made = plain_session()
        for place, network in self._networks.items():
            adapter = network.session(certificate).get_adapter("https://")
            made.mount(f"https://{place}/", adapter)
        self.open.add(made)
        return made

    def certificate(self, host: str, port: int, timeout: float) -> Certificate:
        """The certificate that is shown there."""
        return self._networks[f"{host}:{port}"].certificate(host, port, timeout)


@dataclass
class Way:
    """One gateway with its meters; `kept` is whether its session could have lasted until now."""

    number: int
    simulator: Simulator
    kept: bool = True
    blocked: set[str] = field(default_factory=set)
    blocked_at: float = 0.0
    possible: float = 0.0
    signed_in: float = 0.0
    calls: int = 0
    above: list[str] = field(default_factory=list)
    in_penalty: int = 0
    network: WsgiNetwork = field(init=False)
    _recent: dict[str, list[datetime]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network = WsgiNetwork(self.simulator)

    def block(self, why: str, now: float) -> None:
        """The way is not open, for this reason."""
        if not self.blocked:
            self.blocked_at = now
        self.blocked.add(why)

    def free(self, why: str, now: float) -> None:
        """This reason is gone; what lasted too long has cost the session."""
        self.blocked.discard(why)
        if not self.blocked and now - self.blocked_at > SURVIVABLE:
            self.kept = False

    def end_session(self) -> None:
        """Somebody else ended it."""
        self.kept = False
        self.simulator.sign_out()

    def sign_in(self) -> None:
        """A person signs in."""
        self.simulator.sign_in()
        self.kept = True

    @property
    def lives_until(self) -> float:
        """When the session falls asleep unless there is a call."""
        state = self.simulator.state
        return state.touched_at + IDLE if state.signed_in else -1.0

    def measure(self, begin: float, end: float) -> None:
        """Count a time in which nothing happened."""
        if self.kept and not self.blocked:
            self.possible += end - begin
            self.signed_in += max(0.0, min(end, self.lives_until) - begin)

    def drain(self) -> None:
        """Count what was asked, by the documents and not by the program."""
        for request in self.simulator.requests:
            self.calls += 1
            self.in_penalty += request.status == 429
            ours = {"*"} | {of for of in DOCUMENTED if request.path.endswith(of)}
            for limit in ours & DOCUMENTED.keys():
                self._count(limit, request.at)
        self.simulator.state.requests.clear()

    def _count(self, limit: str, at: datetime) -> None:
        most, seconds = DOCUMENTED[limit]
        recent = self._recent.setdefault(limit, [])
        recent.append(at)
        window = at - timedelta(seconds=seconds - HAIR)
        recent[:] = [of for of in recent if of > window]
        if len(recent) > most:
            self.above.append(f"{limit} at {at:%d %H:%M:%S}: {len(recent)} in {seconds} s")


class Lines(logging.Handler):
    """Counts the lines of a log, as the shipped program would print them."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one; the command line quiets these two libraries as well."""
        if not record.name.startswith(("alembic", "apscheduler")):
            self.said.append(record.getMessage())


@dataclass
class Usage:
    """What the process holds."""

    memory: int
    threads: int
    workers: int
    files: int
    sessions: int


@dataclass
class Household:
    """Two gateways with two accounts each, the program, and a person who reacts to messages."""

    folder: Path
    rng: Random
    clock: Clock
    ways: list[Way] = field(default_factory=list)
    messages: list[tuple[float, str, str]] = field(default_factory=list)
    lines: Lines = field(default_factory=Lines)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _visits: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self.ways = [
            Way(number=number, simulator=_gateway(self.clock, number)) for number in (1, 2)
        ]
        self.network = Switchboard({PLACES[way.number]: way.network for way in self.ways})
        self.clock.follow = self._follow
        self.start()

    # The program.

    def start(self) -> None:
        """Start the program, on whatever is stored."""
        environ = {"FOLIOSYNC_DATA_DIR": str(self.folder), "FOLIOSYNC_TIMEZONE": "UTC"}
        environ |= {"FOLIOSYNC_NOTIFY_URLS": "ntfy://nobody"}
        self.app = create_app(
            Settings.load(environ), clock=self.clock, network=self.network, send=self._take
        )
        prepare_database(self.app)
        self.engine = Engine.newest

    def stop(self) -> None:
        """Stop it, as a restart does."""
        self.app.extensions["foliosync"].stop()
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    def connect(self) -> None:
        """Connect the four accounts."""
        program = self.app.test_client()
        program.post("/api/v1/portfolios", json={"name": "P", "base_currency": "USD"})
        program.post("/api/v1/gateways", json={"url": "https://localhost:5001"})
        for way in self.ways:
            for letter, account in zip("ab", way.simulator.state.accounts, strict=True):
                name = f"gateway {way.number} {letter}"
                made = {"name": name, "currency": "USD"}
                program.post("/api/v1/portfolios/1/accounts", json=made)
                self.clock.turn(6)
                body = {"account_id": account, "gateway_id": way.number}
                url = f"/portfolio/1/accounts/{name}/connect/ibkr"
                answer = program.post(url, json=body)
                assert answer.status_code == 201, answer.get_data(as_text=True)

    def work(self, until: float) -> None:
        """Let the program work, and the person do what is due in between."""
        while self.clock.monotonic() < until:
            self.engine.step(self.clock)
            while self._visits and self._visits[0][0] <= self.clock.monotonic():
                heapq.heappop(self._visits)[2]()
            for way in self.ways:
                way.drain()

    # What happens around it.

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Let something happen at the moment itself, whatever the program does."""
        self._number += 1
        heapq.heappush(self._events, (when, self._number, what))

    def visit(self, when: float, what: Callable[[], None]) -> None:
        """Let the person do something then."""
        self._number += 1
        heapq.heappush(self._visits, (when, self._number, what))

    def _follow(self, to: float) -> None:
        begin = self.clock.monotonic()
        while self._events and self._events[0][0] <= to:
            at, _, what = heapq.heappop(self._events)
            self._measure(begin, at)
            begin = max(begin, at)
            self.clock.reach(begin)
            what()
        self._measure(begin, to)

    def _measure(self, begin: float, end: float) -> None:
        for way in self.ways if end > begin else ():
            way.measure(begin, end)

    # The person.

    def _take(self, title: str, body: str) -> int:
        """A message arrives, and somebody will see to what it says."""
        self.messages.append((self.clock.monotonic(), title, body))
        soon = self.clock.monotonic() + self.rng.uniform(2, 40) * MINUTE
        for part in body.split("\n\n"):
            for way in self.ways:
                if f"gateway {way.number}" in part and "is well again" not in part:
                    self.visit(soon, partial(self.see_to, way))
        return 1

    def see_to(self, way: Way) -> None:
        """Do what the program asks for: sign in once IBKR is back, accept a certificate."""
        now, at = self.clock.monotonic(), self.clock.now()
        quiet = quiet_until(at)
        if quiet is not None or way.blocked - {"certificate"}:
            later = (quiet - at).total_seconds() if quiet is not None else 5 * MINUTE
            self.visit(now + later + self.rng.uniform(1, 20) * MINUTE, partial(self.see_to, way))
            return
        if not way.lives_until > now:
            way.sign_in()
            again = now + self.rng.uniform(15, 45) * MINUTE
            self.visit(again, partial(self.wonder, way))
        program = self.app.test_client()
        if "certificate" in way.blocked:
            way.free("certificate", now)
            way.sign_in()
            shown = way.network.shown.fingerprint
            body = {"fingerprint": shown}
            answer = program.post(f"/api/v1/gateways/{way.number}/certificate", json=body)
            assert answer.status_code == 200, answer.get_data(as_text=True)
        elif self.rng.random() < 0.5:
            program.get(f"/ibkr/test-connection?gateway_id={way.number}")

    def wonder(self, way: Way) -> None:
        """Look again where nobody said that all is well: a session can end before it is seen."""
        parts = [part for _, _, body in self.messages for part in body.split("\n\n")]
        told = [part for part in parts if f"gateway {way.number}" in part]
        if "is well again" not in told[-1]:
            self.see_to(way)

    # What is left.

    def usage(self) -> Usage:
        """What the process holds now; connections that the pool keeps are given back before."""
        with self.app.app_context():
            db.engine.dispose()
        gc.collect()
        workers = sum(of.name.startswith(WORKER) for of in threading.enumerate())
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return Usage(
            memory=pages * os.sysconf("SC_PAGE_SIZE"),
            threads=threading.active_count() - workers,
            workers=workers,
            files=len(list(Path("/proc/self/fd").iterdir())),
            sessions=len(self.network.open),
        )


def _gateway(clock: Clock, number: int) -> Simulator:
    """A simulated gateway with two small accounts of its own, whose session falls asleep."""
    simulator = Simulator(clock)
    state = simulator.state
    state.idle_limit = IDLE
    for account in state.accounts.values():
        account.id = f"{account.id[:-1]}{number}"
        del account.held[12:]
    state.accounts = {of.id: of for of in state.accounts.values()}
    return simulator


@contextmanager
def household(folder: Path, rng: Random, monkeypatch: Any, stretch: int) -> Iterator[Household]:
    """A household whose program keeps sessions alive with the shipped schedule."""
    monkeypatch.setattr(composition, "EmbeddedEngine", Engine)
    monkeypatch.setattr(Engine, "stretch", stretch)
    monkeypatch.setattr(composition.secrets, "randbelow", rng.randrange)
    made = Household(folder=folder, rng=rng, clock=Clock(START))
    logging.getLogger().addHandler(made.lines)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    try:
        yield made
    finally:
        logging.getLogger().removeHandler(made.lines)
        logging.getLogger().setLevel(level)
        made.stop()
