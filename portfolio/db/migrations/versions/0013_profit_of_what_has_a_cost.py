"""The profit of what has a cost stands beside that cost, to be in percent of it."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TYPES = {"sqlite": "TEXT"}


def upgrade() -> None:
    """Nothing to carry over: totals are renewed with the next change; until then no percent is said.

    In SQL of its own, so that SQLite adds the column without rebuilding the table.
    """
    kind = TYPES.get(op.get_bind().dialect.name, "NUMERIC")
    op.execute(
        f"ALTER TABLE account_totals ADD COLUMN pnl_on_cost {kind}"
        " CONSTRAINT ck_account_totals_pnl_on_cost_is_a_number"
        " CHECK (upper(CAST(pnl_on_cost AS TEXT)) NOT LIKE '%N%')"
    )
