"""A week with a turned clock: what can be kept without a person is kept, and little is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine

from brokers.ibkr.calendar import NEW_YORK, SATURDAY
from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.state import PENALTY, REFUSED, SILENT
from tests.proof.truth import Truth, look, rows
from tests.proof.weeks import HOUR, MINUTE, Household, Usage, Way, household

DAY = 24 * HOUR
# After so long without trouble an outage is over, and the next one may be said again.
SETTLED = 16 * MINUTE
DENIED = Reply(401, b"", "text/plain")
RESTS = Reply(503, b"<html>Service Unavailable</html>", "text/html")


def refuse(home: Household, way: Way, begin: float, end: float, transport: str = REFUSED) -> None:
    """Nothing listens, or nothing answers."""

    def fail() -> None:
        way.simulator.state.transport = transport
        way.block(transport, home.clock.monotonic())

    def heal() -> None:
        way.simulator.state.transport = None
        way.free(transport, home.clock.monotonic())

    home.at(begin, fail)
    home.at(end, heal)


def instead(home: Household, way: Way, begin: float, end: float, reply: Reply) -> None:
    """The same answer to everything."""
    rewrites = way.simulator.state.rewrites

    def answer(path: str, usual: Reply) -> Reply:
        return reply if path.startswith("/v1/") else usual

    def fail() -> None:
        rewrites.append(answer)
        way.block(str(reply.status), home.clock.monotonic())

    def heal() -> None:
        rewrites.remove(answer)
        way.free(str(reply.status), home.clock.monotonic())

    home.at(begin, fail)
    home.at(end, heal)


def short(home: Household, way: Way, now: float) -> float:
    """A gateway that cannot be reached for up to three minutes."""
    end = now + home.rng.uniform(20, 190)
    refuse(home, way, now, end, home.rng.choice([REFUSED, SILENT]))
    return end


def long(home: Household, way: Way, now: float) -> float:
    """A gateway that cannot be reached for up to an hour."""
    end = now + home.rng.uniform(10, 60) * MINUTE
    refuse(home, way, now, end, home.rng.choice([REFUSED, SILENT]))
    return end


def flaps(home: Household, way: Way, now: float) -> float:
    """A gateway that comes and goes every twenty seconds."""
    end = now + home.rng.uniform(20, 60) * MINUTE
    while now < end:
        refuse(home, way, now, now + 20)
        now += 40
    return now


def blinks(home: Household, way: Way, now: float) -> float:
    """A sign-in that comes and goes, while IBKR cannot decide."""
    end = now + home.rng.uniform(10, 30) * MINUTE
    while now < end:
        pause = home.rng.uniform(20, 60)
        instead(home, way, now, now + pause, DENIED)
        now += pause + home.rng.uniform(20, 60)
    return now


def rests(home: Household, way: Way, now: float) -> float:
    """IBKR is down for some minutes."""
    end = now + home.rng.uniform(1, 20) * MINUTE
    instead(home, way, now, end, RESTS)
    return end


def restarts(home: Household, way: Way, now: float) -> float:
    """The gateway is restarted and forgets the login."""

    def forget() -> None:
        way.end_session()
        way.simulator.state.warm.clear()
        way.simulator.state.calls.clear()

    refuse(home, way, now, now + 30)
    home.at(now + 15, forget)
    return now + 30


def punished(home: Household, way: Way, now: float) -> float:
    """A penalty, for something that another program did."""

    def begin() -> None:
        way.simulator.state.penalty_until = home.clock.monotonic() + PENALTY
        way.block("penalty", home.clock.monotonic())

    home.at(now, begin)
    home.at(now + PENALTY, lambda: way.free("penalty", home.clock.monotonic()))
    return now + PENALTY


def certificate(home: Household, way: Way, now: float) -> float:
    """The gateway is set up anew and shows another certificate."""

    def change() -> None:
        way.end_session()
        way.simulator.state.certificate ^= 1
        way.block("certificate", home.clock.monotonic())

    home.at(now, change)
    return now


@dataclass
class Episode:
    """From one settled state to the next: what happened, and what was said about it."""

    names: list[str] = field(default_factory=list)
    lines: int = 0
    messages: int = 0

    @property
    def is_too_loud(self) -> bool:
        """Whether more than two lines or messages were spent on an outage."""
        most = 2 * len(self.names)
        return self.lines > most or self.messages > most


@dataclass
class Week:
    """A household that meets one trouble after the other."""

    home: Household
    end: float
    deck: list[str] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    _open: Episode = field(default_factory=Episode)

    @property
    def calls(self) -> int:
        """How often the gateways were asked."""
        return sum(way.calls for way in self.home.ways)

    @property
    def totals(self) -> tuple[int, int]:
        """How many lines were logged and messages sent."""
        return len(self.home.lines.said), len(self.home.messages)

    def live(self) -> None:
        """All of it, to the end."""
        self.home.at(self._midnight(), self._nightly)
        now, measured = self.home.clock.monotonic(), 0.0
        while now < self.end:
            self._rest()
            if self.home.clock.monotonic() >= self.end:
                break
            self._trouble()
            now = self.home.clock.monotonic()
            if now - measured > 2 * HOUR:
                self.usages.append(self.home.usage())
                measured = now
        self._rest(until_the_end=False)
        self.usages.append(self.home.usage())

    def _midnight(self) -> float:
        """When the sessions end next."""
        at = self.home.clock.now()
        local = at.astimezone(NEW_YORK)
        day = local.date() + timedelta(days=1)
        midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
        return self.home.clock.monotonic() + (midnight - at).total_seconds()

    def _nightly(self) -> None:
        """Every session ends at midnight; on Saturday evening all rests for hours before."""
        for way in self.home.ways:
            way.end_session()
            self._open.names.append("midnight")
        self.home.at(self._midnight(), self._nightly)
        local = self.home.clock.now().astimezone(NEW_YORK)
        if local.weekday() == SATURDAY:
            self.home.at(self.home.clock.monotonic() + 18 * HOUR, self._weekly)

    def _weekly(self) -> None:
        now = self.home.clock.monotonic()
        for way in self.home.ways:
            way.end_session()
            instead(self.home, way, now, now + self.home.rng.uniform(2, 8) * HOUR, RESTS)
            self._open.names.append("weekly")

    def _rest(self, *, until_the_end: bool = True) -> None:
        """Let time pass until all is well and stays so for a while; then count what was said."""
        last = self.home.clock.monotonic()
        give_up = last + DAY
        while self.home.clock.monotonic() - last < SETTLED:
            now = self.home.clock.monotonic()
            if until_the_end and now >= self.end:
                return
            assert now < give_up, f"never settled: {self._open}, {self.home.lines.said[-6:]}"
            self.home.work(now + MINUTE)
            if any(w.blocked or w.lives_until < now for w in self.home.ways):
                last = self.home.clock.monotonic()
        self._open.lines, self._open.messages = self._said()
        self.episodes.append(self._open)
        self._open = Episode()

    def _said(self) -> tuple[int, int]:
        lines = len(self.home.lines.said) - sum(of.lines for of in self.episodes)
        messages = len(self.home.messages) - sum(of.messages for of in self.episodes)
        return lines, messages

    def _trouble(self) -> None:
        """One trouble after some minutes of peace."""
        rng, clock = self.home.rng, self.home.clock
        if not self.deck:
            self.deck = [*TROUBLES, "sleeps", "program"]
            rng.shuffle(self.deck)
        self.home.work(clock.monotonic() + rng.uniform(1, 30) * MINUTE)
        name = self.deck.pop()
        self.met[name] += 1
        if name in TROUBLES:
            way = rng.choice(self.home.ways)
            # A new certificate costs the login as well.
            self._open.names += [name] * (1 + (name == "certificate"))
            end = TROUBLES[name](self.home, way, clock.monotonic() + 1)
            self.home.work(end)
        else:
            getattr(self, f"_{name}")()

    def _sleeps(self) -> None:
        """The computer sleeps, with the gateways on it."""
        hours = self.home.rng.uniform(1, 8)
        self._away(hours * HOUR)
        self._open.names += ["sleeps", "sleeps"]

    def _program(self) -> None:
        """The program is restarted."""
        self.home.stop()
        self._away(self.home.rng.uniform(2, 90))
        self.home.start()

    def _away(self, seconds: float) -> None:
        now = self.home.clock.monotonic()
        for way in self.home.ways:
            way.block("away", now)
        self.home.clock.turn(seconds)
        for way in self.home.ways:
            way.free("away", self.home.clock.monotonic())


TROUBLES: dict[str, Callable[[Household, Way, float], float]] = {
    of.__name__: of for of in (short, long, flaps, blinks, rests, restarts, punished, certificate)
}


def test_what_can_be_kept_without_a_person_is_kept(tmp_path, monkeypatch, draw, effort, figure):
    hours, stretch = effort(ci=8, full=7 * 24), effort(ci=3, full=1)
    with household(tmp_path, draw("soak"), monkeypatch, stretch) as home:
        home.connect()
        week = Week(home=home, end=home.clock.monotonic() + hours * HOUR)
        week.live()
        truth = look(f"sqlite:///{tmp_path / 'foliosync.db'}")
        note(figure, week)
        left = left_open(tmp_path)
    loud = [of for of in week.episodes if of.is_too_loud]
    possible = sum(way.possible for way in home.ways)
    assert sum(way.signed_in for way in home.ways) >= 0.999 * possible
    assert [line for way in home.ways for line in way.above] == []
    # The call that learns of a penalty is the only one in it.
    assert sum(way.in_penalty for way in home.ways) <= week.met["punished"]
    assert loud == []
    assert left == (0, 0)
    assert held_by(truth) == sorted(held_at(home))
    early, late = week.usages[len(week.usages) // 4], week.usages[-1]
    assert late.memory < 1.05 * early.memory
    assert (late.threads, late.sessions) == (early.threads, early.sessions)
    # It starts with the first task after a restart, and there is never a second one.
    assert late.workers <= 1
    assert late.files <= early.files


def note(figure: Callable[[str, object], None], week: Week) -> None:
    """What the week has shown."""
    ways, episodes = week.home.ways, week.episodes
    possible = sum(way.possible for way in ways)
    share = 100 * sum(way.signed_in for way in ways) / possible
    outages = sum(len(of.names) for of in episodes)
    early, late = week.usages[len(week.usages) // 4], week.usages[-1]
    figure("soak: signed in", f"{share:.4f} % of {possible / HOUR:.1f} possible hours")
    figure("soak: calls, of them in a penalty", (week.calls, sum(w.in_penalty for w in ways)))
    figure("soak: above a documented limit", sum(len(way.above) for way in ways))
    figure("soak: outages, log lines, messages", (outages, *week.totals))
    figure("soak: memory after a quarter and at the end", f"{early.memory:,} {late.memory:,}")
    figure("soak: threads, files, sessions at the end", late)


def left_open(folder: Path) -> tuple[int, int]:
    """Runs that never ended, and leases that nobody gave back."""
    engine = create_engine(f"sqlite:///{folder / 'foliosync.db'}")
    with engine.connect() as connection:
        running = rows(connection, "SELECT id FROM sync_run WHERE status = 'running'")
        leases = rows(connection, "SELECT name FROM lease WHERE owner != ''")
    engine.dispose()
    return len(running), len(leases)


def held_by(truth: Truth) -> list[tuple[str, str, str]]:
    """What the program holds, by the broker's account and contract."""
    return sorted((row[2], row[4], row[8]) for row in truth.brokers if len(row) > 5)


def held_at(home: Household) -> list[tuple[str, str, str]]:
    """What the simulated accounts hold."""
    return [
        (account.id, str(held.conid), f"{held.quantity:f}")
        for way in home.ways
        for account in way.simulator.state.accounts.values()
        for held in account.held
    ]
