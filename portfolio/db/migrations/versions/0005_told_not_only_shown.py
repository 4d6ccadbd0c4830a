"""What a person was told, and who may tell it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def _owner(table: str, **more: bool) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    key = sa.ForeignKeyConstraint(
        ["owner_id"], ["user.id"], name=op.f(f"fk_{table}_owner_id"), ondelete="CASCADE"
    )
    return sa.Column("owner_id", sa.Integer(), nullable=False, **more), key


def upgrade() -> None:
    """Nobody was told anything before."""
    op.create_table(
        "told",
        sa.Column("id", sa.Integer(), nullable=False),
        *_owner("told"),
        sa.Column("subject", sa.String(40), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("told_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_told")),
        sa.UniqueConstraint("owner_id", "subject", name=op.f("uq_told_owner_id_subject")),
    )
    op.create_table(
        "messenger",
        *_owner("messenger", autoincrement=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("tested_at", TIME),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_messenger")),
    )
