"""Verified copies of an SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from portfolio.errors import SetupProblem


def copy_before_upgrade(database: Path, now: datetime) -> Path:
    """A verified copy beside the database, made with SQLite's own backup; returns its path."""
    target = database.with_name(f"{database.stem}-before-upgrade-{now:%Y%m%d-%H%M%S-%f}.db")
    try:
        with (
            closing(sqlite3.connect(database)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
            verify(copy, target)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise SetupProblem(
            f"{database} could not be copied before the upgrade ({error}); nothing was changed."
        ) from error
    target.chmod(0o600)
    return target


def verify(connection: sqlite3.Connection, file: Path) -> None:
    """Refuse a file whose pages or references are damaged."""
    (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if verdict != "ok" or broken is not None:
        raise SetupProblem(f"{file} is damaged: {verdict}. Restore a copy of it.")
