"""The documented JSON of an import."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from portfolio.accounts.csvfile import COLUMNS
from portfolio.accounts.schemas.portfolios import CURRENCY
from portfolio.web.openapi import Exact, Flag


class ImportRequest(Schema):
    """A CSV file, and how it is to be read where the headings do not tell."""

    csv = fields.String(
        required=True, metadata={"example": "symbol,kind,currency,Menge\nVWCE,etf,EUR,5\n"}
    )
    columns = fields.Dict(
        keys=fields.String(validate=validate.OneOf(COLUMNS)),
        values=fields.String(),
        load_default=dict,
        metadata={
            "example": {of: of for of in ("symbol", "kind", "currency")} | {"quantity": "Menge"},
            "description": "for each of our columns the file's heading; without a kind: the one "
            "that is held by hand, or else by the broker, with all else it says; else stock",
        },
    )
    decimal = fields.String(
        load_default="",
        validate=validate.OneOf(["", ".", ","], error="Must be a point or a comma."),
        metadata={"example": "."},
    )
    apply = Flag(load_default=False)


class ImportChange(Schema):
    """What a line of the file changes of one field; null where there is nothing."""

    field = fields.String(required=True, metadata={"example": "quantity"})
    old = fields.String(required=True, allow_none=True, metadata={"example": "5"})
    new = fields.String(required=True, allow_none=True, metadata={"example": "6"})


class ImportStep(Schema):
    """What one line of the file does: added, changed, unchanged, or bad with its reasons.

    `quantity` of money is its amount; `note` says how a line without a kind was read, or what it
    says otherwise of a broker's row, where that needs to be looked at. What the line does not say,
    or not so that it can be read, is null.
    """

    line = fields.Integer(required=True)
    label = fields.String(required=True)
    action = fields.String(required=True)
    name = fields.String(required=True, allow_none=True)
    kind = fields.String(required=True, allow_none=True, metadata={"example": "etf"})
    currency = fields.String(required=True, allow_none=True, metadata=CURRENCY)
    quantity = Exact(required=True, allow_none=True, metadata={"example": "6"})
    average_price = Exact(required=True, allow_none=True)
    price = Exact(required=True, allow_none=True)
    changes = fields.List(fields.Nested(ImportChange), required=True)
    note = fields.String(required=True, allow_none=True)
    problems = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class ImportOutcome(Schema):
    """What a file does, in numbers and line by line."""

    applied = fields.Boolean(required=True)
    added = fields.Integer(required=True)
    changed = fields.Integer(required=True)
    unchanged = fields.Integer(required=True)
    bad = fields.Integer(required=True)
    rows = fields.List(fields.Nested(ImportStep), required=True)
