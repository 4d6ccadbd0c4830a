"""What a broker's adapter needs to sign in, as JSON: written, and never read back."""

from __future__ import annotations

from typing import Any

from portfolio.connections.gateways import find_gateway
from portfolio.connections.schemas import NewSecrets, SecretsSchema
from portfolio.connections.secrets import declared, forget_secrets, put_secrets, secrets_of
from portfolio.db.session import unit_of_work
from portfolio.web.openapi import Blueprint
from portfolio.web.runtime import owner_id, reading, runtime

blueprint = Blueprint(
    "secrets_api", __name__, url_prefix="/api/v1/gateways", description="Gateways"
)


@blueprint.get("/<int:gateway_id>/secrets")
@blueprint.response(200, SecretsSchema)
def list_secrets(gateway_id: int) -> dict[str, Any]:
    """What the adapter of a gateway needs to sign in, and when each was set; never the secret."""
    of, found = runtime(), find_gateway(reading(), owner_id(), gateway_id)
    items = secrets_of(reading(), found, of.outside.brokers, of.sealer)
    return {"items": items, "next_cursor": None}


@blueprint.post("/<int:gateway_id>/secrets")
@blueprint.arguments(NewSecrets)
@blueprint.response(204)
def put(values: dict[str, Any], gateway_id: int) -> None:
    """Store secrets by their names, sealed; those that are not named stay as they are."""
    owner, of = owner_id(), runtime()
    with unit_of_work() as session:
        found = find_gateway(session, owner, gateway_id)
        fields = declared(found, of.outside.brokers)
        put_secrets(session, found, values["secrets"], fields, (of.sealer, of.clock.now()))


@blueprint.delete("/<int:gateway_id>/secrets")
@blueprint.response(204)
def forget(gateway_id: int) -> None:
    """Forget all secrets of a gateway."""
    owner = owner_id()
    with unit_of_work() as session:
        forget_secrets(session, find_gateway(session, owner, gateway_id))
