"""Runs migrations over the application's own engine."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy.engine import Engine


def run() -> None:
    """Run the missing migrations in one write transaction."""
    migrate = current_app.extensions["migrate"]
    engine: Engine = migrate.db.engine.execution_options(foliosync_write=True)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=migrate.db.metadata,
            transaction_per_migration=False,
            **migrate.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
