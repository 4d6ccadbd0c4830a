"""Users have a stamp of all that their accounts hold, under which orders are remembered."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Each user has a stamp of their own that no process has met before."""
    with op.batch_alter_table("user") as table:
        table.add_column(sa.Column("held_stamp", sa.String(32), nullable=False, server_default=""))
    user = sa.table("user", sa.column("id", sa.Integer), sa.column("held_stamp", sa.String))
    connection = op.get_bind()
    for id_ in connection.scalars(sa.select(user.c.id)).all():
        new = sa.update(user).where(user.c.id == id_).values(held_stamp=secrets.token_hex(16))
        connection.execute(new)
