"""The documented routes of a connection; each URL serves programs, browsers and HTMX alike."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from portfolio.accounts.schemas.portfolios import AccountSchema
from portfolio.connections import contacts, services
from portfolio.connections.gateways import FIRST_BROKER
from portfolio.connections.schemas import (
    AcceptCertificate,
    AcceptedCertificate,
    AvailableAccountsSchema,
    ConnectRequest,
    DiagnosisSchema,
    DisconnectRequest,
    GatewayQuery,
)
from portfolio.connections.views import connections as views
from portfolio.db.session import unit_of_work
from portfolio.sync.schemas import FailedRun, RunEnvelope
from portfolio.web import respond
from portfolio.web.openapi import Blueprint, Failure
from portfolio.web.respond import Reader
from portfolio.web.runtime import moment, owner_id, runtime

blueprint = Blueprint("connections", __name__, description="Accounts and their brokers")
LINKED_ALREADY = "linked already; another user name or gateway is noted"
ACCOUNT = "/portfolio/<int:portfolio_id>/accounts/<account_name>"


@blueprint.get("/ibkr/test-connection")
@blueprint.arguments(GatewayQuery, location="query")
@blueprint.response(200, DiagnosisSchema)
@blueprint.alt_response(403, schema=Failure, description="Another site asks")
@blueprint.alt_response(404, schema=Failure, description="There is no such gateway")
def test_connection(query: dict[str, Any]) -> Response:
    """Test the connection to Interactive Brokers without linking accounts."""
    return views.diagnosed(views.route(query["gateway_id"]))


@blueprint.get("/ibkr/accounts")
@blueprint.arguments(GatewayQuery, location="query")
@blueprint.response(200, AvailableAccountsSchema)
@blueprint.alt_response(403, schema=Failure, description="Another site asks")
@blueprint.alt_response(404, schema=Failure, description="There is no such gateway")
@blueprint.alt_response(409, schema=Failure, description="You must act")
def accounts(query: dict[str, Any]) -> Response:
    """List the available IBKR accounts of the signed-in user."""
    return views.listed(views.choices(query["gateway_id"]))


@blueprint.post(f"{ACCOUNT}/connect/ibkr")
@blueprint.arguments(ConnectRequest)
@blueprint.response(201, AccountSchema)
@blueprint.alt_response(200, schema=AccountSchema, description=LINKED_ALREADY)
def connect(values: dict[str, Any], portfolio_id: int, account_name: str) -> Response:
    """Link an existing account to Interactive Brokers."""
    return views.connected(views.place(portfolio_id, account_name), FIRST_BROKER, values)


@blueprint.post(f"{ACCOUNT}/connect/<broker>")
@blueprint.arguments(ConnectRequest)
@blueprint.response(201, AccountSchema)
@blueprint.alt_response(200, schema=AccountSchema, description=LINKED_ALREADY)
def connect_to(
    values: dict[str, Any], portfolio_id: int, account_name: str, broker: str
) -> Response:
    """Link an existing account to another broker, by the key of its adapter."""
    return views.connected(views.place(portfolio_id, account_name), broker, values)


@blueprint.post(f"{ACCOUNT}/sync")
@blueprint.response(200, RunEnvelope)
@blueprint.alt_response(202, schema=RunEnvelope, description="under way; see Location")
@blueprint.alt_response(409, schema=FailedRun, description="You must act; the error says why")
@blueprint.alt_response(503, schema=FailedRun, description="Heals by itself; see the error")
def sync(portfolio_id: int, account_name: str) -> Response:
    """Synchronise the holdings of an account from Interactive Brokers."""
    where = views.place(portfolio_id, account_name)
    started = runtime().runner.start(where)
    at_once = respond.reader() is Reader.FRAGMENT
    if at_once or "respond-async" in request.headers.get("Prefer", ""):
        return views.synced(where, started.run_id, finished=False)
    return views.synced(where, started.run_id, finished=runtime().runner.wait(started))


@blueprint.post(f"{ACCOUNT}/disconnect")
@blueprint.arguments(DisconnectRequest)
@blueprint.response(200, AccountSchema)
def disconnect(values: dict[str, Any], portfolio_id: int, account_name: str) -> Response:
    """Remove the connection of an account; existing holdings are preserved."""
    where = views.place(portfolio_id, account_name)
    close = values["holdings"] == "close"
    services.disconnect(where, close_holdings=close, moment=moment())
    message = "The account is kept by hand again; this does not sign you out at the broker."
    return views.linked(where, message)


@blueprint.post("/api/v1/gateways/<int:gateway_id>/certificate")
@blueprint.arguments(AcceptCertificate)
@blueprint.response(200, AcceptedCertificate)
@blueprint.alt_response(409, schema=Failure, description="Another certificate is shown")
def accept_certificate(values: dict[str, Any], gateway_id: int) -> Any:
    """Trust the certificate that a gateway shows now."""
    print_, owner = values["fingerprint"], owner_id()
    views.route(gateway_id)
    found = services.accept_certificate(owner, gateway_id, print_, runtime().outside)
    with unit_of_work() as session:
        contacts.ask_again(session, gateway_id)
    if respond.reader() is Reader.PROGRAM:
        return found
    return respond.go(
        respond.back(url_for("gateways.settings")),
        "The certificate is trusted from now on. The next sync reads the account again.",
    )
