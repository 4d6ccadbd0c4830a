"""Many at once, over two processes and the schedule: one read, one run, and a fence that holds."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

from sqlalchemy import create_engine, text

from brokers.ibkr.session import STILL_TRUE
from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.server import serve
from portfolio.clock import SystemClock
from portfolio.sync.lease import LASTS
from tests.e2e.conftest import wait_until
from tests.proof.house import MAIN, House
from tests.proof.model import digest_of
from tests.proof.truth import look

AT_ONCE = 64
# The shipped server, whose schedule looks every second instead of every five.
QUICK = (
    "import portfolio.jobs.schedule as of; of.BEAT = 1; import portfolio.cli as cli; cli.main()"
)
BY_SCHEDULE = {"FOLIOSYNC_JOBS": "embedded"}


class Turnstile:
    """A simulated gateway that keeps back one answer until somebody lets it go."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.reached, self.go = Event(), Event()
        self._ends, self._left = "", 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.simulator, name)

    def hold(self, ends: str, number: int = 1) -> None:
        """Keep back the answer to the next (or so many-th) request whose path ends so."""
        self.reached.clear()
        self.go.clear()
        self._ends, self._left = ends, number

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if self._left and environ["PATH_INFO"].endswith(self._ends):
            self._left -= 1
            if not self._left:
                self.reached.set()
                assert self.go.wait(120)
        return self.simulator(environ, start_response)


class Street:
    """Two servers on one database, and the gateway that both ask."""

    def __init__(self, houses: list[House], gateway: Turnstile, database: str) -> None:
        self.houses, self.gateway = houses, gateway
        self.engine = create_engine(database)

    def sync(self, number: int, account: str) -> Any:
        """The answer to one request for a sync."""
        answer = self.houses[number % 2].call("POST", f"{account}/sync")
        assert answer.status_code in (200, 202, 409), answer.text
        return answer.status_code, answer.json()["run"]["id"]

    def tell(self, statement: str, **values: Any) -> None:
        """Change the database behind the servers' backs."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def ask(self, statement: str) -> list[Any]:
        """The rows of a statement."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement)))

    def runs(self) -> dict[str, tuple[str, str | None]]:
        """Status and digest of every run, by id."""
        return {
            of[0]: (of[1], of[2]) for of in self.ask("SELECT id, status, digest FROM sync_run")
        }

    def quiet(self) -> bool:
        """Whether something was read and nobody reads now."""
        found = {status for status, _ in self.runs().values()}
        return "succeeded" in found and "running" not in found

    def plan(self, *, read: timedelta) -> None:
        """Make the schedule believe that the account was read so long ago; wait for its look."""
        ago = (datetime.now(UTC) - read).replace(tzinfo=None)
        before = ago - timedelta(seconds=1)
        self.tell("UPDATE account SET synced_at = :at", at=self._time(ago))
        self.tell("UPDATE connection SET next_run_at = :at", at=self._time(before))
        wait_until(self._planned)

    def _time(self, at: datetime) -> object:
        return (
            at.isoformat(" ") if self.engine.dialect.name == "sqlite" else at.replace(tzinfo=UTC)
        )

    def _planned(self) -> bool:
        """Whether the schedule has looked: a sync by hand counts as the planned one."""
        ((synced, planned),) = self.ask(
            "SELECT a.synced_at, c.next_run_at FROM connection c"
            " JOIN account a ON a.id = c.account_id"
        )
        return planned > synced

    def let_leases_end(self) -> None:
        """What the clock does once 30 seconds have passed."""
        past = self._time((datetime.now(UTC) - timedelta(seconds=1)).replace(tzinfo=None))
        self.tell("UPDATE lease SET until = :at", at=past)
        self.tell("UPDATE sync_run SET lease_until = :at WHERE status = 'running'", at=past)


@contextmanager
def street(tmp_path: Any, database: str, **more: str) -> Iterator[Street]:
    """Two ready servers and their gateway."""
    gateway = Turnstile(Simulator(SystemClock(), limits=False))
    settings = {"FOLIOSYNC_DATABASE_URL": database, **more}
    with ExitStack() as stack:
        server = stack.enter_context(serve(gateway))
        houses = [
            House(data=tmp_path / name / "data", gateway=server.url, more=settings)
            for name in ("one", "two")
        ]
        for house in houses:
            house.data.parent.mkdir()
            stack.callback(house.kill)
            house.start("-c", QUICK)
            house.ready()
        made = Street(houses, gateway, database)
        stack.callback(made.engine.dispose)
        stack.callback(gateway.go.set)
        yield made
    assert gateway.trips == []


