"""Storage that fails: the N-th write of a task, for every N; always the old state or the new."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from portfolio.app import create_app
from portfolio.db import session as db_session
from portfolio.db.base import db
from portfolio.db.migrating import run_migrations
from portfolio.settings import Settings
from tests.integration.conftest import make_desk
from tests.proof.disk import FROM_THEN_ON, ONCE, Disk, built, disk_below
from tests.proof.house import ROOT, House
from tests.proof.stand import JSON, KIDS, MAIN, Stand, answer, content, is_whole, stand
from tests.proof.truth import look

# Far more than any of these tasks makes.
MOST = 3_000
WAYS = [("ENOSPC", FROM_THEN_ON), ("EIO", FROM_THEN_ON), ("ENOSPC", ONCE), ("EIO", ONCE)]
NAMES = {FROM_THEN_ON: "from then on", ONCE: "once"}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("disk"))


@pytest.fixture
def disk(tmp_path: Path, library: Path) -> Iterator[Disk]:
    with disk_below(tmp_path / "data", library) as found:
        yield found


def numbers(count: int, wanted: int) -> list[int]:
    """So many of the numbers up to `count`, evenly: the first and the last are among them."""
    if wanted >= count:
        return list(range(1, count + 1))
    return sorted({1 + (count - 1) * each // (wanted - 1) for each in range(wanted)})


def counted(disk: Disk, task: Callable[[], Any]) -> int:
    """How many writes a task makes when all is well."""
    with disk.failing(0, "EIO", ONCE):
        task()
        return disk.seen


def schedules(count: int, wanted: int, ways: int = 4) -> Iterator[tuple[int, str, int]]:
    """So many ways to fail at so many of the writes."""
    for error, mode in WAYS[:ways]:
        for number in numbers(count, wanted):
            yield number, error, mode


def code_of(answer: Any) -> str:
    """The code of a failure, in whichever of the documented shapes it came."""
    # One client has a method for it, the other an attribute.
    body = answer.json() if callable(answer.json) else answer.json
    assert body["error"]["message"], body
    assert body["error"]["remedy"], body
    return str(body["error"]["code"])


def fail_a_sync(at: Stand, number: int, error: str, mode: int) -> str:
    """One sync whose N-th write fails; what became of it."""
    which = f"sync: write {number} fails with {error}, {NAMES[mode]}"
    old, new = at.sides.stored[1 - at.sides.side], at.sides.stored[at.sides.side]
    _, shown_before = at.shown()
    assert at.state() == old, which
    with at.disk.failing(number, error, mode):
        done = at.house.call("POST", f"{at.url}/sync", headers=JSON)
        failed = at.disk.failed
        page, shown = at.shown()
    assert page == 200, which
    assert done.status_code in (200, 503), f"{which}: {done.status_code} {done.text}"
    found = at.state()
    if done.status_code == 503:
        assert code_of(done) == "storage_failed", f"{which}: {done.text}"
        assert (found, shown) == (old, shown_before), which
    else:
        assert done.json()["run"]["status"] == "succeeded", f"{which}: {done.text}"
        assert found == new, which
    at.sync()
    assert at.state() == new, f"{which}: the next sync is not whole"
    assert found[0].twice == (), which
    at.sides.turn()
    return f"{done.status_code}" if failed else "not reached"


def tried(at: Stand, wanted: int, ways: int = 4) -> Counter[str]:
    """Syncs that fail at so many of their writes, in so many ways."""
    at.sides.learn(at)
    count = counted(at.disk, at.sync)
    at.sides.turn()
    results: Counter[str] = Counter({"writes": count})
    for number, error, mode in schedules(count, wanted, ways):
        results[fail_a_sync(at, number, error, mode)] += 1
    assert is_whole(at.file)
    return results


def test_a_write_of_a_sync_fails(disk, effort, figure):
    with stand(disk, KIDS) as at:
        results = tried(at, effort(ci=4, full=MOST))
    assert results["503"], results
    assert results["200"], results
    figure("a write of a sync fails (7 positions)", dict(results))


def test_a_write_of_a_large_sync_fails(disk, effort, figure):
    with stand(disk, MAIN) as at:
        results = tried(at, effort(ci=2, full=MOST), effort(ci=1, full=4))
    assert results["503"], results
    figure("a write of a sync fails (230 positions)", dict(results))


def sheet(quantity: int) -> str:
    """A file of holdings and cash; the quantity tells one from another."""
    lines = [f"S{n},stock,USD,{quantity + n},10.5" for n in range(40)]
    return "\n".join(["symbol,kind,currency,quantity,average price", *lines])


@dataclass(kw_only=True)
class Import:
    """An account kept by hand, and files that change it to and fro."""

    house: House
    disk: Disk
    quantity: int = 100

    def send(self, quantity: int) -> Any:
        """Import a file."""
        url = "/api/v1/portfolios/1/accounts/Hand/import"
        return self.house.call("POST", url, json={"csv": sheet(quantity), "apply": True})

    def state(self) -> Any:
        """What is kept by hand."""
        return look(f"sqlite:///{self.disk.folder / 'foliosync.db'}").by_hand

    def fail(self, number: int, error: str, mode: int) -> str:
        """One import whose N-th write fails; what became of it."""
        which = f"import: write {number} fails with {error}, {NAMES[mode]}"
        before, self.quantity = self.state(), self.quantity + 1
        with self.disk.failing(number, error, mode):
            done = self.send(self.quantity)
            failed = self.disk.failed
            page = self.house.call("GET", "/portfolio/1/accounts/Hand")
        assert page.status_code == 200, which
        found = self.state()
        if done.status_code == 503:
            assert code_of(done) == "storage_failed", which
            assert found == before, which
        else:
            assert (done.status_code, done.json()["changed"]) == (200, 40), f"{which}: {done.text}"
        again = self.send(self.quantity)
        assert again.json()["changed" if done.status_code == 503 else "unchanged"] == 40, which
        assert [row[8] for row in self.state() if row[5] == "S3"] == [str(self.quantity + 3)]
        return f"{done.status_code}" if failed else "not reached"


def test_a_write_of_an_import_fails(disk, effort, figure):
    with stand(disk, KIDS) as at:
        made = {"name": "Hand", "currency": "USD"}
        at.house.call("POST", "/api/v1/portfolios/1/accounts", json=made)
        of = Import(house=at.house, disk=disk)
        assert of.send(99).json()["added"] == 40
        count = counted(disk, lambda: of.send(of.quantity))
        results: Counter[str] = Counter({"writes": count})
        for number, error, mode in schedules(count, effort(ci=3, full=MOST)):
            results[of.fail(number, error, mode)] += 1
        assert is_whole(at.file)
    assert results["503"], results
    figure("a write of an import fails (40 lines)", dict(results))


@dataclass(kw_only=True)
class Upgrade:
    """A database of the first schema that is brought up to date, again and again."""

    disk: Disk
    commands: subprocess.Popen[str]
    errors: Path
    old: Path
    upgraded: Any = None

    @property
    def file(self) -> Path:
        """The database."""
        return self.disk.folder / "foliosync.db"

    def begin(self) -> None:
        """Back to the first schema."""
        shutil.rmtree(self.disk.folder)
        shutil.copytree(self.old, self.disk.folder)

    def run(self) -> int:
        """Upgrade; the exit status."""
        self.errors.write_text("")
        assert self.commands.stdin is not None
        assert self.commands.stdout is not None
        self.commands.stdin.write("db upgrade\n")
        self.commands.stdin.flush()
        return int(self.commands.stdout.readline())

    def kept(self) -> Any:
        """What every revision has: the schema's number, and what somebody holds."""
        held = "SELECT id, account_id, instrument_id, quantity, opened_at FROM holding ORDER BY id"
        rows = answer(self.file, held)
        return answer(self.file, "SELECT version_num FROM alembic_version"), rows

    def fail(self, number: int, error: str, mode: int) -> str:
        """One upgrade whose N-th write fails; what became of it."""
        which = f"upgrade: write {number} fails with {error}, {NAMES[mode]}"
        self.begin()
        before = content(self.file)
        with self.disk.failing(number, error, mode):
            status, failed = self.run(), self.disk.failed
        said = self.errors.read_text()
        assert "Traceback" not in said, f"{which}: {said}"
        if status:
            assert said.splitlines()[-1].startswith("foliosync: "), f"{which}: {said}"
        if not status or content(self.file) != before:
            assert self.kept() == self.upgraded, f"{which}: {said}"
        for copy in self.disk.folder.glob("foliosync-before-upgrade-*.db"):
            assert content(copy) == before, f"{which}: {copy.name} is no whole copy"
        assert self.run() == 0, f"{which}: then {self.errors.read_text()}"
        assert self.kept() == self.upgraded, which
        assert is_whole(self.file), which
        return f"status {status}" if failed else "not reached"


