"""Who may reach which route: one table; a route that is not in it is reached by nobody."""

from __future__ import annotations

from enum import Enum


class Rule(Enum):
    """What a route asks of whoever comes."""

    # Anybody, also without a login: nothing of anybody's is shown.
    OPEN = "open"
    # Whoever is signed in; sees and changes what is theirs, and anything else is not there.
    SIGNED_IN = "signed in"
    # The same, and reads what stands in a portfolio that others may be allowed to see.
    SHARED = "shared"


_OPEN = """
static pages.favicon pages.healthz pages.readyz pages.metrics
login.ask login.enter login.ask_code login.enter_code login.ask_first login.make_first
"""
_SHARED = """
pages.portfolio pages.account pages.values
holdings_api.get_holding holdings_api.list_holdings holdings_api.list_values
cash_api.list_cash
accounts_api.get_portfolio accounts_api.get_account accounts_api.list_accounts
transfer.export transfer_api.export_csv transfer_api.export_json
runs.run runs.runs sync_api.list_runs sync_api.get_run sync_api.list_changes
"""
_SIGNED_IN = """
login.leave account.show account.save_password account.end_login account.end_logins
account.begin_totp account.turn_totp_on account.turn_totp_off
pages.overview pages.connections pages.api pages.edit_account pages.save_account
api-docs.openapi_json
accounts.new_portfolio accounts.create_portfolio accounts.edit_portfolio accounts.save_portfolio
accounts.ask_delete_portfolio accounts.delete_portfolio
accounts.new_account accounts.create_account
accounts.ask_delete_account accounts.delete_account
accounts_api.list_portfolios accounts_api.create_portfolio accounts_api.change_portfolio
accounts_api.delete_portfolio
accounts_api.create_account accounts_api.change_account accounts_api.delete_account
holdings.new_holding holdings.add_holding holdings.edit_holding holdings.change_holding
holdings.remove_holding holdings.settle_holding holdings.inherit_notes holdings.offered
holdings_api.add_holding holdings_api.change_holding holdings_api.remove_holding
cash.new_cash cash.add_cash cash.edit_cash cash.change_cash cash.remove_cash cash.settle_cash
cash_api.add_cash cash_api.change_cash cash_api.remove_cash
rates.list_rates rates.add_rate rates.fetch_reference_rates rates.remove_rate
rates_api.list_instruments rates_api.list_rates rates_api.add_rate
rates_api.fetch_reference_rates rates_api.remove_rate
transfer.choose_file transfer.preview transfer_api.import_csv
connections.accounts connections.connect connections.connect_to connections.disconnect
connections.sync connections.test_connection connections.accept_certificate
decisions.list_connections decisions.change_connection decisions.undo decisions.apply_anyway
gateways.settings gateways.save gateways.remove
gateways_api.list_gateways gateways_api.add_gateway gateways_api.change_gateway
gateways_api.remove
notifications.test notifications.add notifications.remove
notifications_api.send_test notifications_api.list_targets notifications_api.add_target
notifications_api.remove_target
secrets.save secrets.remove support.diagnostics
secrets_api.list_secrets secrets_api.put secrets_api.forget
runs.resume runs.schedule
tokens.show tokens.make tokens.end
sharing.share sharing.invite sharing.revoke sharing.remove_viewer
sharing.invitation sharing.accept
demo.demo demo.play
"""
RULES = {
    **dict.fromkeys(_OPEN.split(), Rule.OPEN),
    **dict.fromkeys(_SHARED.split(), Rule.SHARED),
    **dict.fromkeys(_SIGNED_IN.split(), Rule.SIGNED_IN),
}


def rule_of(endpoint: str | None) -> Rule | None:
    """The rule of a route; what is no route asks for a login, and None refuses everybody."""
    return Rule.SIGNED_IN if endpoint is None else RULES.get(endpoint)
