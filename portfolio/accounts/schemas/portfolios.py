"""The documented JSON of portfolios and their accounts."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from portfolio.accounts.resources import REASONS
from portfolio.web.openapi import Exact, Utc

NAME = {"example": "Retirement"}
CURRENCY = {"example": "USD"}
# Small letters are taken too, and written in capitals; but the last one alone stands for pence.
CODE = "^([A-Za-z]{2}[A-Z]|[A-Za-z][a-z]{2}|[a-z][A-Za-z][a-z])$"
TYPED_CURRENCY = {**CURRENCY, "pattern": CODE}
TWICE = {"description": "Its accounts of which something may count twice", "example": ["A"]}
INCOMPLETE = {
    "description": f"What sums are without; each ends with its reason: {'; '.join(REASONS)}"
}


class Shares(fields.Dict):
    """Parts of a total by name, each exact."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), values=Exact(), required=True, **kwargs)


class PortfolioSchema(Schema):
    """A portfolio with its value in its base currency."""

    id = fields.Integer(required=True, metadata={"example": 1})
    name = fields.String(required=True, metadata=NAME)
    base_currency = fields.String(required=True, metadata=CURRENCY)
    account_count = fields.Integer(required=True)
    net_liquidation = Exact(required=True, allow_none=True, metadata={"example": "1005182.38"})
    by_kind = Shares(metadata={"example": {"etf": "900000", "cash": "105182.38"}})
    by_currency = Shares(metadata={"example": {"USD": "1005182.38"}})
    incomplete = fields.List(fields.String(), required=True, metadata=INCOMPLETE)
    possible_duplicates = fields.List(fields.String(), required=True, metadata=TWICE)
    stale = fields.Boolean(required=True)
    shared_by = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Its owner, where it is shared with you to look at"},
    )


class PortfolioChange(Schema):
    """What can be changed of a portfolio; what is left out stays."""

    name = fields.String(metadata={"example": "Old age"})
    base_currency = fields.String(metadata={"example": "EUR", "pattern": CODE})


class NewPortfolio(Schema):
    """What a portfolio is made from."""

    name = fields.String(required=True, metadata=NAME)
    base_currency = fields.String(required=True, metadata=TYPED_CURRENCY)


class PortfoliosSchema(Schema):
    """A stretch of the portfolios."""

    items = fields.List(fields.Nested(PortfolioSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


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

    name = fields.String(required=True, metadata={"example": "Savings"})
    currency = fields.String(required=True, metadata=TYPED_CURRENCY)
    notes = fields.String(allow_none=True)


class AccountChange(Schema):
    """What can be changed of an account; what is left out stays."""

    name = fields.String(metadata={"example": "IBKR Main"})
    currency = fields.String(metadata=TYPED_CURRENCY)
    notes = fields.String(allow_none=True, metadata={"example": "Opened in 2019"})


class AccountsSchema(Schema):
    """A stretch of a portfolio's accounts."""

    items = fields.List(fields.Nested(AccountSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DailyValueSchema(Schema):
    """What an account was worth on a day."""

    day = fields.Date(required=True)
    currency = fields.String(required=True, metadata=CURRENCY)
    net_liquidation = Exact(required=True, allow_none=True)


class DailyValuesSchema(Schema):
    """The values of an account day by day, the oldest first."""

    items = fields.List(fields.Nested(DailyValueSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
