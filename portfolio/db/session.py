"""How the database is opened, and the unit of work in which everything is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from sqlalchemy import (
    Connection,
    CursorResult,
    Delete,
    Engine,
    Executable,
    Row,
    Update,
    event,
    text,
)
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.orm import Session

from portfolio.db.base import JSON_COLUMNS, db
from portfolio.db.plain import check_plain_values
from portfolio.errors import StorageBusy, StorageDamaged, StorageFailed, StorageLost

Found = TypeVar("Found")

BUSY_TIMEOUT_MS = 10_000
CACHE_KB = 500
WAL, TRIES = "PRAGMA journal_mode=WAL", 5
WRITE = {"foliosync_write": True}
# Any number will do, as long as it is always the same: the letters "start".
STARTING = 0x7374617274
# Another one: the letters "write".
WRITING = 0x7772697465
# How both databases say that somebody else was first.
BUSY = ("locked", "busy", "deadlock", "could not serialize", "lock timeout")
# How SQLite says that bytes are no text, or are where one belongs, and that a file is damaged.
DAMAGED = ("could not decode to utf-8", "blob values", "malformed", "not a database")


def engine_options(url: str) -> dict[str, Any]:
    """What SQLAlchemy must be told for this database."""
    if url.startswith("sqlite"):
        # Our own "begin" event starts transactions; the driver must not.
        options: dict[str, Any] = {
            "connect_args": {"isolation_level": None, "check_same_thread": False}
        }
    else:
        options = {"pool_pre_ping": True}
    if url.startswith("postgresql"):
        # Whatever the server, its role or the environment says: any text is sent as it is.
        options["connect_args"] = {"client_encoding": "UTF8"}
    # Errors reach the log; what somebody owns must not come along.
    # The connection used last has what is asked for next in its cache; in turns, all would fill.
    return {**options, "pool_use_lifo": True, "hide_parameters": True, **JSON_COLUMNS}


def prepare(engine: Engine) -> None:
    """Attach to an engine what keeps its transactions honest."""
    if engine.dialect.name == "sqlite":
        check_plain_values(engine.dialect)
        event.listen(engine, "connect", _pragmas)
        event.listen(engine, "begin", _begin)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _iso_dates)


def _iso_dates(connection: Any, _record: object) -> None:
    # The driver reads no others, and a server or a role may have others.
    connection.autocommit = True
    connection.execute("SET datestyle TO ISO")
    connection.autocommit = False


def _pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "trusted_schema=OFF",
        # Each connection has one of its own; the system keeps the file's pages for all of them.
        f"cache_size=-{CACHE_KB}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    write_ahead(cursor)
    cursor.close()


def write_ahead(cursor: sqlite3.Cursor) -> None:
    """Let SQLite write ahead, also where somebody else is just about to make the same file.

    For that alone SQLite does not wait, whatever the timeout; for a write it does.
    """
    for _ in range(TRIES):
        try:
            cursor.execute(WAL)
        except sqlite3.OperationalError:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("COMMIT")
        else:
            return
    cursor.execute(WAL)


def _begin(connection: Connection) -> None:
    # A reader that turns writer later fails at once, whatever the timeout: writers say so first.
    options = connection.get_execution_options()
    patience = options.get("foliosync_patience", BUSY_TIMEOUT_MS)
    if patience == BUSY_TIMEOUT_MS:
        if options.get("foliosync_write"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            # Touches no file, so that nothing can fail which SQLAlchemy would have to translate.
            connection.connection.cursor().execute("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout={patience}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


@contextmanager
def read_only() -> Iterator[Session]:
    """A fresh session for reading outside of a request."""
    with _translated(), Session(db.engine) as session:
        yield session


@contextmanager
def one_state() -> Iterator[Session]:
    """A fresh session for reading in which all statements see the same moment."""
    engine = db.engine
    # SQLite has no other way of reading.
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with _translated(), Session(engine) as session:
        yield session


@contextmanager
def unit_of_work(*, patience_ms: int = BUSY_TIMEOUT_MS) -> Iterator[Session]:
    """A fresh session in one write transaction: all of it is stored, or none of it.

    There is one at a time: what a writer has looked for and not found nobody adds meanwhile. Who
    has waited for `patience_ms` gets `StorageBusy`.
    """
    engine = db.engine.execution_options(**WRITE, foliosync_patience=patience_ms)
    with (
        _translated(),
        Session(engine, expire_on_commit=False) as session,
        session.begin(),
    ):
        _wait_for_writers(session, patience_ms)
        yield session


def _wait_for_writers(session: Session, patience_ms: int) -> None:
    # SQLite's write transactions wait for each other anyway, and as long.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL lock_timeout = {patience_ms:d}"))
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITING})


def only_reads(session: Session) -> bool:
    """Whether a session sees what is stored, and never what is still being written."""
    return not session.get_bind().get_execution_options().get("foliosync_write")


def one_at_a_time(connection: Connection) -> None:
    """Within a write transaction: wait until no other process prepares the same database.

    SQLite's write transactions wait for each other anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": STARTING})


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not is_of_storage(error):
            raise
        raise storage_error(error) from error


def columns(
    session: Session, statement: Executable, values: Mapping[str, Any]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """The rows of a statement that asks for columns only, in a fraction of the session's time.

    What the session does for each statement and row serves objects, of which there are none here.
    """
    # What it has not written yet belongs to the answer.
    session.flush()
    return session.connection().execute(statement, values).all()


def changed_rows(session: Session, statement: Update | Delete) -> int:
    """Carry a statement out; the number of rows that it has changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def is_of_storage(error: DBAPIError) -> bool:
    """Whether the database failed, and not a statement of ours."""
    # A damaged file is a plain `DatabaseError`, whose other kinds are about what was asked.
    failed = OperationalError | InternalError | InterfaceError
    return isinstance(error, failed) or type(error) is DatabaseError


def is_unanswered(error: DBAPIError) -> bool:
    """Whether there was no server to answer, or none any more."""
    # One that was never reached gives no reason of its own.
    return error.connection_invalidated or getattr(error.orig, "sqlstate", "") is None


def storage_error(error: DBAPIError) -> StorageBusy | StorageFailed:
    """The domain error behind a database error."""
    text = str(error.orig).lower()
    if any(word in text for word in BUSY):
        return StorageBusy("Another process is writing to the database.")
    if is_unanswered(error):
        return StorageLost("The connection to the database was lost.")
    if any(word in text for word in DAMAGED):
        return StorageDamaged("The database is damaged.")
    return StorageFailed("The database could not be read or written.")


def once_more(read: Callable[[], Found]) -> Found:
    """What the request's own session finds; asked again where its connection was lost."""
    try:
        return read()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        end_reading()
        return read()


def end_reading() -> None:
    """Give the request's own connection back, so that nothing is open while we wait for others."""
    db.session.remove()
