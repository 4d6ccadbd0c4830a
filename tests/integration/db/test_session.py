"""How an SQLite file is opened beside others who open it, and its connections are used."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from portfolio.db.base import db
from portfolio.db.session import CACHE_KB, TRIES, WAL, write_ahead


@pytest.fixture
def file(tmp_path):
    return tmp_path / "new.db"


@pytest.fixture
def other(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE made (x)")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO made VALUES (1)")
        yield connection


def test_who_opens_a_file_that_another_is_making_waits_for_it(file, other):
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as ours:
        # SQLite itself gives up at once.
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            ours.execute(WAL)

        def on(statement):
            if statement == "BEGIN IMMEDIATE":
                other.execute("COMMIT")

        ours.set_trace_callback(on)
        write_ahead(ours.cursor())
        assert ours.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ours.execute("SELECT x FROM made").fetchall() == [(1,)]


def test_a_file_that_stays_locked_is_an_error(file, other):
    with (
        closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as ours,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        write_ahead(ours.cursor())


def test_what_fails_again_and_again_is_an_error_in_the_end():
    asked = []

    class Failing:
        def execute(self, statement):
            asked.append(statement)
            if statement == WAL:
                raise sqlite3.OperationalError("locking protocol")

    with pytest.raises(sqlite3.OperationalError, match="protocol"):
        write_ahead(Failing())
    assert asked.count(WAL) == TRIES + 1


def test_the_connection_that_was_used_last_is_used_next(desk):
    """Its cache has what is asked next; in turns, the caches of all would fill."""
    with desk.app.app_context():
        first, second = db.engine.connect(), db.engine.connect()
        used = second.connection.dbapi_connection
        first.close()
        second.close()
        for _ in range(3):
            with db.engine.connect() as again:
                assert again.connection.dbapi_connection is used


def test_a_connection_keeps_little_of_the_file(desk):
    with desk.app.app_context(), db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA cache_size").scalar_one() == -CACHE_KB
