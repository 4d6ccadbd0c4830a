"""Gateways as JSON."""

from __future__ import annotations

from typing import Any

from portfolio.connections import gateways, queries
from portfolio.connections.queries import GatewayView
from portfolio.connections.schemas import (
    GatewayChange,
    GatewaySchema,
    GatewaysSchema,
    NewGateway,
)
from portfolio.db.session import unit_of_work
from portfolio.web.openapi import Blueprint
from portfolio.web.runtime import owner_id, reading, runtime

blueprint = Blueprint(
    "gateways_api", __name__, url_prefix="/api/v1/gateways", description="Gateways"
)


@blueprint.get("")
@blueprint.response(200, GatewaysSchema)
def list_gateways() -> dict[str, Any]:
    """Your gateways, the first one first."""
    return {"items": queries.gateways(reading(), owner_id()), "next_cursor": None}


@blueprint.post("")
@blueprint.arguments(NewGateway)
@blueprint.response(201, GatewaySchema)
def add_gateway(values: dict[str, str]) -> GatewayView:
    """Add a gateway."""
    owner, outside = owner_id(), runtime().outside
    with unit_of_work() as session:
        return queries.one_gateway(session, gateways.add_gateway(session, owner, values, outside))


@blueprint.patch("/<int:gateway_id>")
@blueprint.arguments(GatewayChange)
@blueprint.response(200, GatewaySchema)
def change_gateway(values: dict[str, str], gateway_id: int) -> GatewayView:
    """Change where a gateway is; another address is a new first contact."""
    owner, outside = owner_id(), runtime().outside
    with unit_of_work() as session:
        found = gateways.find_gateway(session, owner, gateway_id)
        changed = gateways.change_gateway(session, found, values, outside)
        return queries.one_gateway(session, changed)


@blueprint.delete("/<int:gateway_id>")
@blueprint.response(204)
def remove(gateway_id: int) -> None:
    """Forget a gateway that no account is connected through."""
    owner, outside = owner_id(), runtime().outside
    with unit_of_work() as session:
        found = gateways.find_gateway(session, owner, gateway_id)
        gateways.remove_gateway(session, found, outside)
