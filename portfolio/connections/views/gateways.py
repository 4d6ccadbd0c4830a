"""The forms of the settings page: gateways, their addresses and certificates."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from sqlalchemy import select

from portfolio.connections import queries
from portfolio.connections.gateways import (
    add_gateway,
    change_gateway,
    find_gateway,
    fixed_gateway,
    remove_gateway,
)
from portfolio.connections.models import Gateway
from portfolio.connections.secrets import SecretView, secrets_of
from portfolio.connections.targets import targets
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, Invalid
from portfolio.options import OPTIONS, PREFIX
from portfolio.users.queries import first_user
from portfolio.web import respond
from portfolio.web.runtime import owner_id, reading, runtime

blueprint = Blueprint("gateways", __name__)


@blueprint.get("/settings")
def settings() -> Response:
    """Gateways, and the settings that the environment or a file gives."""
    return settings_page({}, {}, None)


def settings_page(
    values: dict[str, str], errors: dict[str, str], gateway_id: int | None
) -> Response:
    """The page, with what was typed into a form and what is wrong with it.

    The form is that of a gateway, or with none that of an address of notifications.
    """
    of, owner = runtime().settings, owner_id()
    operator = owner == first_user(reading())
    options = [(PREFIX + each.name, of.shown(each), each) for each in OPTIONS]
    return respond.page(
        "connections/settings.html",
        422 if errors else 200,
        gateways=queries.gateways(reading(), owner),
        brokers=runtime().outside.brokers,
        fixed=fixed_gateway(reading(), owner, runtime().outside),
        fixed_by=runtime().outside.fixed_by,
        options=options,
        targets=len(of.notify_urls) if operator else 0,
        # Where this server listens is for whoever runs it.
        operator=operator,
        secrets=_secrets(),
        own=targets(reading(), owner, runtime().sealer),
        sources=of.sources,
        values=values,
        errors=errors,
        wrong=gateway_id,
    )


def _secrets() -> dict[int, tuple[SecretView, ...]]:
    """What the adapter of each gateway needs to sign in, by the gateway's id."""
    rows = reading().scalars(select(Gateway).where(Gateway.owner_id == owner_id())).all()
    of = runtime()
    return {row.id: secrets_of(reading(), row, of.outside.brokers, of.sealer) for row in rows}


@blueprint.post("/settings/gateways")
@blueprint.post("/settings/gateways/<int:gateway_id>")
def save(gateway_id: int | None = None) -> Response:
    """Add a gateway, or change where one is."""
    names = ("broker", "url", "login_url")
    values = {name: request.form.get(name, "").strip() for name in names}
    owner, outside = owner_id(), runtime().outside
    try:
        with unit_of_work() as session:
            if gateway_id is None:
                add_gateway(session, owner, values, outside)
            else:
                found = find_gateway(session, owner, gateway_id)
                change_gateway(session, found, values, outside)
    except (Invalid, Conflict) as error:
        errors = dict(error.fields) or {"url": error.message}
        return settings_page(values, errors, gateway_id or 0)
    return respond.go(url_for(".settings"), "The gateway was saved.")


@blueprint.post("/settings/gateways/<int:gateway_id>/remove")
def remove(gateway_id: int) -> Response:
    """Forget a gateway."""
    owner, outside = owner_id(), runtime().outside
    with unit_of_work() as session:
        remove_gateway(session, find_gateway(session, owner, gateway_id), outside)
    return respond.go(url_for(".settings"), "The gateway was removed.")
