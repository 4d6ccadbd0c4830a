"""Notifications as JSON."""

from __future__ import annotations

from portfolio.connections import telling
from portfolio.connections.schemas import DeliverySchema
from portfolio.connections.telling import Delivery
from portfolio.web.openapi import Blueprint, Failure

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
    """Send a test message to the targets of NOTIFY_URLS, and count who took it."""
    return telling.send_test()
