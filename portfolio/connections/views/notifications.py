"""The form of the settings page that sends a test message."""

from __future__ import annotations

from flask import Blueprint, Response, url_for

from portfolio.connections.telling import send_test
from portfolio.web import respond

blueprint = Blueprint("notifications", __name__)


@blueprint.post("/settings/notifications/test")
def test() -> Response:
    """Send a test message, and say who took it."""
    found = send_test()
    text = f"{found.message} {found.remedy}" if found.remedy else found.message
    category = "problem" if found.remedy else "done"
    return respond.go(url_for("gateways.settings"), text, category)
