"""Leases, sessions of gateways, schedules of connections, twins, and runs that can be undone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TWINS = "twin IN ('none', 'likely', 'settled')"
TIME = sa.DateTime(timezone=True)


def _code(name: str, default: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(40), nullable=False, server_default=default)


def upgrade() -> None:
    """What was there before was made by hand, holds no lease, and has no twins."""
    op.create_table(
        "lease",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("owner", sa.String(60), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    with op.batch_alter_table("gateway") as table:
        table.add_column(_code("state", "unknown"))
        table.add_column(sa.Column("state_since", TIME))
        table.add_column(sa.Column("message", sa.Text()))
        table.add_column(sa.Column("remedy", sa.Text()))
        table.add_column(sa.Column("session", sa.JSON()))
        table.add_column(sa.Column("contacted_at", TIME))
        table.add_column(sa.Column("next_contact_at", TIME))
        table.add_column(sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("connection") as table:
        for name in ("replaced_holdings", "replaced_cash"):
            table.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("next_run_at", TIME))
        table.add_column(sa.Column("paused_at", TIME))
        table.add_column(sa.Column("paused_state_at", TIME))
        table.add_column(sa.Column("futures_profit_counts", sa.Boolean()))
        table.drop_column("paused")
    with op.batch_alter_table("account") as table:
        table.add_column(
            sa.Column("likely_twins", sa.Integer(), nullable=False, server_default="0")
        )
    for name in ("holding", "cash_balance"):
        with op.batch_alter_table(name) as table:
            table.add_column(_code("twin", "none"))
            table.create_check_constraint(op.f(f"ck_{name}_twin_is_known"), TWINS)
    with op.batch_alter_table("sync_run") as table:
        table.add_column(sa.Column("digest_before", sa.String(64)))
        table.add_column(_code("origin", "hand"))
        table.add_column(sa.Column("decided_by", sa.String(100)))
        table.add_column(sa.Column("progress", sa.JSON()))
        table.add_column(sa.Column("kept", sa.JSON()))
        table.add_column(sa.Column("concerns", sa.String(32)))
        table.create_check_constraint(
            op.f("ck_sync_run_origin_is_known"),
            "origin IN ('hand', 'schedule', 'undo', 'decision')",
        )
        table.create_foreign_key(
            op.f("fk_sync_run_concerns"), "sync_run", ["concerns"], ["id"], ondelete="SET NULL"
        )
        table.create_index(op.f("ix_sync_run_concerns"), ["concerns"])
    with op.batch_alter_table("change") as table:
        table.add_column(_code("source", "ibkr"))
        table.add_column(_code("source_account", ""))
        table.add_column(sa.Column("beside", sa.JSON()))
    _name_the_sources()


def _name_the_sources() -> None:
    """Each change of a holding came from where the holding came from."""
    for name in ("source", "source_account"):
        op.execute(
            f"UPDATE change SET {name} = (SELECT holding.{name} FROM holding"
            " WHERE holding.id = change.holding_id) WHERE holding_id IS NOT NULL"
        )
