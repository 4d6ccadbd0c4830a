"""The documented JSON of exchange rates."""

from __future__ import annotations

from marshmallow import Schema, fields

from portfolio.accounts.schemas.portfolios import CODE, CURRENCY, TYPED_CURRENCY
from portfolio.web.openapi import Exact, Typed


class RateSchema(Schema):
    """The value of one unit of `from` in `to`."""

    id = fields.Integer(required=True, metadata={"example": 1})
    from_ = fields.String(
        required=True, data_key="from", attribute="from_currency", metadata=CURRENCY
    )
    to = fields.String(required=True, attribute="to_currency", metadata={"example": "EUR"})
    rate = Exact(required=True, attribute="value", metadata={"example": "0.91"})
    date = fields.Date(required=True, attribute="day")
    source = fields.String(required=True, metadata={"example": "manual"})


class NewRate(Schema):
    """What a rate by hand is made from; without a `date` it is today's."""

    from_ = fields.String(
        required=True, data_key="from", attribute="from", metadata=TYPED_CURRENCY
    )
    to = fields.String(required=True, metadata={"example": "EUR", "pattern": CODE})
    rate = Typed(required=True, metadata={"example": "0.91"})
    date = fields.Date(allow_none=True, metadata={"example": "2026-11-20"})


class RatesSchema(Schema):
    """A stretch of the rates, the newest day first."""

    items = fields.List(fields.Nested(RateSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class FetchedRates(Schema):
    """How many reference rates were new or different."""

    changed = fields.Integer(required=True)
