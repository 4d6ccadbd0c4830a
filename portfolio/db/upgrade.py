"""Brings a database to the present schema, after a verified copy."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask
from flask_migrate import Migrate
from flask_migrate import upgrade as run_migrations
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from portfolio.db.backup import copy_before_upgrade
from portfolio.db.base import db
from portfolio.errors import SetupProblem

MIGRATIONS = Path(__file__).parent / "migrations"


def register(app: Flask) -> None:
    """Tell Flask-Migrate where the migrations are."""
    Migrate(app, db, directory=str(MIGRATIONS), render_as_batch=True, compare_type=True)


def upgrade(app: Flask, file: Path | None, now: datetime) -> Path | None:
    """Run the missing migrations; returns the copy that was made of an SQLite file, if any.

    Raises `SetupProblem` for a database that is newer than this program.
    """
    with app.app_context():
        present, newest = _opened(), _newest()
        if present == newest:
            return None
        copy = copy_before_upgrade(file, now) if file and present is not None else None
        try:
            with redirect_stdout(io.StringIO()):
                run_migrations()
        except (CommandError, SystemExit) as error:
            raise SetupProblem(
                "The database was written by a newer Foliosync: install that version, or restore "
                "a copy made before."
            ) from error
        finally:
            db.session.remove()
        return copy


def _opened() -> str | None:
    try:
        return _present()
    except DBAPIError as error:
        raise SetupProblem(
            f"The database cannot be read ({error.orig}); it was not touched. Check "
            "FOLIOSYNC_DATA_DIR and FOLIOSYNC_DATABASE_URL, or restore a copy."
        ) from None


def _present() -> str | None:
    with db.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return MigrationContext.configure(connection).get_current_revision()


def _newest() -> str | None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config).get_current_head()
