"""Which one of several processes on one database does the periodic work."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from portfolio.settings import Settings

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

log = logging.getLogger(__name__)

# Any number will do, as long as it is always the same: the letters "folio".
KEY = 0x666F6C696F


class Leader(Protocol):
    """The lead among processes; used by one thread."""

    def hold(self) -> bool:
        """Take the lead where it is free; whether it is ours now, looked up anew each time."""

    def release(self) -> None:
        """Let another process lead."""


def leader_of(settings: Settings) -> Leader:
    """The lead among the processes that share the database of these settings."""
    if settings.database.startswith("postgresql"):
        return DatabaseLeader(settings.database)
    return FileLeader(lead_file(settings))


def lead_file(settings: Settings) -> Path:
    """The file whose lock is the lead where the database is SQLite."""
    file = settings.sqlite_file
    if file is None:
        return settings.data_dir / "jobs.lock"
    # Beside the database, which is what the processes share; the data folder by default.
    return file.with_name(f"{file.name}.jobs.lock")


class FileLeader:
    """An exclusive lock of the operating system on a file; it ends with the process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held: IO[bytes] | None = None
        self._barred = False

    def hold(self) -> bool:
        """Lock the file, or see that it is still the file that we have locked."""
        if self._held is not None and not self._is_there(self._held):
            self.release()
        if self._held is None:
            self._held = self._locked()
        return self._held is not None

    def _locked(self) -> IO[bytes] | None:
        try:
            opened = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            if not self._barred:
                # Else the program would serve, do no work, and nobody would know why.
                log.warning("no background work here: %s: %s", self._file, error.strerror)
            self._barred = True
            return None
        self._barred = False
        stream = os.fdopen(opened, "r+b", buffering=0)
        if locked(stream) and self._is_there(stream):
            return stream
        stream.close()
        return None

    def _is_there(self, stream: IO[bytes]) -> bool:
        """Whether others would meet our lock; a file that was replaced guards nothing."""
        try:
            return os.path.samestat(os.fstat(stream.fileno()), self._file.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Close the file, which unlocks it."""
        if self._held is not None:
            self._held.close()
            self._held = None


def locked(stream: IO[bytes]) -> bool:
    """Lock the file as long as it is open; False where somebody else has it locked."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class DatabaseLeader:
    """An advisory lock of PostgreSQL: it ends with the connection, which is ours alone."""

    def __init__(self, url: str) -> None:
        # A connection of the common pool could be given to somebody else, lock and all.
        self._engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None
        self._held = False

    def hold(self) -> bool:
        """Lock, or see that the connection that has the lock still lives."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            if self._held:
                self._connection.execute(text("SELECT 1"))
            else:
                asked = text("SELECT pg_try_advisory_lock(:key)")
                self._held = bool(self._connection.scalar(asked, {"key": KEY}))
        except SQLAlchemyError:
            self.release()
        return self._held

    def release(self) -> None:
        """Unlock, and close the connection."""
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            with suppress(SQLAlchemyError):
                # The end of the connection unlocks as well, but some time later.
                if not connection.invalidated:
                    connection.execute(text("SELECT pg_advisory_unlock_all()"))
            with suppress(SQLAlchemyError):
                connection.close()
