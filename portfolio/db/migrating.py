"""Runs migrations with Alembic, which is imported only where there is something to migrate."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

from alembic.util import CommandError
from flask import current_app
from flask_migrate import Migrate, upgrade

from portfolio.db.base import db
from portfolio.db.upgrade import MIGRATIONS


class NoSuchMigration(Exception):
    """The database is at a revision that this program does not have."""


def run_migrations(revision: str = "head") -> None:
    """Bring the database of the current application to a revision; `NoSuchMigration`."""
    Migrate(current_app, db, directory=str(MIGRATIONS), render_as_batch=True, compare_type=True)
    try:
        with redirect_stdout(io.StringIO()):
            upgrade(revision=revision)
    except (CommandError, SystemExit) as error:
        raise NoSuchMigration(revision) from error
