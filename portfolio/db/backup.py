"""Verified copies of an SQLite file, made and brought back with SQLite's own backup."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import mkstemp

from sqlalchemy import delete, literal_column, select, table

from portfolio.errors import SetupProblem

# What every schema of ours can answer. Other programs use Alembic, and have portfolios, too.
OF_OURS = (
    "SELECT id, owner_id, name, base_currency, created_at FROM portfolio",
    "SELECT id, portfolio_id, name, currency, mode, revision FROM account",
    "SELECT id, account_id, instrument_id, source, quantity FROM holding",
    "SELECT id, account_id, currency, amount FROM cash_balance",
    "SELECT id, owner_id, broker, address FROM gateway",
    "SELECT id, account_id, gateway_id, broker_account FROM connection",
    "SELECT id, account_id, status, digest FROM sync_run",
)


def copy_aside(database: Path, why: str, now: datetime) -> Path:
    """A verified copy beside the database; returns its path."""
    target = database.with_name(f"{database.stem}-{why}-{now:%Y%m%d-%H%M%S-%f}.db")
    copy(database, target)
    return target


def copy(database: Path, target: Path) -> None:
    """A verified copy, readable by its owner alone; a file that is there is never overwritten.

    It has its name once it is whole: one that was cut short is called `….part`.
    """
    if not database.exists():
        raise SetupProblem(f"There is no database at {database} to copy.")
    part = _part(target)
    try:
        with _opened(database) as source, closing(sqlite3.connect(part)) as into:
            source.backup(into)
            verify(into, part)
        _give_name(part, target)
    except (sqlite3.Error, SetupProblem) as error:
        raise SetupProblem(
            f"{database} could not be copied ({error}); nothing changed."
        ) from error
    finally:
        _remove(part)


def _part(target: Path, *, taken: bool = False) -> Path:
    """A file of nobody else beside the target, which is not there yet unless it may be `taken`."""
    try:
        if not taken and target.exists():
            raise FileExistsError
        handle, name = mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    except FileExistsError:
        raise _is_there(target) from None
    except OSError as error:
        raise SetupProblem(f"{target} cannot be written: {error.strerror}.") from None
    os.close(handle)
    return Path(name)


def _remove(part: Path) -> None:
    """Leave nothing of it behind, nor of what SQLite keeps beside it where it could not write."""
    for tail in ("", "-journal"):
        part.with_name(part.name + tail).unlink(missing_ok=True)


def _give_name(part: Path, target: Path) -> None:
    try:
        os.link(part, target)
    except FileExistsError:
        raise _is_there(target) from None
    except OSError:
        # Not every file system has links.
        if target.exists():
            raise _is_there(target) from None
        part.rename(target)


def _is_there(target: Path) -> SetupProblem:
    return SetupProblem(f"{target} is there already; choose another name.")


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A database that is only read; a file that is absent is not made."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def verify(connection: sqlite3.Connection, file: Path) -> None:
    """Refuse a file whose pages, references or texts are damaged."""
    (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if verdict != "ok" or broken is not None:
        raise SetupProblem(f"{file} is damaged: {verdict if verdict != 'ok' else broken}.")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if not _is_legible(connection, name):
            raise SetupProblem(f"{file} is damaged: {name} has bytes where a text belongs.")


def _is_legible(connection: sqlite3.Connection, name: str) -> bool:
    """Whether all texts of a table can be read; we keep no bytes, and SQLite checks neither."""
    rows = connection.execute(str(select(literal_column("*")).select_from(table(name))))
    try:
        return not any(bytes in map(type, row) for row in rows)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        return False


def revision_of(file: Path) -> str | None:
    """The schema revision of a copy, or `SetupProblem` where it is damaged or not ours."""
    if not file.is_file():
        raise SetupProblem(f"There is no file {file}.")
    try:
        with _opened(file) as connection:
            verify(connection, file)
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            for question in OF_OURS:
                connection.execute(question).fetchone()
    except sqlite3.DatabaseError as error:
        raise SetupProblem(
            f"{file} is not a whole copy of a Foliosync database: {error}."
        ) from None
    return str(row[0]) if row else None


def restore(database: Path, source: Path, now: datetime, without: Collection[str]) -> Path | None:
    """Bring a copy back; returns where the former database was kept, if there was one.

    The caller has checked the copy with `revision_of`. A program that has the database open sees
    the restored state from its next transaction on, and never a row of the tables `without`.
    """
    database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = _part(database, taken=True)
    try:
        _copy_without(source, part, without)
        kept = _keep(database, now)
        make_private(database)
        _bring_back(part, database, kept)
    finally:
        _remove(part)
    return kept


def _copy_without(source: Path, part: Path, tables: Collection[str]) -> None:
    """Copy a database but the rows of some tables, of which it may have none yet."""
    try:
        with _opened(source) as opened, closing(sqlite3.connect(part)) as into:
            opened.backup(into)
            for (name,) in into.execute("SELECT name FROM sqlite_master").fetchall():
                if name in tables:
                    into.execute(str(delete(table(name))))
            into.commit()
    except sqlite3.Error as error:
        raise SetupProblem(f"{source} could not be read ({error}); nothing changed.") from error


def _bring_back(part: Path, database: Path, kept: Path | None) -> None:
    try:
        with closing(sqlite3.connect(part)) as made, closing(sqlite3.connect(database)) as into:
            made.backup(into)
            verify(into, database)
    except sqlite3.Error as error:
        where = f" The former one is {kept}." if kept else ""
        raise SetupProblem(f"{database} could not be restored ({error}).{where}") from error


def make_private(file: Path) -> None:
    """Make a database's empty file one that its owner alone may read; others are left alone.

    SQLite gives the files beside it the same mode. Where it is impossible, whoever opens the
    database says why.
    """
    with suppress(OSError):
        if not file.exists():
            file.touch(mode=0o600)
        elif not file.stat().st_size:
            file.chmod(0o600)


def _keep(database: Path, now: datetime) -> Path | None:
    if not database.exists():
        return None
    try:
        return copy_aside(database, "before-restore", now)
    except SetupProblem:
        if _is_whole(database):
            # It is the copy that cannot be written: a full disk is no reason to move it away.
            raise
        # It cannot be read as a database: the file itself, as it is, is what can be kept.
        kept = database.with_name(f"{database.stem}-damaged-{now:%Y%m%d-%H%M%S-%f}.db")
        for tail in ("", "-wal", "-shm"):
            part = database.with_name(database.name + tail)
            if part.exists():
                part.rename(kept.with_name(kept.name + tail))
        return kept


def _is_whole(database: Path) -> bool:
    try:
        with _opened(database) as connection:
            verify(connection, database)
    except (sqlite3.DatabaseError, SetupProblem):
        return False
    return True