OLD_ROWS = """
INSERT INTO user (id, name, created_at) VALUES (1, 'owner', :then);
INSERT INTO portfolio (id, owner_id, name, base_currency, created_at)
  VALUES (1, 1, 'P', 'USD', :then);
INSERT INTO account (id, portfolio_id, name, currency, mode, revision, created_at)
  VALUES (1, 1, 'A', 'USD', 'manual', 1, :then);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
  INSERT INTO instrument (id, owner_id, source, symbol, kind, currency, multiplier)
  SELECT i, 1, 'manual', 'S' || i, 'stock', 'USD', '1' FROM n;
INSERT INTO holding (id, account_id, instrument_id, source, source_account, quantity, opened_at)
  SELECT id, 1, id, 'manual', '', id || '.25', :then FROM instrument;
"""


def first_schema(folder: Path) -> None:
    """A database as the first version left it, with holdings in it."""
    app = create_app(Settings.load({"FOLIOSYNC_DATA_DIR": str(folder)}))
    with app.app_context():
        run_migrations(revision="0001")
        with db.engine.begin() as connection:
            for statement in OLD_ROWS.strip().split(";\n"):
                values = {"then": "2026-01-02 03:04:05"} if ":then" in statement else {}
                connection.execute(text(statement.rstrip(";")), values)
        db.engine.dispose()


