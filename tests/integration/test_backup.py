"""Copies of the database, lost and damaged ones, and upgrades that are cut short."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from alembic.operations.base import BatchOperations

from portfolio.app import create_app, prepare_database
from portfolio.db import backup
from portfolio.db.base import db
from portfolio.db.migrating import run_migrations
from portfolio.errors import SetupProblem
from portfolio.settings import Settings
from tests.integration.conftest import no_room
from tests.integration.db.released import contents
from tests.integration.test_cli import run

THEN = "2026-11-20 12:00:00.000000"


def answer(data, statement):
    with closing(sqlite3.connect(data / "foliosync.db")) as database:
        rows = database.execute(statement).fetchall()
        database.commit()
        return rows


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    assert run("db", "upgrade", data=folder).returncode == 0
    portfolio(folder, "first")
    return folder


def portfolio(data, name):
    statement = (
        "INSERT INTO portfolio (owner_id, name, base_currency, created_at)"
        f" VALUES (1, '{name}', 'EUR', '{THEN}')"
    )
    answer(data, statement)


def names(data):
    return [row[0] for row in answer(data, "SELECT name FROM portfolio ORDER BY id")]


def test_a_copy_comes_back_and_the_former_state_is_kept(data, tmp_path):
    copy = tmp_path / "copy.db"
    done = run("backup", str(copy), data=data)
    assert (done.returncode, done.stdout) == (0, f"{copy} is a verified copy of the database.\n")
    assert oct(copy.stat().st_mode)[-3:] == "600"
    portfolio(data, "second")
    restored = run("restore", str(copy), data=data)
    assert restored.returncode == 0, restored.stderr
    assert names(data) == ["first"]
    (kept,) = data.glob("foliosync-before-restore-*.db")
    assert str(kept) in restored.stdout
    assert "Every login, token and open invitation of the copy is ended" in restored.stdout
    assert run("restore", str(kept), data=data).returncode == 0
    assert names(data) == ["first", "second"]


def test_a_disk_without_room_for_the_former_state_leaves_it_where_it_is(
    data, tmp_path, monkeypatch
):
    copy, database = tmp_path / "copy.db", data / "foliosync.db"
    backup.copy(database, copy)
    portfolio(data, "second")

    def full(*_):
        raise SetupProblem("It could not be copied (database or disk is full); nothing changed.")

    with monkeypatch.context() as during:
        during.setattr(backup, "copy", full)
        with pytest.raises(SetupProblem, match="nothing changed"):
            backup.restore(database, copy, datetime(2026, 11, 25, tzinfo=UTC), without=())
    assert names(data) == ["first", "second"]
    assert [of.name for of in data.glob("*.db")] == ["foliosync.db"]
    backup.restore(database, copy, datetime(2026, 11, 25, tzinfo=UTC), without=())
    assert names(data) == ["first"]


def test_a_copy_for_which_there_is_no_room_leaves_nothing_behind(data, tmp_path):
    # More than SQLite keeps in memory, so that it writes before the end.
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    answer(data, f"CREATE TABLE large AS {numbers} SELECT hex(zeroblob(500)) AS text FROM n")
    (folder := tmp_path / "copies").mkdir()
    with no_room(50_000), pytest.raises(SetupProblem, match="nothing changed"):
        backup.copy(data / "foliosync.db", folder / "copy.db")
    assert list(folder.iterdir()) == []
    backup.copy(data / "foliosync.db", folder / "copy.db")
    assert [of.name for of in folder.iterdir()] == ["copy.db"]


def test_a_new_database_is_readable_by_its_owner_alone(tmp_path):
    file = tmp_path / "foliosync.db"
    # What a look at a database leaves where there is none.
    file.touch(mode=0o644)
    app = create_app(Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path)}))
    prepare_database(app)
    with app.app_context(), db.engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM portfolio")
        modes = {of.name: of.stat().st_mode & 0o777 for of in tmp_path.glob("foliosync.db*")}
        db.engine.dispose()
    assert modes.keys() >= {"foliosync.db", "foliosync.db-wal"}
    assert set(modes.values()) == {0o600}
    brought_back = tmp_path / "elsewhere" / "foliosync.db"
    backup.restore(brought_back, file, datetime(2026, 11, 25, tzinfo=UTC), without=())
    assert brought_back.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_not_overwritten(data, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_text("something else", encoding="utf-8")
    done = run("backup", str(copy), data=data)
    assert (done.returncode, "is there already" in done.stderr) == (1, True)
    assert copy.read_text(encoding="utf-8") == "something else"


def test_a_copy_has_its_name_once_it_is_whole(data, tmp_path, monkeypatch):
    copy, seen = tmp_path / "copy.db", []
    verify = backup.verify

    def looked(connection, file):
        verify(connection, file)
        seen.append((copy.exists(), oct(file.stat().st_mode)[-3:]))

    monkeypatch.setattr(backup, "verify", looked)
    backup.copy(data / "foliosync.db", copy)
    assert seen == [(False, "600")]
    # The key lies beside the data folder, and in no copy.
    files = {each.name for each in tmp_path.iterdir() if each.is_file()}
    assert files == {"copy.db", "data.key"}
    with pytest.raises(SetupProblem, match="is there already"):
        backup.copy(data / "foliosync.db", copy)


def test_a_copy_is_named_where_a_file_system_has_no_links(data, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError("no links here")

    monkeypatch.setattr(backup.os, "link", refused)
    backup.copy(data / "foliosync.db", tmp_path / "copy.db")
    files = {each.name for each in tmp_path.iterdir() if each.is_file()}
    assert files == {"copy.db", "data.key"}
    assert backup.revision_of(tmp_path / "copy.db")


def test_a_copy_that_came_into_being_meanwhile_is_not_overwritten(data, tmp_path, monkeypatch):
    copy = tmp_path / "copy.db"
    monkeypatch.setattr(backup, "verify", lambda *_: copy.write_text("theirs", encoding="utf-8"))
    with pytest.raises(SetupProblem, match="is there already"):
        backup.copy(data / "foliosync.db", copy)
    assert copy.read_text(encoding="utf-8") == "theirs"


def test_an_upgrade_that_ended_before_its_mark_sets_it_at_the_next_start(data):
    mark = data / ".foliosync.db.made"
    mark.unlink()
    assert run("db", "upgrade", data=data).returncode == 0
    assert mark.exists()


def truncated(copy, data):
    copy.write_bytes((data / "foliosync.db").read_bytes()[:9000])


def cut_at_a_page(copy, data):
    run("backup", str(copy), data=data)
    copy.write_bytes(copy.read_bytes()[: 4096 * 20])


def damaged_inside(copy, data):
    run("backup", str(copy), data=data)
    content = bytearray(copy.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    copy.write_bytes(content)


def with_bytes_for_a_text(copy, data):
    run("backup", str(copy), data=data)
    spoil_name(copy, "x'ff00'")


def with_a_text_that_is_none(copy, data):
    run("backup", str(copy), data=data)
    spoil_name(copy, "CAST(x'41ff42' AS TEXT)")


def spoil_name(file, value):
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"UPDATE portfolio SET name = {value}")
        database.commit()


def foreign_with_names_of_ours(copy, data):
    with closing(sqlite3.connect(copy)) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("CREATE TABLE portfolio (name TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('0006')")
        database.commit()


def foreign(copy, data):
    with closing(sqlite3.connect(copy)) as database:
        database.execute("CREATE TABLE songs (name TEXT)")


def newer(copy, data):
    run("backup", str(copy), data=data)
    with closing(sqlite3.connect(copy)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()


def text(copy, data):
    copy.write_text("not a database, only some text in a file", encoding="utf-8")


def absent(copy, data):
    pass


SPOILS = [truncated, cut_at_a_page, damaged_inside, foreign, foreign_with_names_of_ours]
SPOILS += [newer, text, absent, with_bytes_for_a_text, with_a_text_that_is_none]


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_is_no_whole_copy_is_refused_with_a_reason(data, tmp_path, spoil):
    copy = tmp_path / "copy.db"
    spoil(copy, data)
    before = contents(f"sqlite:///{data / 'foliosync.db'}")
    done = run("restore", str(copy), data=data)
    assert done.returncode == 1
    assert done.stderr.startswith("foliosync: ")
    assert "Traceback" not in done.stderr
    assert names(data) == ["first"]
    assert contents(f"sqlite:///{data / 'foliosync.db'}") == before
    assert not list(data.glob("*before-restore*"))


@pytest.mark.parametrize("value", ["x'ff00'", "CAST(x'41ff42' AS TEXT)"])
def test_a_copy_that_nobody_could_read_is_not_called_verified(data, tmp_path, value):
    copy = tmp_path / "copy.db"
    spoil_name(data / "foliosync.db", value)
    done = run("backup", str(copy), data=data)
    assert done.returncode == 1
    assert "portfolio has bytes where a text belongs" in done.stderr
    assert not copy.exists()
    spoil_name(data / "foliosync.db", "'first again'")
    assert run("backup", str(copy), data=data).returncode == 0
    spoil_name(data / "foliosync.db", value)
    assert run("restore", str(copy), data=data).returncode == 0
    assert names(data) == ["first again"]
    (kept,) = data.glob("foliosync-damaged-*.db")
    assert kept.stat().st_size


@pytest.mark.parametrize("lose", ["gone", "empty", "damaged", "cut"])
def test_a_lost_database_is_never_taken_for_a_fresh_one(data, tmp_path, lose):
    copy, database = tmp_path / "copy.db", data / "foliosync.db"
    assert run("backup", str(copy), data=data).returncode == 0
    whole = database.read_bytes()
    for tail in ("-wal", "-shm"):
        database.with_name(database.name + tail).unlink(missing_ok=True)
    spoiled = {"gone": None, "empty": b"", "damaged": b"x" * 5000, "cut": whole[:20_480]}[lose]
    database.unlink()
    if spoiled is not None:
        database.write_bytes(spoiled)
    done = run("run", data=data, FOLIOSYNC_PORT="8999")
    assert done.returncode == 1
    assert "foliosync restore FILE" in done.stderr
    assert (database.read_bytes() if database.exists() else None) == spoiled
    assert run("restore", str(copy), data=data).returncode == 0
    assert names(data) == ["first"]


@pytest.mark.parametrize("last", ["by_currency", "last_calls", "futures_profit_counts"])
def test_an_upgrade_that_is_cut_short_can_be_run_again(tmp_path, monkeypatch, last):
    data = tmp_path / "old"
    app = create_app(Settings.load({"FOLIOSYNC_DATA_DIR": str(data)}))
    with app.app_context():
        run_migrations(revision="0001")
    answer(data, f"INSERT INTO user (id, name, created_at) VALUES (1, 'owner', '{THEN}')")
    portfolio(data, "first")
    original = BatchOperations.add_column

    def fail_late(self, column, **more):
        if column.name == last:
            raise KeyboardInterrupt
        return original(self, column, **more)

    monkeypatch.setattr(BatchOperations, "add_column", fail_late)
    with pytest.raises(KeyboardInterrupt):
        prepare_database(app)
    assert answer(data, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert "rates_revision" not in str(answer(data, "PRAGMA table_info(user)"))
    monkeypatch.undo()
    copy = prepare_database(app)
    assert copy.exists()
    with app.app_context(), db.engine.connect() as connection:
        # The upgrade ignores references while it rebuilds tables; nothing after it may.
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert answer(data, "SELECT rates_revision FROM user") == [(0,)]
    assert names(data) == ["first"]
    with app.app_context():
        db.engine.dispose()
