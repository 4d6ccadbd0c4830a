"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from portfolio.db.base import ExactDecimal, UtcDateTime

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The first schema."""
    op.create_table('user',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user')),
    sa.UniqueConstraint('name', name=op.f('uq_user_name'))
    )
    op.create_table('gateway',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('broker', sa.String(length=40), nullable=False),
    sa.Column('address', sa.String(length=300), nullable=False),
    sa.Column('login_address', sa.String(length=300), nullable=False),
    sa.Column('certificate_pem', sa.Text(), nullable=True),
    sa.Column('certificate_fingerprint', sa.String(length=64), nullable=True),
    sa.Column('silent_until', UtcDateTime(timezone=True), nullable=True),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['owner_id'], ['user.id'], name=op.f('fk_gateway_owner_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_gateway')),
    sa.UniqueConstraint('owner_id', 'address', name=op.f('uq_gateway_owner_id_address'))
    )
    op.create_table('instrument',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('symbol', sa.String(length=100), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=True),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('currency', sa.String(length=12), nullable=False),
    sa.Column('multiplier', ExactDecimal(), nullable=False),
    sa.Column('exchange', sa.String(length=40), nullable=True),
    sa.Column('expiry', sa.Date(), nullable=True),
    sa.Column('strike', ExactDecimal(), nullable=True),
    sa.Column('option_right', sa.String(length=4), nullable=True),
    sa.Column('underlying', sa.String(length=100), nullable=True),
    sa.CheckConstraint("option_right IN ('call', 'put')", name=op.f('ck_instrument_option_right_is_known')),
    sa.CheckConstraint("upper(CAST(multiplier AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_instrument_multiplier_is_a_number')),
    sa.CheckConstraint("upper(CAST(strike AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_instrument_strike_is_a_number')),
    sa.ForeignKeyConstraint(['owner_id'], ['user.id'], name=op.f('fk_instrument_owner_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_instrument'))
    )
    with op.batch_alter_table('instrument', schema=None) as batch_op:
        batch_op.create_index('ix_instrument_owner_symbol', ['owner_id', 'symbol'], unique=False)

    op.create_table('portfolio',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('base_currency', sa.String(length=12), nullable=False),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['owner_id'], ['user.id'], name=op.f('fk_portfolio_owner_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_portfolio')),
    sa.UniqueConstraint('owner_id', 'name', name=op.f('uq_portfolio_owner_id_name'))
    )
    op.create_table('rate',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('from_currency', sa.String(length=12), nullable=False),
    sa.Column('to_currency', sa.String(length=12), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('value', ExactDecimal(), nullable=False),
    sa.Column('read_at', UtcDateTime(timezone=True), nullable=False),
    sa.CheckConstraint("upper(CAST(value AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_rate_value_is_a_number')),
    sa.CheckConstraint('from_currency <> to_currency', name=op.f('ck_rate_currencies_differ')),
    sa.ForeignKeyConstraint(['owner_id'], ['user.id'], name=op.f('fk_rate_owner_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rate')),
    sa.UniqueConstraint('owner_id', 'from_currency', 'to_currency', 'day', 'source', name=op.f('uq_rate_owner_id_from_currency_to_currency_day_source'))
    )
    op.create_table('setting',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=40), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['owner_id'], ['user.id'], name=op.f('fk_setting_owner_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_setting')),
    sa.UniqueConstraint('owner_id', 'key', name=op.f('uq_setting_owner_id_key'))
    )
    op.create_table('account',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('portfolio_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('currency', sa.String(length=12), nullable=False),
    sa.Column('notes', sa.Text(), nullable=True),
    sa.Column('mode', sa.String(length=40), nullable=False),
    sa.Column('synced_at', UtcDateTime(timezone=True), nullable=True),
    sa.Column('attention_code', sa.String(length=40), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.CheckConstraint("mode IN ('manual', 'connected')", name=op.f('ck_account_mode_is_known')),
    sa.ForeignKeyConstraint(['portfolio_id'], ['portfolio.id'], name=op.f('fk_account_portfolio_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('portfolio_id', 'name', name=op.f('uq_account_portfolio_id_name'))
    )
    op.create_table('instrument_identifier',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('instrument_id', sa.Integer(), nullable=False),
    sa.Column('scheme', sa.String(length=40), nullable=False),
    sa.Column('value', sa.String(length=100), nullable=False),
    sa.Column('is_key', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['instrument_id'], ['instrument.id'], name=op.f('fk_instrument_identifier_instrument_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['owner_id'], ['user.id'], name=op.f('fk_instrument_identifier_owner_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_instrument_identifier')),
    sa.UniqueConstraint('instrument_id', 'scheme', name=op.f('uq_instrument_identifier_instrument_id_scheme'))
    )
    with op.batch_alter_table('instrument_identifier', schema=None) as batch_op:
        batch_op.create_index('uq_instrument_identifier_key', ['owner_id', 'scheme', 'value'], unique=True, sqlite_where=sa.text('is_key'), postgresql_where=sa.text('is_key'))

    op.create_table('account_totals',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=80), nullable=False),
    sa.Column('currency', sa.String(length=12), nullable=False),
    sa.Column('market_value', ExactDecimal(), nullable=True),
    sa.Column('cash', ExactDecimal(), nullable=True),
    sa.Column('accrued_interest', ExactDecimal(), nullable=True),
    sa.Column('accrued_dividends', ExactDecimal(), nullable=True),
    sa.Column('net_liquidation', ExactDecimal(), nullable=True),
    sa.Column('unrealized_pnl', ExactDecimal(), nullable=True),
    sa.Column('cost', ExactDecimal(), nullable=True),
    sa.Column('exposure', ExactDecimal(), nullable=True),
    sa.Column('incomplete', sa.JSON(), nullable=False),
    sa.Column('broker_net_liquidation', ExactDecimal(), nullable=True),
    sa.Column('broker_currency', sa.String(length=12), nullable=True),
    sa.CheckConstraint("upper(CAST(accrued_dividends AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_accrued_dividends_is_a_number')),
    sa.CheckConstraint("upper(CAST(accrued_interest AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_accrued_interest_is_a_number')),
    sa.CheckConstraint("upper(CAST(broker_net_liquidation AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_broker_net_liquidation_is_a_number')),
    sa.CheckConstraint("upper(CAST(cash AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_cash_is_a_number')),
    sa.CheckConstraint("upper(CAST(cost AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_cost_is_a_number')),
    sa.CheckConstraint("upper(CAST(exposure AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_exposure_is_a_number')),
    sa.CheckConstraint("upper(CAST(market_value AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_market_value_is_a_number')),
    sa.CheckConstraint("upper(CAST(net_liquidation AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_net_liquidation_is_a_number')),
    sa.CheckConstraint("upper(CAST(unrealized_pnl AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_account_totals_unrealized_pnl_is_a_number')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_account_totals_account_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account_totals')),
    sa.UniqueConstraint('account_id', name=op.f('uq_account_totals_account_id'))
    )
    op.create_table('cash_balance',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=12), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('source_account', sa.String(length=40), nullable=False),
    sa.Column('amount', ExactDecimal(), nullable=False),
    sa.Column('settled', ExactDecimal(), nullable=True),
    sa.Column('accrued_interest', ExactDecimal(), nullable=True),
    sa.Column('accrued_dividends', ExactDecimal(), nullable=True),
    sa.CheckConstraint("upper(CAST(accrued_dividends AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_cash_balance_accrued_dividends_is_a_number')),
    sa.CheckConstraint("upper(CAST(accrued_interest AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_cash_balance_accrued_interest_is_a_number')),
    sa.CheckConstraint("upper(CAST(amount AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_cash_balance_amount_is_a_number')),
    sa.CheckConstraint("upper(CAST(settled AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_cash_balance_settled_is_a_number')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_cash_balance_account_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cash_balance')),
    sa.UniqueConstraint('account_id', 'currency', 'source', 'source_account', name=op.f('uq_cash_balance_account_id_currency_source_source_account'))
    )
    op.create_table('connection',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('gateway_id', sa.Integer(), nullable=False),
    sa.Column('broker', sa.String(length=40), nullable=False),
    sa.Column('broker_account', sa.String(length=40), nullable=False),
    sa.Column('username', sa.String(length=100), nullable=True),
    sa.Column('manual_holdings', sa.String(length=40), nullable=False),
    sa.Column('sync_enabled', sa.Boolean(), nullable=False),
    sa.Column('paused', sa.Boolean(), nullable=False),
    sa.Column('created_at', UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_connection_account_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['gateway_id'], ['gateway.id'], name=op.f('fk_connection_gateway_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['owner_id'], ['user.id'], name=op.f('fk_connection_owner_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_connection')),
    sa.UniqueConstraint('account_id', name=op.f('uq_connection_account_id')),
    sa.UniqueConstraint('owner_id', 'broker', 'broker_account', name=op.f('uq_connection_owner_id_broker_broker_account'))
    )
    op.create_table('daily_value',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('currency', sa.String(length=12), nullable=False),
    sa.Column('net_liquidation', ExactDecimal(), nullable=True),
    sa.Column('read_at', UtcDateTime(timezone=True), nullable=False),
    sa.CheckConstraint("upper(CAST(net_liquidation AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_daily_value_net_liquidation_is_a_number')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_daily_value_account_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_daily_value')),
    sa.UniqueConstraint('account_id', 'day', name=op.f('uq_daily_value_account_id_day'))
    )
    op.create_table('holding',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('instrument_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('source_account', sa.String(length=40), nullable=False),
    sa.Column('quantity', ExactDecimal(), nullable=False),
    sa.Column('average_price', ExactDecimal(), nullable=True),
    sa.Column('opened_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('closed_at', UtcDateTime(timezone=True), nullable=True),
    sa.Column('price', ExactDecimal(), nullable=True),
    sa.Column('market_value', ExactDecimal(), nullable=True),
    sa.Column('unrealized_pnl', ExactDecimal(), nullable=True),
    sa.Column('quoted_at', UtcDateTime(timezone=True), nullable=True),
    sa.Column('notes', sa.Text(), nullable=True),
    sa.Column('display_name', sa.String(length=200), nullable=True),
    sa.Column('category', sa.String(length=100), nullable=True),
    sa.Column('target_weight', ExactDecimal(), nullable=True),
    sa.CheckConstraint("upper(CAST(average_price AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_holding_average_price_is_a_number')),
    sa.CheckConstraint("upper(CAST(market_value AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_holding_market_value_is_a_number')),
    sa.CheckConstraint("upper(CAST(price AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_holding_price_is_a_number')),
    sa.CheckConstraint("upper(CAST(quantity AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_holding_quantity_is_a_number')),
    sa.CheckConstraint("upper(CAST(target_weight AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_holding_target_weight_is_a_number')),
    sa.CheckConstraint("upper(CAST(unrealized_pnl AS TEXT)) NOT LIKE '%N%'", name=op.f('ck_holding_unrealized_pnl_is_a_number')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_holding_account_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['instrument_id'], ['instrument.id'], name=op.f('fk_holding_instrument_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_holding'))
    )
    with op.batch_alter_table('holding', schema=None) as batch_op:
        batch_op.create_index('uq_holding_open', ['account_id', 'instrument_id', 'source', 'source_account'], unique=True, sqlite_where=sa.text('closed_at IS NULL'), postgresql_where=sa.text('closed_at IS NULL'))

    op.create_table('sync_run',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('connection_id', sa.Integer(), nullable=True),
    sa.Column('status', sa.String(length=40), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=True),
    sa.Column('started_at', UtcDateTime(timezone=True), nullable=False),
    sa.Column('finished_at', UtcDateTime(timezone=True), nullable=True),
    sa.Column('lease_until', UtcDateTime(timezone=True), nullable=False),
    sa.Column('added', sa.Integer(), nullable=False),
    sa.Column('changed', sa.Integer(), nullable=False),
    sa.Column('closed', sa.Integer(), nullable=False),
    sa.Column('unchanged', sa.Integer(), nullable=False),
    sa.Column('repriced', sa.Integer(), nullable=False),
    sa.Column('warnings', sa.JSON(), nullable=False),
    sa.Column('reconciliation', sa.JSON(), nullable=False),
    sa.Column('evidence', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('error', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('digest', sa.String(length=64), nullable=True),
    sa.CheckConstraint("status IN ('running', 'succeeded', 'rejected', 'failed', 'interrupted', 'undone')", name=op.f('ck_sync_run_status_is_known')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_sync_run_account_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['connection_id'], ['connection.id'], name=op.f('fk_sync_run_connection_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_run'))
    )
    with op.batch_alter_table('sync_run', schema=None) as batch_op:
        batch_op.create_index('ix_sync_run_account_started', ['account_id', 'started_at'], unique=False)
        batch_op.create_index('uq_sync_run_running', ['account_id'], unique=True, sqlite_where=sa.text("status = 'running'"), postgresql_where=sa.text("status = 'running'"))

    op.create_table('change',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('run_id', sa.String(length=32), nullable=False),
    sa.Column('holding_id', sa.Integer(), nullable=True),
    sa.Column('subject', sa.String(length=40), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('field', sa.String(length=40), nullable=False),
    sa.Column('old', sa.Text(), nullable=True),
    sa.Column('new', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['holding_id'], ['holding.id'], name=op.f('fk_change_holding_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['run_id'], ['sync_run.id'], name=op.f('fk_change_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_change'))
    )
    with op.batch_alter_table('change', schema=None) as batch_op:
        batch_op.create_index('ix_change_run', ['run_id'], unique=False)

