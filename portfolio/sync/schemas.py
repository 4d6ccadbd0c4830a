"""The documented JSON of sync runs."""

from __future__ import annotations

from marshmallow import Schema, fields

from portfolio.web.openapi import ErrorBody, Utc


class ReconciliationSchema(Schema):
    """Whether the holdings add up to what the broker says.

    `difference` is the broker's figure minus ours; `tolerance` is what it was judged by.
    """

    status = fields.String(required=True, metadata={"example": "unavailable"})
    difference = fields.String(required=True, allow_none=True)
    tolerance = fields.String(required=True, allow_none=True)
    currency = fields.String(required=True, allow_none=True)
    likely_cause = fields.String(required=True, allow_none=True)


class RunSchema(Schema):
    """One sync run; the counts are of holdings and cash balances."""

    id = fields.String(required=True)
    status = fields.String(required=True, metadata={"example": "succeeded"})
    reason = fields.String(required=True, allow_none=True)
    started_at = Utc(required=True)
    finished_at = Utc(required=True, allow_none=True)
    added = fields.Integer(required=True)
    changed = fields.Integer(required=True)
    closed = fields.Integer(required=True)
    unchanged = fields.Integer(required=True)
    repriced = fields.Integer(required=True)
    warnings = fields.List(fields.String(), required=True)
    reconciliation = fields.Nested(ReconciliationSchema, required=True)
    origin = fields.String(required=True, metadata={"example": "hand"})
    concerns = fields.String(required=True, allow_none=True)
    decided_by = fields.String(required=True, allow_none=True)


class RunEnvelope(Schema):
    """A run, and the error of one that failed or was not applied."""

    run = fields.Nested(RunSchema, required=True)
    error = fields.Nested(ErrorBody)


class FailedRun(Schema):
    """Why a sync failed or was not applied, and the run where one was begun."""

    run = fields.Nested(RunSchema)
    error = fields.Nested(ErrorBody, required=True)


class RunsSchema(Schema):
    """A stretch of an account's runs, newest first."""

    items = fields.List(fields.Nested(RunSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ChangeSchema(Schema):
    """One position field, old to new; `beside` is what a holding that was added came with."""

    id = fields.Integer(required=True)
    subject = fields.String(required=True, metadata={"example": "holding"})
    label = fields.String(required=True, metadata={"example": "SPY"})
    field = fields.String(required=True, metadata={"example": "quantity"})
    old = fields.String(required=True, allow_none=True)
    new = fields.String(required=True, allow_none=True)
    beside = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        allow_none=True,
        metadata={"example": {"average_price": "512.4", "currency": "USD", "kind": "etf"}},
    )


class ChangesSchema(Schema):
    """A stretch of a run's changes."""

    items = fields.List(fields.Nested(ChangeSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
