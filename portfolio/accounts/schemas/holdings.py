"""The documented JSON of holdings, instruments, cash, and totals."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from brokers.types import Kind
from portfolio.accounts.queries.order import SORTS
from portfolio.accounts.schemas.portfolios import CODE, CURRENCY, INCOMPLETE, Shares
from portfolio.web.openapi import Exact, OneOf, PageQuery, Typed, Utc

KINDS = [str(kind) for kind in Kind]
DEFAULT = "Where none is said: 1, for bonds and bills 0.01; needed for options and futures"
NOTHING = validate.OneOf([], error="Only null can be sent, which says that it is no duplicate.")


class InstrumentSchema(Schema):
    """What is held."""

    id = fields.Integer(required=True, metadata={"example": 1})
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
    source = fields.String(required=True, metadata={"example": "manual"})


class InstrumentsSchema(Schema):
    """A stretch of the instruments."""

    items = fields.List(fields.Nested(InstrumentSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class InstrumentsQuery(PageQuery):
    """Which instruments are wanted: the beginning of a symbol or name."""

    text = fields.String(load_default="", validate=validate.Length(max=100))


class Identifiers(Schema):
    """Names that others give an instrument."""

    isin = fields.String(allow_none=True, metadata={"example": "IE00BK5BQT80"})


class HoldingSchema(Schema):
    """A holding with its figures in its own currency; `weight` is a share of one."""

    id = fields.String(required=True, metadata={"example": "1"})
    instrument = fields.Nested(InstrumentSchema, required=True)
    quantity = Exact(required=True, metadata={"example": "10.5"})
    average_price = Exact(required=True, allow_none=True)
    cost = Exact(required=True, allow_none=True)
    price = Exact(required=True, allow_none=True)
    market_value = Exact(required=True, allow_none=True)
    notional = Exact(required=True, allow_none=True)
    counts_in_value = fields.Boolean(required=True)
    unrealized_pnl = Exact(required=True, allow_none=True)
    quoted_at = Utc(
        required=True,
        allow_none=True,
        metadata={"description": "When its price was read or typed"},
    )
    weight = Exact(required=True, allow_none=True)
    currency = fields.String(required=True, metadata=CURRENCY)
    source = fields.String(required=True, metadata={"example": "ibkr"})
    editable = fields.Boolean(required=True)
    notes = fields.String(required=True, allow_none=True)
    duplicate_of = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The holding that this one is likely counted twice with"},
    )


class HoldingChange(Schema):
    """What can be changed of a holding; what is left out stays."""

    symbol = fields.String()
    name = fields.String(allow_none=True)
    kind = fields.String(metadata={"enum": KINDS})
    currency = fields.String(metadata={"pattern": CODE})
    quantity = Typed(metadata={"example": "13"})
    average_price = Typed(allow_none=True)
    price = Typed(allow_none=True, metadata={"example": "101.50"})
    multiplier = Typed(
        metadata={"description": f"{DEFAULT}. With another kind, one that was so is that kind's"}
    )
    identifiers = fields.Nested(Identifiers)
    expiry = fields.Date(allow_none=True)
    strike = Typed(allow_none=True)
    right = fields.String(allow_none=True, validate=validate.OneOf(["call", "put"]))
    underlying = fields.String(allow_none=True)
    notes = fields.String(allow_none=True, metadata={"example": "for Ada"})
    duplicate_of = fields.String(
        allow_none=True,
        validate=NOTHING,
        metadata={"description": "null settles that this is no duplicate"},
    )


class NewHolding(HoldingChange):
    """What a holding by hand is made from."""

    symbol = fields.String(required=True, metadata={"example": "VWCE"})
    name = fields.String(allow_none=True, metadata={"example": "Vanguard FTSE All-World"})
    kind = fields.String(required=True, metadata={"example": "etf", "enum": KINDS})
    currency = fields.String(required=True, metadata={"example": "EUR", "pattern": CODE})
    quantity = Typed(required=True, metadata={"example": "12.5"})
    average_price = Typed(allow_none=True, metadata={"example": "98.10"})
    price = Typed(allow_none=True, metadata={"example": "101"})
    multiplier = Typed(metadata={"example": "1", "description": DEFAULT})
    identifiers = fields.Nested(Identifiers, metadata={"example": {"isin": "IE00BK5BQT80"}})


class HoldingsQuery(PageQuery):
    """Which holdings are wanted, in which order; `-` before a column means descending."""

    sort = fields.String(
        load_default="-value",
        validate=validate.OneOf([*SORTS, *(f"-{name}" for name in SORTS)]),
    )
    text = fields.String(load_default="", validate=validate.Length(max=100))
    kind = fields.String(load_default="", validate=OneOf(["", *Kind]))


class CashSchema(Schema):
    """Money in one currency."""

    id = fields.String(required=True, metadata={"example": "1"})
    currency = fields.String(required=True, metadata=CURRENCY)
    amount = Exact(required=True, metadata={"example": "-120.50"})
    settled = Exact(required=True, allow_none=True)
    source = fields.String(required=True, metadata={"example": "manual"})
    editable = fields.Boolean(required=True)
    duplicate_of = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The cash that this is likely counted twice with"},
    )


class NewCash(Schema):
    """What a cash balance by hand is made from."""

    currency = fields.String(required=True, metadata={"example": "EUR", "pattern": CODE})
    amount = Typed(required=True, metadata={"example": "100.00"})


class CashChange(Schema):
    """Another amount, or (`duplicate_of` null) that it is not counted twice."""

    amount = Typed(metadata={"example": "250.00"})
    duplicate_of = fields.String(allow_none=True, validate=NOTHING)


class CashListSchema(Schema):
    """The cash of an account."""

    items = fields.List(fields.Nested(CashSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


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
    by_kind = Shares()
    by_currency = Shares()
    incomplete = fields.List(fields.String(), required=True, metadata=INCOMPLETE)


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
