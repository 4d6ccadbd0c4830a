"""Decisions about runs, and connections as resources."""

from __future__ import annotations

from typing import Any

from flask import Response

from portfolio.connections import cards, decisions
from portfolio.connections.cards import ConnectionView
from portfolio.connections.schemas import ConnectionChange, ConnectionSchema, ConnectionsSchema
from portfolio.connections.services import clean_username
from portfolio.connections.views import runs as views
from portfolio.db.session import unit_of_work
from portfolio.errors import NotFound
from portfolio.sync.schemas import RunEnvelope
from portfolio.web.openapi import Blueprint, Failure
from portfolio.web.runtime import moment, owner_id, reading, runtime

blueprint = Blueprint(
    "decisions", __name__, url_prefix="/api/v1", description="Connections and decisions"
)


@blueprint.post("/runs/<run_id>/undo")
@blueprint.response(200, RunEnvelope)
@blueprint.alt_response(409, schema=Failure, description="Something has changed since")
def undo(run_id: str) -> Response:
    """Take a run back; the schedule pauses until you sync by hand or resume it."""
    of = runtime()
    made = decisions.undo(owner_id(), run_id, of.outside, of.zone)
    return views.decided(made)


@blueprint.post("/runs/<run_id>/apply")
@blueprint.response(200, RunEnvelope)
@blueprint.alt_response(409, schema=Failure, description="It can no longer be applied")
def apply_anyway(run_id: str) -> Response:
    """Apply what a run has read although it was not believed."""
    of = runtime()
    made = decisions.apply_anyway(owner_id(), run_id, of.outside, of.zone)
    return views.decided(made, "What the run had read was applied.")


@blueprint.get("/connections")
@blueprint.response(200, ConnectionsSchema)
def list_connections() -> dict[str, Any]:
    """Your connections, each with its state."""
    found = cards.connections(reading(), owner_id(), moment().now, runtime().outside.brokers)
    return {"items": found, "next_cursor": None}


@blueprint.patch("/connections/<int:connection_id>")
@blueprint.arguments(ConnectionChange)
@blueprint.response(200, ConnectionSchema)
def change_connection(values: dict[str, Any], connection_id: int) -> ConnectionView:
    """Pause or resume a connection, switch its schedule, name its user, or change its gateway."""
    owner, at = owner_id(), moment()
    if "username" in values:
        # Before a gateway is asked for anything.
        values["username"] = clean_username(values["username"])
    if "gateway_id" in values:
        decisions.move(owner, connection_id, values.pop("gateway_id"), runtime().outside)
    with unit_of_work() as session:
        decisions.change_connection(session, owner, connection_id, values, at)
    found = cards.connections(reading(), owner, at.now, runtime().outside.brokers)
    changed = next((view for view in found if view.id == connection_id), None)
    if changed is None:
        # Somebody has disconnected it just now.
        raise NotFound("connection")
    return changed
