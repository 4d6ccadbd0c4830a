"""Totals know the rates they were computed with, and how they are allocated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portfolio.db.base import ExactShares

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Stored totals are dropped: they are computed again from the rows at the first look."""
    op.execute("UPDATE account_totals SET state = ''")
    with op.batch_alter_table("user") as table:
        table.add_column(
            sa.Column("rates_revision", sa.Integer(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("account_totals") as table:
        for name in ("by_kind", "by_currency"):
            table.add_column(sa.Column(name, ExactShares(), nullable=False, server_default="{}"))
