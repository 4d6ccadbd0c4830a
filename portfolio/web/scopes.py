"""Which scope of a token opens which route; a route that is not listed is opened by no token."""

from __future__ import annotations

READ, SYNC, WRITE = "read", "sync", "write"

_READ = """
accounts_api.list_portfolios accounts_api.get_portfolio
accounts_api.list_accounts accounts_api.get_account
holdings_api.list_holdings holdings_api.get_holding holdings_api.list_values
cash_api.list_cash
rates_api.list_instruments rates_api.list_rates
transfer_api.export_csv transfer_api.export_json
sync_api.list_runs sync_api.get_run sync_api.list_changes
decisions.list_connections gateways_api.list_gateways
connections.accounts connections.test_connection
api-docs.openapi_json
"""
_SYNC = """
connections.sync decisions.apply_anyway decisions.undo
"""
_WRITE = """
accounts_api.create_portfolio accounts_api.change_portfolio accounts_api.delete_portfolio
accounts_api.create_account accounts_api.change_account accounts_api.delete_account
holdings_api.add_holding holdings_api.change_holding holdings_api.remove_holding
cash_api.add_cash cash_api.change_cash cash_api.remove_cash
rates_api.add_rate rates_api.fetch_reference_rates rates_api.remove_rate
transfer_api.import_csv
connections.connect connections.connect_to connections.disconnect
decisions.change_connection
"""
SCOPE_OF = {
    **dict.fromkeys(_READ.split(), READ),
    **dict.fromkeys(_SYNC.split(), SYNC),
    **dict.fromkeys(_WRITE.split(), WRITE),
}
# JSON, and yet for people only: where gateways are, whom to trust and whom to tell are settings.
NO_TOKEN = frozenset(
    """
gateways_api.add_gateway gateways_api.change_gateway gateways_api.remove
connections.accept_certificate notifications_api.send_test
notifications_api.list_targets notifications_api.add_target notifications_api.remove_target
secrets_api.list_secrets secrets_api.put secrets_api.forget
""".split()
)
# Whoever asks gets these; a monitor has a token of its own, which the route itself looks at.
FREE = frozenset({"static", "pages.favicon", "pages.healthz", "pages.readyz", "pages.metrics"})
