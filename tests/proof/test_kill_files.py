"""Killed at any moment, upgrades, backups and restores leave a whole database, old or new."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, MetaData, create_engine, text

from portfolio.app import create_app
from portfolio.db.base import db
from portfolio.db.migrating import run_migrations
from portfolio.settings import Settings
from tests.proof import points
from tests.proof.house import ROOT
from tests.proof.kills import KILLED, LAUNCHER, Blow, contents, of_file, opened, sound

# What a start writes for itself, with its own time, or sealed anew.
OWN = frozenset({"alembic_version", "messenger", "key_check"})
THEN = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLDEST = "0001"
# About what all migrations of a filled database take.
STATEMENTS = 110
UPGRADE = ("copied", "upgrade: committing", "upgrade: committed", "migrated")


@dataclass
class Command:
    """The shipped command as a process that can be killed while it works on a folder."""

    data: Path
    group: str
    more: dict[str, str] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)

    @property
    def armed(self) -> Path:
        """The file that says where it ends."""
        return self.data.parent / "armed"

    def begin(self, *arguments: str, program: tuple[str, ...] = LAUNCHER) -> Any:
        """Start it."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
        environ |= {"FOLIOSYNC_DATA_DIR": str(self.data), "FOLIOSYNC_TIMEZONE": "UTC"}
        environ |= {points.FILE: str(self.armed), points.GROUP: self.group, **self.more}
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> str:
        """Run the shipped command to its good end; returns what it says."""
        process = self.begin(*arguments, program=("-m", "portfolio.cli"))
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return str(said)

    def strike(self, blow: Blow, nonce: object, *arguments: str) -> bool:
        """Run it and kill it meanwhile; whether it came to its end before."""
        if blow.by_point:
            points.arm(self.armed, blow.point, blow.number, nonce)
        process = self.begin(*arguments)
        if blow.kind == "bytes":
            _kill_when_written(process, self.data.parent, blow.number)
        timer = threading.Timer(blow.seconds, process.kill)
        if blow.kind == "time":
            timer.start()
        said, _ = process.communicate(timeout=120)
        timer.cancel()
        self.armed.unlink(missing_ok=True)
        assert process.returncode in (0, KILLED), said
        assert process.returncode == KILLED or blow.kind != "point", f"{blow} was not reached"
        return bool(process.returncode == 0)


