"""Indexes for ten years of history, and ids of cash that are never given twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_sync_run_account_started": ("sync_run", "account_id", "started_at", "id"),
    "ix_sync_run_started": ("sync_run", "started_at"),
    "ix_change_holding": ("change", "holding_id"),
    "ix_change_source": ("change", "source", "source_account"),
    "ix_rate_owner_day": ("rate", "owner_id", "day"),
    "ix_rate_owner_source_day": ("rate", "owner_id", "source", "day"),
    "ix_holding_account": ("holding", "account_id"),
}
# Of runs, and of some of them only.
PARTIAL = {
    "ix_sync_run_kept": ("kept IS NOT NULL", "account_id"),
    "ix_sync_run_read": ("evidence IS NOT NULL", "account_id", "started_at", "id"),
    "ix_sync_run_applied": ("digest IS NOT NULL", "account_id", "started_at", "id"),
}


def upgrade() -> None:
    """No row changes; a connection forgets chosen rows that are gone already."""
    op.drop_index("ix_sync_run_account_started", "sync_run")
    for name, (table, *columns) in INDEXES.items():
        op.create_index(name, table, columns)
    for name, (condition, *columns) in PARTIAL.items():
        where = sa.text(condition)
        op.create_index(name, "sync_run", columns, sqlite_where=where, postgresql_where=where)
    if op.get_bind().dialect.name == "sqlite":
        # Elsewhere a sequence gives the ids, and never one twice.
        options = {"sqlite_autoincrement": True}
        with op.batch_alter_table("cash_balance", recreate="always", table_kwargs=options):
            pass
    _forget_what_is_gone()


def _forget_what_is_gone() -> None:
    """An id that was free already could be given once more."""
    connection = op.get_bind()
    link = sa.table("connection", sa.column("id"), sa.column("replaced_cash", sa.JSON))
    cash = sa.table("cash_balance", sa.column("id"))
    present = set(connection.scalars(sa.select(cash.c.id)))
    for key, chosen in connection.execute(sa.select(link.c.id, link.c.replaced_cash)).all():
        left = [of for of in chosen if of in present]
        if left != chosen:
            mine = sa.update(link).where(link.c.id == key)
            connection.execute(mine.values(replaced_cash=left))
