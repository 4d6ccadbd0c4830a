"""The profit of futures stands beside the cash of a broker that does not count it in there."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TYPES = {"sqlite": "TEXT"}


def upgrade() -> None:
    """Nothing to carry over: a connection knows whether it counts, the next sync how much it is.

    In SQL of its own, so that SQLite adds the column without rebuilding the table.
    """
    kind = TYPES.get(op.get_bind().dialect.name, "NUMERIC")
    op.execute(
        f"ALTER TABLE cash_balance ADD COLUMN futures_pnl {kind}"
        " CONSTRAINT ck_cash_balance_futures_pnl_is_a_number"
        " CHECK (upper(CAST(futures_pnl AS TEXT)) NOT LIKE '%N%')"
    )
