"""Brings a database to the present schema, after a verified copy."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from flask import Flask
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from portfolio.db.backup import copy_aside, make_private
from portfolio.db.base import db
from portfolio.db.session import is_unanswered
from portfolio.errors import SetupProblem

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
RESTORE = "Restore a copy with `foliosync restore FILE`"


def upgrade(app: Flask, file: Path | None, now: datetime) -> Path | None:
    """Run the missing migrations; returns the copy that was made of an SQLite file, if any.

    They run in one transaction: an interrupted upgrade leaves the former schema, and can be run
    again. Raises `SetupProblem` for a database that is damaged, missing where one was, newer
    than this program, or that cannot be written.
    """
    if file is not None:
        check_file(file)
        make_private(file)
    with app.app_context():
        present = _opened()
        # Before the copy: whatever starts the program again would fill the disk with them.
        if present is not None and not is_known(present):
            raise newer()
        copy = None if present == newest_revision() else _migrated(file, present, now)
    if file is not None:
        _leave_mark(file)
    return copy


def _migrated(file: Path | None, present: str | None, now: datetime) -> Path | None:
    # Imported here: most starts find the database up to date, and Alembic takes long to load.
    from portfolio.db.migrating import NoSuchMigration, run_migrations

    copy = copy_aside(file, "before-upgrade", now) if file and present is not None else None
    try:
        run_migrations()
    except NoSuchMigration as error:
        raise newer() from error
    except DBAPIError as error:
        raise _not_upgraded(error) from error
    finally:
        db.session.remove()
    return copy


def _not_upgraded(error: DBAPIError) -> SetupProblem:
    return SetupProblem(
        f"The database could not be upgraded ({error.orig}); it is as it was. Check that the disk "
        "is not full and that no other program writes to the database, then try again."
    )


def newer() -> SetupProblem:
    """The refusal of a database that a later version wrote."""
    return SetupProblem(
        "The database was written by a newer Foliosync: install that version, or restore "
        "a copy made before."
    )


def _mark(file: Path) -> Path:
    """The file that says that there was a database here."""
    return file.with_name(f".{file.name}.made")


def _leave_mark(file: Path) -> None:
    """Say that there is a database here; where the disk is full, at a later start."""
    try:
        _mark(file).touch(mode=0o600)
    except OSError as error:
        log.warning("%s cannot be written: %s", _mark(file).name, error.strerror)


def check_file(file: Path) -> None:
    """Refuse to take a lost or damaged database for a fresh one."""
    if not file.exists() or not file.stat().st_size:
        if _mark(file).exists():
            raise SetupProblem(
                f"The database {file} is missing, but there was one. {RESTORE}; to begin anew "
                f"instead, remove {_mark(file)}."
            )
        return
    try:
        with closing(sqlite3.connect(file)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
    except sqlite3.OperationalError as error:
        raise SetupProblem(f"The database {file} cannot be opened ({error}).") from None
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        raise SetupProblem(
            f"The database {file} is damaged ({verdict}); it was not touched. {RESTORE}."
        )


def _opened() -> str | None:
    try:
        return _present()
    except DBAPIError as error:
        if is_unanswered(error):
            raise _unreachable(error) from None
        raise SetupProblem(
            f"The database cannot be read ({error.orig}); it was not touched. Check "
            "FOLIOSYNC_DATABASE_URL, or restore a copy."
        ) from None


def _unreachable(error: DBAPIError) -> SetupProblem:
    """The refusal where no server lets us in: what is stored is whole, and no copy would help."""
    url = db.engine.url
    # Its address may stand among the parameters; a password may, too, and is not said.
    host = url.host or url.query.get("host") or "the socket of this computer"
    where = f"{host}, port {url.port or url.query.get('port') or 5432}, database {url.database}"
    said = " ".join(str(error.orig).split())
    return SetupProblem(
        f"The database server cannot be reached at {where} ({said}). Start it, or check "
        "FOLIOSYNC_DATABASE_URL, then try again; nothing was touched."
    )


def _present() -> str | None:
    with db.engine.connect() as connection:
        _check_encoding(connection)
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def _check_encoding(connection: Connection) -> None:
    """Refuse a database of PostgreSQL that cannot hold every text."""
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        name = connection.engine.url.database
        raise SetupProblem(
            f"The database {name} has the encoding {encoding}, which cannot hold every name; it "
            "was not touched. Make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE "
            "template0, and name it in FOLIOSYNC_DATABASE_URL."
        )


def newest_revision() -> str:
    """The revision that this program works with."""
    return max(_revisions())


def is_known(revision: str | None) -> bool:
    """Whether this program can bring a database of this revision up to date."""
    return revision in _revisions()


def _revisions() -> set[str]:
    """What the files of the migrations are numbered by, one after the other."""
    return {file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py")}
