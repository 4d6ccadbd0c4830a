"""PostgreSQL that goes away in the middle of a sync: the old state or the new, truly told."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, make_url, text

from portfolio.db.base import db
from tests.conftest import as_postgres, fresh_database, postgres_tools, unused_port
from tests.integration.conftest import Desk, make_desk
from tests.proof.stand import KIDS, Sides
from tests.proof.truth import Truth, look
from tests.proof.wire import AFTER, BEFORE, Wire

# A cursor of a connection that is gone cannot be closed, and psycopg warns of that.
GONE = "ignore:Exception ignored in.*ServerCursorMixin:pytest.PytestUnraisableExceptionWarning"
pytestmark = [pytest.mark.postgres, pytest.mark.filterwarnings(GONE)]
DIGEST = "SELECT digest FROM sync_run WHERE status = 'succeeded' ORDER BY started_at DESC LIMIT 1"
RUNNING = "SELECT count(*) FROM sync_run WHERE status = 'running'"


@dataclass(kw_only=True)
class Place:
    """The application on PostgreSQL; `look_at` is an engine of the tests' own."""

    desk: Desk
    sides: Sides
    look_at: Engine
    url: str

    def state(self) -> tuple[Truth, str]:
        """What is held, and the digest of the last run that was applied."""
        return look(self.look_at), self.ask(DIGEST)

    def ask(self, statement: str) -> Any:
        """One value."""
        with self.look_at.connect() as connection:
            return connection.scalar(text(statement))

    def sync(self) -> None:
        """A sync that succeeds."""
        done = self.desk.sync(self.url)
        assert done.status_code == 200, done.text
        assert done.json["run"]["status"] == "succeeded", done.text

    def go_through(self, which: str) -> int:
        """One sync in which something happens; its status."""
        old, new = self.sides.stored[1 - self.sides.side], self.sides.stored[self.sides.side]
        assert self.state() == old, which
        done = self.desk.sync(self.url)
        page = self.desk.program.get(self.url, headers={"Accept": "text/html"})
        assert page.status_code == 200, f"{which}: the first page is {page.status_code}"
        assert done.status_code in (200, 503), f"{which}: {done.status_code} {done.text}"
        found = self.state()
        assert found == (new if done.status_code == 200 else old), f"{which}: {done.text}"
        if done.status_code == 503:
            code = done.json["error"]["code"]
            assert code in ("storage_failed", "storage_busy"), f"{which}: {done.text}"
        assert self.ask(RUNNING) == 0, f"{which}: a run that nobody carries out"
        self.sync()
        assert self.state() == new, f"{which}: the next sync is not whole"
        self.sides.turn()
        return int(done.status_code)


@contextmanager
def placed(url: str, through: str, tmp_path: Path) -> Iterator[Place]:
    """The application on a database, which it reaches `through` another address."""
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_DATABASE_URL": through}
    made = make_desk({**environ, "FOLIOSYNC_TIMEZONE": "UTC"})
    desk = next(made)
    look_at = create_engine(url, poolclass=NullPool)
    try:
        account = desk.account()
        desk.turn()
        assert desk.connect(account, account_id=KIDS).status_code == 201
        sides: Any = Sides(gateway=desk, account_id=KIDS)
        place = Place(desk=desk, sides=sides, look_at=look_at, url=account)
        sides.learn(place)
        yield place
    finally:
        look_at.dispose()
        next(made, None)


@pytest.fixture
def fresh(postgres_url: str) -> Iterator[str]:
    """A database of PostgreSQL that is empty."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
def wire(fresh: str) -> Iterator[Wire]:
    """A wire to the server."""
    server = make_url(fresh)
    made = Wire(str(server.host), int(server.port or 5432))
    yield made
    made.close()


def test_a_connection_is_lost_during_commit(fresh, wire, tmp_path, figure):
    through = make_url(fresh).set(port=wire.port).render_as_string(hide_password=False)
    results: Counter[str] = Counter()
    with placed(fresh, through, tmp_path) as place:
        wire.cut(0, BEFORE)
        place.sync()
        count = wire.commits
        place.sides.turn()
        place.sync()
        place.sides.turn()
        for side in (BEFORE, AFTER):
            for number in range(1, count + 1):
                which = f"cut {side} COMMIT {number} of {count}"
                wire.cut(number, side)
                status = place.go_through(which)
                assert wire.was_cut, which
                results[f"{side}: {status}"] += 1
    # The run's own COMMIT was carried out, and its answer lost: that is looked up.
    assert results["after: 200"] > results["before: 200"], results
    figure("connection lost during COMMIT of a sync", dict(results))


@contextmanager
def at_statement(place: Place, number: int, act: Callable[[], None]) -> Iterator[list[int]]:
    """Do something right before the N-th statement of the application; how many there were."""
    seen = [0]

    def count(*_: object) -> None:
        seen[0] += 1
        if seen[0] == number:
            act()

    with place.desk.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_the_back_ends_are_terminated_at_a_statement(fresh, tmp_path, effort, draw, figure):
    admin = create_engine(fresh, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def terminate() -> None:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        with admin.connect() as connection:
            kill = f"SELECT pg_terminate_backend(pid, 9000) FROM pg_stat_activity WHERE {others}"
            connection.execute(text(kill)).all()

    results: Counter[int] = Counter()
    with placed(fresh, fresh, tmp_path) as place:
        with at_statement(place, 0, terminate) as seen:
            place.sync()
        place.sides.turn()
        place.sync()
        place.sides.turn()
        wanted = effort(ci=6, full=seen[0])
        drawn = draw("R25").sample(range(1, seen[0] + 1), wanted)
        # The last ones read what has been stored: that must not look like a failure.
        for number in sorted({*drawn, *range(seen[0] - 2, seen[0] + 1)}):
            with at_statement(place, number, terminate):
                results[place.go_through(f"terminated at statement {number} of {seen[0]}")] += 1
    assert results[503], results
    figure(f"back ends terminated at a statement of a sync (of {seen[0]})", dict(results))


@dataclass(kw_only=True)
class Server:
    """A PostgreSQL of our own, which may be restarted."""

    control: list[str]
    options: str
    url: str

    def restart(self, how: str) -> None:
        """Stop it so ("fast" or "immediate"), and start it again."""
        as_postgres([*self.control, "-m", how, "-o", self.options, "restart"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    tools = postgres_tools()
    if tools is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path("/tmp") / f"foliosync-restarted-{uuid4().hex}"
    folder.mkdir()
    folder.chmod(0o777)
    data, port = folder / "data", unused_port()
    as_postgres([str(tools / "initdb"), "-D", str(data), "-U", "test", "-A", "trust", "-N"])
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = [str(tools / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    as_postgres([*control, "-o", options, "start"])
    try:
        url = f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
        yield Server(control=control, options=options, url=url)
    finally:
        as_postgres([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


def test_the_server_is_restarted_in_the_middle(server, tmp_path, effort, draw, figure):
    results: Counter[int] = Counter()
    with placed(server.url, server.url, tmp_path) as place:
        with at_statement(place, 0, lambda: None) as seen:
            place.sync()
        place.sides.turn()
        place.sync()
        place.sides.turn()
        for each in range(effort(ci=2, full=20)):
            how = ("fast", "immediate")[each % 2]
            number = draw("restart", each).randint(1, seen[0])
            with at_statement(place, number, lambda how=how: server.restart(how)):
                results[place.go_through(f"{how} restart at statement {number}")] += 1
        server.restart("fast")
        assert place.desk.program.get(place.url).status_code == 200
    figure("PostgreSQL restarted in the middle of a sync", dict(results))
