"""Notifications as JSON."""

from __future__ import annotations

from typing import Any

from portfolio.connections import sending, targets
from portfolio.connections.schemas import (
    DeliverySchema,
    NewTarget,
    TargetSchema,
    TargetsSchema,
)
from portfolio.connections.sending import Delivery
from portfolio.connections.targets import TargetView
from portfolio.web.openapi import Blueprint, Failure
from portfolio.web.runtime import owner_id, reading, runtime

blueprint = Blueprint(
    "notifications_api",
    __name__,
    url_prefix="/api/v1/notifications",
    description="Notifications",
)


@blueprint.post("/test")
@blueprint.response(200, DeliverySchema)
@blueprint.alt_response(409, schema=Failure, description="No target is set")
@blueprint.alt_response(429, schema=Failure, description="One was sent a moment ago")
def send_test() -> Delivery:
    """Send a test message to your addresses and those of NOTIFY_URLS, and count who took it."""
    return sending.send_test()


@blueprint.get("/targets")
@blueprint.response(200, TargetsSchema)
def list_targets() -> dict[str, Any]:
    """Your stored addresses: which kind each is, and never the address itself."""
    found = targets.targets(reading(), owner_id(), runtime().sealer)
    return {"items": found, "next_cursor": None}


@blueprint.post("/targets")
@blueprint.arguments(NewTarget)
@blueprint.response(201, TargetSchema)
@blueprint.alt_response(409, schema=Failure, description="It is there already, or there are many")
@blueprint.alt_response(429, schema=Failure, description="One was added a moment ago")
def add_target(values: dict[str, str]) -> TargetView:
    """Store an address of Apprise, sealed; it cannot be read back."""
    return targets.add_target(values["address"])


@blueprint.delete("/targets/<target_id>")
@blueprint.response(204)
def remove_target(target_id: str) -> None:
    """Forget an address."""
    targets.remove_target(target_id)
