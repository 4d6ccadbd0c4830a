"""The forms of the settings page for notifications: a test message, and addresses."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from portfolio.connections.sending import send_test
from portfolio.connections.targets import add_target, remove_target
from portfolio.connections.views.gateways import settings_page
from portfolio.errors import Conflict, Invalid
from portfolio.web import respond

blueprint = Blueprint("notifications", __name__)


@blueprint.post("/settings/notifications/test")
def test() -> Response:
    """Send a test message, and say who took it."""
    found = send_test()
    text = f"{found.message} {found.remedy}" if found.remedy else found.message
    category = "problem" if found.remedy else "done"
    return respond.go(url_for("gateways.settings"), text, category)


@blueprint.post("/settings/notifications/targets")
def add() -> Response:
    """Store an address; what was typed is not shown again, not even where it is wrong."""
    try:
        added = add_target(request.form.get("address", ""))
    except (Invalid, Conflict) as error:
        return settings_page({}, dict(error.fields) or {"address": error.message}, None)
    text = f"The address ({added.kind}) was stored. Send a test message to see whether it works."
    return respond.go(url_for("gateways.settings", _anchor="notifications"), text)


@blueprint.post("/settings/notifications/targets/<target>/remove")
def remove(target: str) -> Response:
    """Forget an address."""
    remove_target(target)
    text = "The address was removed."
    return respond.go(url_for("gateways.settings", _anchor="notifications"), text)