@contextmanager
def upgrades(disk: Disk, tmp_path: Path) -> Iterator[Upgrade]:
    """Upgrades in processes of their own."""
    first_schema(disk.folder)
    old = tmp_path / "old"
    shutil.copytree(disk.folder, old)
    environ = House(data=disk.folder, gateway="https://127.0.0.1:1", more=disk.environ).environ
    errors = tmp_path / "errors"
    with errors.open("a") as log:
        commands = subprocess.Popen(
            [sys.executable, "-m", "tests.proof.forks"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with commands:
        try:
            yield Upgrade(disk=disk, commands=commands, errors=errors, old=old)
        finally:
            commands.kill()


def test_a_write_of_an_upgrade_fails(disk, tmp_path, effort, figure):
    with upgrades(disk, tmp_path) as of:
        of.begin()
        count = counted(disk, of.run)
        of.upgraded = of.kept()
        assert of.upgraded[0] != [("0001",)]
        assert len(of.upgraded[1]) == 200
        results: Counter[str] = Counter({"writes": count})
        for number, error, mode in schedules(count, effort(ci=3, full=MOST)):
            results[of.fail(number, error, mode)] += 1
    assert results["status 1"], results
    figure("a write of an upgrade fails", dict(results))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """A database that another program writes to, and does not let go."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_database_is_locked_for_ten_seconds(disk, figure):
    with stand(disk, KIDS) as at:
        at.sides.learn(at)
        _, before = at.shown()
        with locked(at.file), ThreadPoolExecutor(1) as pool:
            asked = pool.submit(at.house.call, "POST", f"{at.url}/sync", headers=JSON)
            looks = 0
            while not asked.done():
                assert at.shown() == (200, before)
                looks += 1
            done = asked.result()
        assert (done.status_code, code_of(done)) == (503, "storage_busy")
        assert int(done.headers["Retry-After"]) > 0
        assert at.state() == at.sides.stored[1 - at.sides.side]
        at.sync()
        assert at.state() == at.sides.stored[at.sides.side]
    assert looks > 1
    figure("locked for 10 s: pages read meanwhile, then 503 storage_busy", "at least 2")


def test_a_database_is_locked_in_the_middle_of_a_sync(tmp_path, monkeypatch):
    monkeypatch.setattr(db_session, "BUSY_TIMEOUT_MS", 200)
    made = make_desk({"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_TIMEZONE": "UTC"})
    desk = next(made)
    url, file = desk.connected(), tmp_path / "foliosync.db"
    desk.simulator.sell("U1234567", "SPY")
    before = look(f"sqlite:///{file}")
    lock = sqlite3.connect(file, isolation_level=None, check_same_thread=False)

    def take(path: str, reply: Any) -> Any:
        if path.endswith("/ledger") and not lock.in_transaction:
            lock.execute("BEGIN IMMEDIATE")
        return reply

    with closing(lock):
        desk.simulator.state.rewrites.append(take)
        done = desk.sync(url)
        assert (done.status_code, code_of(done)) == (503, "storage_busy")
        page = desk.program.get(url, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert look(f"sqlite:///{file}") == before
        desk.simulator.state.rewrites.clear()
        lock.execute("ROLLBACK")
    again = desk.sync(url)
    assert (again.status_code, again.json["run"]["closed"]) == (200, 1)
    runs = answer(file, "SELECT status, reason FROM sync_run ORDER BY started_at DESC LIMIT 2")
    assert runs == [("succeeded", None), ("failed", "storage_busy")]
    next(made, None)
