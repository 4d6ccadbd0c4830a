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
    """Store an address; one that is stored is not shown again.

    A wrong one is, for whoever has just typed it to mend: in this answer, which nobody keeps.
    """
    typed = request.form.get("address", "")
    try:
        added = add_target(typed)
    except Invalid as error:
        return settings_page({"address": typed}, dict(error.fields), None)
    except Conflict as error:
        return settings_page({}, {"address": error.message}, None)
    text = f"The address ({added.kind}) was stored. Send a test message to see whether it works."
    return respond.go(url_for("gateways.settings", _anchor="notifications"), text)


@blueprint.post("/settings/notifications/targets/<target>/remove")
def remove(target: str) -> Response:
    """Forget an address."""
    remove_target(target)
    text = "The address was removed."
    return respond.go(url_for("gateways.settings", _anchor="notifications"), text)
