"""The form of the settings page for what a broker's adapter needs to sign in."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from portfolio.connections.gateways import find_gateway
from portfolio.connections.secrets import declared, forget_secrets, put_secrets
from portfolio.connections.views.gateways import settings_page
from portfolio.db.session import unit_of_work
from portfolio.errors import Invalid
from portfolio.web import respond
from portfolio.web.runtime import owner_id, runtime

blueprint = Blueprint("secrets", __name__)


@blueprint.post("/settings/gateways/<int:gateway_id>/secrets")
def save(gateway_id: int) -> Response:
    """Store what was typed; what was left empty stays as it is, and nothing is shown again."""
    owner, of = owner_id(), runtime()
    try:
        with unit_of_work() as session:
            found = find_gateway(session, owner, gateway_id)
            fields = declared(found, of.outside.brokers)
            typed = {each.name: request.form.get(f"secret-{each.name}", "") for each in fields}
            values = {name: value for name, value in typed.items() if value}
            put_secrets(session, found, values, fields, (of.sealer, of.clock.now()))
    except Invalid as error:
        return settings_page({}, dict(error.fields), gateway_id)
    return respond.go(url_for("gateways.settings"), "It was stored.")


@blueprint.post("/settings/gateways/<int:gateway_id>/secrets/remove")
def remove(gateway_id: int) -> Response:
    """Forget all that was entered for a gateway."""
    owner = owner_id()
    with unit_of_work() as session:
        forget_secrets(session, find_gateway(session, owner, gateway_id))
    return respond.go(url_for("gateways.settings"), "It was removed.")
