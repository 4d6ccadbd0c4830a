"""What was paid and what came in for shorts, added up, is what a profit is in percent of."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TYPES = {"sqlite": "TEXT"}


def upgrade() -> None:
    """Nothing to carry over: totals are renewed with the next change; until then no percent is said.

    In SQL of its own, so that SQLite adds the column without rebuilding the table.
    """
    kind = TYPES.get(op.get_bind().dialect.name, "NUMERIC")
    op.execute(
        f"ALTER TABLE account_totals ADD COLUMN gross_cost {kind}"
        " CONSTRAINT ck_account_totals_gross_cost_is_a_number"
        " CHECK (upper(CAST(gross_cost AS TEXT)) NOT LIKE '%N%')"
    )