def size(folder: Path) -> int:
    """The bytes of all files below a folder."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def _kill_when_written(process: Any, folder: Path, more: int) -> None:
    """Kill once so many bytes were written; looks as fast as it can."""
    goal = size(folder) + more
    while process.poll() is None:
        if size(folder) >= goal:
            process.kill()
            return


def report(figure: Callable[[str, object], None], what: str, tally: Counter[str]) -> None:
    for name, count in tally.items():
        figure(f"kill: {what}: {name}", count)
    figure(f"kill: {what}: kills", tally["old"] + tally["new"])
    figure(f"kill: {what}: torn, or acknowledged and lost", 0)


def note(tally: Counter[str], blow: Blow, *, new: bool) -> None:
    """Note what a blow left."""
    left = "new" if new else "old"
    tally[left] += 1
    tally[f"{blow.name}: {left}"] += 1


# Backups and restores.


@pytest.fixture
def filled(tmp_path: Path, draw: Callable[..., random.Random]) -> Command:
    """A database of several megabytes."""
    command = Command(data=tmp_path / "work" / "data", group="copy")
    command.data.parent.mkdir()
    command.run("db", "upgrade")
    fill(database(command), "first", draw("kill", "fill"))
    return command


def database(command: Command) -> Path:
    """Where it is."""
    return command.data / "foliosync.db"


def fill(file: Path, word: str, random_: random.Random) -> None:
    """Write 300 rows of 20,000 characters that cannot be mistaken for others."""
    insert = "INSERT INTO setting (owner_id, key, value) VALUES (1, :key, :value)"
    engine = opened(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM setting"))
        rows = [
            {"key": f"{word}{n}", "value": random_.randbytes(10_000).hex()} for n in range(300)
        ]
        connection.execute(text(insert), rows)
        # The change is in the file itself, not beside it.
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def copying(
    number: int, draw: random.Random, names: tuple[tuple[str, int], ...], most: int
) -> Blow:
    """The blow of a round: at a named point each third time, else after so many bytes."""
    if number % 3 == 2:
        name, hit = names[number // 3 % len(names)]
        return Blow(kind="point", point=name, number=hit)
    return Blow(kind="bytes", number=draw.randint(1, most))


def test_a_killed_backup_is_absent_or_whole(filled, effort, draw, figure, tmp_path):
    names = (("before verifying", 1), ("verified", 1))
    whole, tally = of_file(database(filled)), filled.tally
    length = database(filled).stat().st_size
    for number in range(effort(ci=4, full=50)):
        blow = copying(number, draw("kill", "backup", number), names, int(length * 1.02))
        where = f"backup {number}: {blow}"
        copy = filled.data.parent / f"copy{number}.db"
        done = filled.strike(blow, number, "backup", str(copy))
        assert of_file(database(filled)) == whole, where
        assert copy.exists() or not done, where
        note(tally, blow, new=copy.exists())
        if copy.exists():
            assert of_file(copy) == whole, f"{where}: half a copy has the name of a whole one"
            copy.unlink()
        filled.run("backup", str(copy))
        assert of_file(copy) == whole, where
        copy.unlink()
    report(figure, "backup", tally)


def test_a_killed_restore_leaves_the_old_or_the_restored(filled, effort, draw, figure, tmp_path):
    names = (("verified", 1), ("verified", 2), ("kept", 1), ("before verifying", 3))
    copy, template = tmp_path / "copy.db", tmp_path / "template.db"
    filled.run("backup", str(copy))
    fill(database(filled), "second", draw("kill", "second"))
    restored, former = of_file(copy), of_file(database(filled))
    shutil.copyfile(database(filled), template)
    # The copy, the former database and the restored one are written.
    most = template.stat().st_size * 3
    for number in range(effort(ci=4, full=50)):
        blow = copying(number, draw("kill", "restore", number), names, most)
        where = f"restore {number}: {blow}"
        renewed(filled.data, template)
        done = filled.strike(blow, number, "restore", str(copy))
        left = but_own(of_file(database(filled)))
        assert left in (but_own(former), but_own(restored)), f"{where}: torn"
        new = left == but_own(restored)
        assert new or not done, f"{where}: acknowledged and lost"
        note(filled.tally, blow, new=new)
        kept = list(filled.data.glob("*-before-restore-*.db"))
        assert kept or not new, f"{where}: the former database was not kept"
        for each in kept:
            assert of_file(each) == former, f"{where}: what was kept is not whole"
        filled.run("restore", str(copy))
        assert but_own(of_file(database(filled))) == but_own(restored), where
    report(figure, "restore", filled.tally)


def but_own(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: rows for name, rows in found.items() if name not in OWN}


def renewed(data: Path, template: Path) -> None:
    """The folder with this database, and nothing else."""
    shutil.rmtree(data)
    data.mkdir()
    shutil.copyfile(template, data / "foliosync.db")


# Upgrades.


@dataclass
class Old:
    """A database of the first schema, of which each round gets a fresh one."""

    template: str
    fresh: Callable[[int], str]

    def kind(self) -> str:
        """Which database."""
        return self.template.partition(":")[0].partition("+")[0]


@pytest.fixture
def old(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Old]:
    """The same data in the first schema, on each database."""
    settings = {"FOLIOSYNC_DATA_DIR": str(tmp_path / "t"), "FOLIOSYNC_DATABASE_URL": database_url}
    app = create_app(Settings.load(settings))
    with app.app_context():
        run_migrations(revision=OLDEST)
        db.session.remove()
        db.engine.dispose()
    in_first_schema(opened(database_url))
    if database_url.startswith("sqlite"):
        yield Old(template=database_url, fresh=_file_of(database_url, tmp_path))
        return
    made: list[str] = []
    yield Old(template=database_url, fresh=_clones_of(database_url, made))
    for name in made:
        _administer(database_url, f"DROP DATABASE {name} WITH (FORCE)")


def _file_of(url: str, folder: Path) -> Callable[[int], str]:
    def fresh(_number: int) -> str:
        renewed_folder = folder / "work" / "data"
        renewed_folder.mkdir(parents=True, exist_ok=True)
        renewed(renewed_folder, Path(url.removeprefix("sqlite:///")))
        return f"sqlite:///{renewed_folder / 'foliosync.db'}"

    return fresh


def _clones_of(url: str, made: list[str]) -> Callable[[int], str]:
    def fresh(_number: int) -> str:
        before, _, template = url.rpartition("/")
        made.append(f"k{uuid4().hex}")
        _administer(url, f"CREATE DATABASE {made[-1]} TEMPLATE {template}")
        return f"{before}/{made[-1]}"

    return fresh


def _administer(url: str, statement: str) -> None:
    admin = create_engine(url.rpartition("/")[0] + "/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(statement))
    admin.dispose()


def in_first_schema(engine: Engine) -> None:
    """Rows of every kind that somebody may have had, without the program's own code."""
    tables = MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for name, rows in ROWS.items():
            table = tables.tables[name]
            connection.execute(table.insert(), [_fitting(engine, table, row) for row in rows])


def _fitting(engine: Engine, table: Any, row: dict[str, Any]) -> dict[str, Any]:
    """A row with the types that the driver wants; SQLite keeps numbers as text."""
    exact = engine.dialect.name != "sqlite"
    return {
        key: value if exact or not isinstance(value, Decimal) else str(value)
        for key, value in row.items()
    }


