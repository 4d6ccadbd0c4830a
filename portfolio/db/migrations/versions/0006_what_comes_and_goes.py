"""Which trouble of a gateway was said and is not over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is broken now was said already."""
    with op.batch_alter_table("gateway") as table:
        table.add_column(sa.Column("said", sa.String(40)))
    said = "UPDATE gateway SET said = state WHERE state NOT IN ('ready', 'unknown')"
    op.execute(sa.text(said))