def test_64_at_once_and_the_schedule_make_one_run(tmp_path, database_url, effort, figure):
    with street(tmp_path, database_url, **BY_SCHEDULE) as made:
        account = made.houses[0].linked()
        wait_until(made.quiet)
        for turn in range(effort(ci=1, full=10)):
            _all_at_once(made, account, turn)
    kind = made.engine.dialect.name
    figure(f"syncs at once over two processes and the schedule on {kind}", AT_ONCE)
    figure(f"read sequences and runs of {AT_ONCE} at once on {kind}", 1)


def _all_at_once(made: Street, account: str, turn: int) -> None:
    gateway, before = made.gateway, made.runs()
    made.gateway.simulator.sell(MAIN, gateway.state.accounts[MAIN].held[turn].ticker)
    seen = len(gateway.requests)
    gateway.hold("/ledger")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(made.sync, number, account) for number in range(AT_ONCE)]
        # Who did not begin the run is answered at once: all have arrived.
        wait_until(lambda: _done(asked) >= AT_ONCE - 1)
        assert gateway.reached.wait(60)
        # The schedule tries as well; the look at which nothing is due comes after that.
        made.plan(read=timedelta(hours=1))
        made.plan(read=timedelta(minutes=10))
        gateway.go.set()
        answers = [of.result(60) for of in asked]
    wait_until(made.quiet)
    new = made.runs().keys() - before.keys()
    assert {run for _, run in answers} == new, f"turn {turn}"
    assert len(new) == 1
    assert Counter(status for status, _ in answers) == {202: AT_ONCE - 1, 200: 1}
    assert made.runs()[new.pop()] == ("succeeded", digest_of(gateway.state.accounts[MAIN]))
    read = Counter(r.path.partition(MAIN)[2] for r in gateway.requests[seen:])
    parts = [*(f"/positions/{page}" for page in range(4)), "/positions"]
    # One pass, and the one look of a witness that a sale needs.
    assert {of: read[of] for of in parts} == dict.fromkeys(parts, 1)
    assert read["/ledger"] == 2


def _done(asked: list[Future[Any]]) -> int:
    return sum(of.done() for of in asked)


# Where the reading of a run is when its process is stopped: at its beginning, and at its end.
MOMENTS = {"before the last word": ("/tickle", 2), "at the first books": ("/ledger", 1)}


def test_a_process_stopped_past_its_lease_writes_nothing(
    tmp_path, database_url, request, effort, figure
):
    really = request.config.getoption("full")
    with street(tmp_path, database_url) as made:
        account = made.houses[0].linked()
        assert made.sync(0, account)[0] == 200
        tried = list(MOMENTS.values())[: effort(ci=1, full=len(MOMENTS))]
        for turn, moment in enumerate(tried):
            _stopped(made, account, turn, moment, really=really)
    figure(f"late commits after {len(tried)} SIGSTOPs on {made.engine.dialect.name}", 0)


def _stopped(
    made: Street, account: str, turn: int, moment: tuple[str, int], *, really: bool
) -> None:
    first, before = made.houses[0], made.runs()
    # A run that begins sooner does with the last tickle of the one before.
    ended = made.gateway.requests[-1].at
    wait_until(lambda: datetime.now(UTC) - ended > STILL_TRUE)
    made.gateway.hold(*moment)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(made.sync, 0, account)
        assert made.gateway.reached.wait(60)
        first.signal(signal.SIGSTOP)
        try:
            made.gateway.simulator.sell(MAIN, made.gateway.state.accounts[MAIN].held[turn].ticker)
            newer = _overtake(made, account, really=really)
            stands = look(made.engine)
        finally:
            first.signal(signal.SIGCONT)
        made.gateway.go.set()
        assert late.result(120) == (202, newer)
    assert look(made.engine) == stands
    ended = [status for run, (status, _) in made.runs().items() if run not in before]
    assert sorted(ended) == ["interrupted", "succeeded"]


def _overtake(made: Street, account: str, *, really: bool) -> str:
    """Another process finds something new, once the time of the stopped one is over; its run."""
    if really:
        (until,) = made.ask("SELECT max(until) FROM lease")[0]
        end = datetime.fromisoformat(str(until)).replace(tzinfo=UTC)
        assert end - datetime.now(UTC) <= LASTS
        wait_until(lambda: datetime.now(UTC) > end)
    else:
        made.let_leases_end()
    status, run = made.sync(1, account)
    truth = digest_of(made.gateway.state.accounts[MAIN])
    assert (status, made.runs()[run]) == (200, ("succeeded", truth))
    return str(run)