def _holding(number: int) -> dict[str, Any]:
    return {
        "account_id": 1,
        "instrument_id": number,
        "source": "ibkr",
        "source_account": "U1",
        "quantity": Decimal(number) / 8,
        "average_price": Decimal("1.25"),
        "opened_at": THEN,
        "notes": f"note {number}",
    }


def _instrument(number: int) -> dict[str, Any]:
    named = {"symbol": f"S{number}", "kind": "stock", "currency": "USD"}
    return {"id": number, "owner_id": 1, "source": "ibkr", "multiplier": Decimal(1), **named}


ROWS: dict[str, list[dict[str, Any]]] = {
    "user": [{"id": 1, "name": "owner", "created_at": THEN}],
    "gateway": [
        {
            "id": 1,
            "owner_id": 1,
            "broker": "ibkr",
            "address": "https://localhost:5000",
            "login_address": "https://localhost:5000",
            "created_at": THEN,
        }
    ],
    "portfolio": [
        {"id": 1, "owner_id": 1, "name": "P", "base_currency": "USD", "created_at": THEN}
    ],
    "account": [
        {
            "id": 1,
            "portfolio_id": 1,
            "name": "A",
            "currency": "USD",
            "mode": "connected",
            "revision": 3,
            "created_at": THEN,
        }
    ],
    "instrument": [_instrument(number) for number in range(1, 301)],
    "holding": [_holding(number) for number in range(1, 301)],
    "cash_balance": [
        {
            "account_id": 1,
            "currency": "USD",
            "source": "ibkr",
            "source_account": "U1",
            "amount": Decimal("12.5"),
        }
    ],
    "connection": [
        {
            "owner_id": 1,
            "account_id": 1,
            "gateway_id": 1,
            "broker": "ibkr",
            "broker_account": "U1",
            "manual_holdings": "keep",
            "sync_enabled": True,
            "paused": False,
            "created_at": THEN,
        }
    ],
    "daily_value": [
        {
            "account_id": 1,
            "day": date(2026, 11, day),
            "currency": "USD",
            "net_liquidation": Decimal(day),
            "read_at": THEN,
        }
        for day in range(1, 21)
    ],
}


def upgrading(number: int, draw: random.Random) -> Blow:
    """The blow of a round: a named point, a statement, or a moment."""
    kind = ("point", "statement", "statement", "point", "time")[number % 5]
    if kind == "point":
        names = UPGRADE
        return Blow(kind=kind, point=names[(number // 5 * 2 + number % 5 // 3) % len(names)])
    if kind == "statement":
        return Blow(kind=kind, point=points.STATEMENT, number=draw.randint(1, STATEMENTS))
    return Blow(kind=kind, seconds=draw.uniform(0.5, 2))


def test_a_killed_upgrade_can_be_run_again(old, effort, draw, figure, tmp_path):
    command = Command(data=tmp_path / "work" / "data", group="upgrade")
    command.data.mkdir(parents=True, exist_ok=True)
    former, kind = contents(opened(old.template)), old.kind()
    command.more["FOLIOSYNC_DATABASE_URL"] = url = old.fresh(0)
    command.run("db", "upgrade")
    present = contents(opened(url), but=OWN)
    assert json.dumps(present) != json.dumps(former)
    for number in range(effort(ci=5, full=50)):
        blow = upgrading(number, draw("kill", "upgrade", kind, number))
        if kind == "postgresql" and blow.point == "copied":
            # Nothing is copied there.
            blow = Blow(kind="point", point="migrated")
        where = f"upgrade {number} on {kind}: {blow}"
        command.more["FOLIOSYNC_DATABASE_URL"] = url = old.fresh(number + 1)
        done = command.strike(blow, number, "db", "upgrade")
        left = contents(opened(url))
        new = left != former
        assert not new or but_own(left).keys() == present.keys(), f"{where}: torn"
        assert new or not done, f"{where}: acknowledged and lost"
        note(command.tally, blow, new=new)
        whole_copies(command.data, former, where)
        command.run("db", "upgrade")
        assert contents(opened(url), but=OWN) == present, where
        if kind == "sqlite":
            sound(command.data / "foliosync.db")
            mark = command.data / ".foliosync.db.made"
            assert mark.exists(), f"{where}: a lost database would be taken for a fresh one"
        whole_copies(command.data, former, where)
    report(figure, f"upgrade, {kind}", command.tally)


def whole_copies(data: Path, former: dict[str, list[str]], where: str) -> None:
    """Each copy that was made before an upgrade is what was there."""
    for each in data.glob("*-before-upgrade-*.db"):
        assert of_file(each) == former, f"{where}: the copy is not whole"
