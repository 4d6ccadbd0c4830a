"""Runs migrations over the application's own engine."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import Connection
from sqlalchemy.engine import Engine

from portfolio.db.session import one_at_a_time


def run() -> None:
    """Run the missing migrations in one write transaction: all of them, or none."""
    migrate = current_app.extensions["migrate"]
    engine: Engine = migrate.db.engine.execution_options(foliosync_write=True)
    with engine.connect() as connection:
        # SQLite rebuilds a table by dropping the old one, which would delete what refers to it.
        # The connection is thrown away afterwards, so no other work ever meets it like this.
        _ignore_references(connection)
        context.configure(
            connection=connection,
            target_metadata=migrate.db.metadata,
            # SQLite's schema changes roll back as well; Alembic takes it to be unable to.
            transactional_ddl=True,
            transaction_per_migration=False,
            **migrate.configure_args,
        )
        try:
            with context.begin_transaction():
                one_at_a_time(connection)
                context.run_migrations()
                _check_references(connection)
        finally:
            connection.invalidate()


def _ignore_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # Beside SQLAlchemy: within a transaction SQLite ignores this.
        raw = connection.connection.dbapi_connection
        assert raw is not None  # for the type checker: the connection is open
        raw.execute("PRAGMA foreign_keys=OFF")


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone()
        if broken is not None:
            raise RuntimeError(f"a migration broke a reference: {broken}")


run()
