"""Secrets are stored sealed: those of gateways, and the addresses of notifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    """Nothing was stored that would have to be sealed now."""
    op.create_table(
        "key_check",
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_key_check")),
    )
    op.create_table(
        "secret",
        sa.Column("gateway_id", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(40), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("set_at", TIME, nullable=False),
        _reference("secret", "gateway_id", "gateway"),
        _reference("secret", "owner_id", "user"),
        sa.PrimaryKeyConstraint("gateway_id", "field", name=op.f("pk_secret")),
    )
    op.create_table(
        "target",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        _reference("target", "owner_id", "user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target")),
    )
