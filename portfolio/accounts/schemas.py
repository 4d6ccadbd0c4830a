"""The documented JSON of portfolios, accounts, holdings and cash."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from portfolio.web.openapi import Exact, Utc

NAME = {"example": "Retirement"}
CURRENCY = {"example": "USD"}


class PortfolioSchema(Schema):
    """A portfolio with its value in its base currency."""

    id = fields.Integer(required=True, metadata={"example": 1})
    name = fields.String(required=True, metadata=NAME)
    base_currency = fields.String(required=True, metadata=CURRENCY)
    account_count = fields.Integer(required=True)
    net_liquidation = Exact(required=True, allow_none=True, metadata={"example": "1005182.38"})
    incomplete = fields.List(fields.String(), required=True)
    stale = fields.Boolean(required=True)


class NewPortfolio(Schema):
    """What a portfolio is made from."""

    name = fields.String(required=True, metadata=NAME)
    base_currency = fields.String(required=True, metadata=CURRENCY)


class LinkSchema(Schema):
    """The connection of an account."""

    id = fields.Integer(required=True)
    broker = fields.String(required=True, metadata={"example": "ibkr"})
    broker_account = fields.String(required=True, metadata={"example": "U1234567"})
    gateway_id = fields.Integer(required=True)
    username = fields.String(required=True, allow_none=True)
    sync_enabled = fields.Boolean(required=True)
    paused = fields.Boolean(required=True)


class AccountSchema(Schema):
    """An account, kept by hand or connected."""

    id = fields.Integer(required=True, metadata={"example": 1})
    portfolio_id = fields.Integer(required=True, metadata={"example": 1})
    name = fields.String(required=True, metadata={"example": "IBKR Main"})
    currency = fields.String(required=True, metadata=CURRENCY)
    mode = fields.String(required=True, validate=validate.OneOf(["manual", "connected"]))
    notes = fields.String(required=True, allow_none=True)
    synced_at = Utc(required=True, allow_none=True)
    stale = fields.Boolean(required=True)
    attention_code = fields.String(required=True, allow_none=True)
    connection = fields.Nested(LinkSchema, required=True, allow_none=True)
    warnings = fields.List(fields.String(), required=True)


class NewAccount(Schema):
    """What an account is made from."""

    name = fields.String(required=True, metadata={"example": "IBKR Main"})
    currency = fields.String(required=True, metadata=CURRENCY)
    notes = fields.String(allow_none=True)


class AccountChange(Schema):
    """What can be changed of an account; what is left out stays."""

    name = fields.String()
    currency = fields.String()
    notes = fields.String(allow_none=True)


class InstrumentSchema(Schema):
    """What is held."""

    symbol = fields.String(required=True, metadata={"example": "SPY"})
    name = fields.String(required=True, allow_none=True)
    kind = fields.String(required=True, metadata={"example": "etf"})
    currency = fields.String(required=True, metadata=CURRENCY)
    multiplier = Exact(required=True, metadata={"example": "1"})
    identifiers = fields.Dict(
        keys=fields.String(), values=fields.String(allow_none=True), required=True
    )
    expiry = fields.Date(required=True, allow_none=True)
    strike = Exact(required=True, allow_none=True)
    right = fields.String(required=True, allow_none=True)
    underlying = fields.String(required=True, allow_none=True)


class HoldingSchema(Schema):
    """A holding with its figures in its own currency; `weight` is a share of one."""

    id = fields.String(required=True)
    instrument = fields.Nested(InstrumentSchema, required=True)
    quantity = Exact(required=True, metadata={"example": "10.5"})
    average_price = Exact(required=True, allow_none=True)
    cost = Exact(required=True, allow_none=True)
    price = Exact(required=True, allow_none=True)
    market_value = Exact(required=True, allow_none=True)
    notional = Exact(required=True, allow_none=True)
    counts_in_value = fields.Boolean(required=True)
    unrealized_pnl = Exact(required=True, allow_none=True)
    weight = Exact(required=True, allow_none=True)
    currency = fields.String(required=True, metadata=CURRENCY)
    source = fields.String(required=True, metadata={"example": "ibkr"})
    notes = fields.String(required=True, allow_none=True)


class CashSchema(Schema):
    """Money in one currency."""

    currency = fields.String(required=True, metadata=CURRENCY)
    amount = Exact(required=True, metadata={"example": "-120.50"})
    settled = Exact(required=True, allow_none=True)
    source = fields.String(required=True)


class TotalsSchema(Schema):
    """The figures of the whole account; `incomplete` says what they are without."""

    currency = fields.String(required=True, metadata=CURRENCY)
    market_value = Exact(required=True, allow_none=True)
    cash = Exact(required=True, allow_none=True)
    accrued_interest = Exact(required=True, allow_none=True)
    accrued_dividends = Exact(required=True, allow_none=True)
    net_liquidation = Exact(required=True, allow_none=True)
    unrealized_pnl = Exact(required=True, allow_none=True)
    broker_net_liquidation = Exact(required=True, allow_none=True)
    broker_currency = fields.String(required=True, allow_none=True)
    incomplete = fields.List(fields.String(), required=True)


class HoldingsSchema(Schema):
    """A stretch of an account's holdings, with its cash and the totals of the whole account."""

    account = fields.String(required=True, attribute="account.name")
    mode = fields.String(required=True, attribute="account.mode")
    synced_at = Utc(required=True, allow_none=True, attribute="account.synced_at")
    stale = fields.Boolean(required=True, attribute="account.stale")
    holdings = fields.List(fields.Nested(HoldingSchema), required=True)
    cash = fields.List(fields.Nested(CashSchema), required=True)
    totals = fields.Nested(TotalsSchema, required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class CashListSchema(Schema):
    """The cash of an account."""

    items = fields.List(fields.Nested(CashSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PortfoliosSchema(Schema):
    """A stretch of the portfolios."""

    items = fields.List(fields.Nested(PortfolioSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class AccountsSchema(Schema):
    """A stretch of a portfolio's accounts."""

    items = fields.List(fields.Nested(AccountSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
