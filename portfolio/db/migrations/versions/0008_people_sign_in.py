"""People sign in: passwords, logins, tries, and the code of the first start."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def _user(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    key = sa.ForeignKeyConstraint(
        ["user_id"], ["user.id"], name=op.f(f"fk_{table}_user_id"), ondelete="CASCADE"
    )
    return sa.Column("user_id", sa.Integer(), nullable=False), key


def _key(table: str) -> tuple[sa.Column[int], sa.PrimaryKeyConstraint]:
    column = sa.Column("id", sa.Integer(), nullable=False)
    return column, sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def upgrade() -> None:
    """The first user stays who it is, without a password until one is set."""
    with op.batch_alter_table("user") as table:
        table.add_column(sa.Column("folded", sa.String(300), nullable=False, server_default=""))
        table.add_column(sa.Column("password_hash", sa.Text()))
        table.add_column(sa.Column("disabled_at", TIME))
        table.add_column(sa.Column("totp_secret", sa.Text()))
        table.add_column(sa.Column("totp_since", TIME))
        table.add_column(sa.Column("totp_step", sa.Integer()))
    _fold_names()
    op.create_index(op.f("ix_user_folded"), "user", ["folded"], unique=True)
    op.create_table(
        "login_session",
        *_key("login_session"),
        *_user("login_session"),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("browser", sa.String(40), nullable=False),
        sa.Column("address", sa.String(60), nullable=False),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_session_token_hash")),
    )
    op.create_index(op.f("ix_login_session_user_id"), "login_session", ["user_id"])
    op.create_table(
        "login_attempt",
        *_key("login_attempt"),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("address", sa.String(60), nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_index(op.f("ix_login_attempt_at"), "login_attempt", ["at"])
    op.create_table(
        "setup_code",
        *_key("setup_code"),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
    )
    op.create_table(
        "recovery_code",
        *_key("recovery_code"),
        *_user("recovery_code"),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.UniqueConstraint(
            "user_id", "code_hash", name=op.f("uq_recovery_code_user_id_code_hash")
        ),
    )


def _fold_names() -> None:
    users = sa.table("user", sa.column("id"), sa.column("name"), sa.column("folded"))
    connection = op.get_bind()
    for key, name in connection.execute(sa.select(users.c.id, users.c.name)).all():
        mine = users.update().where(users.c.id == key)
        connection.execute(mine.values(folded=name.casefold()))
