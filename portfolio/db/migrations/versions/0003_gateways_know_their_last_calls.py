"""A gateway knows when the calls with long pauses were last made, for the next process."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is known of earlier calls."""
    with op.batch_alter_table("gateway") as table:
        table.add_column(sa.Column("last_calls", sa.JSON(), nullable=False, server_default="{}"))
