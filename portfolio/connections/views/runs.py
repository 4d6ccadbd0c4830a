"""The pages of an account's runs, and the buttons on them."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from portfolio.accounts.models import Account
from portfolio.connections import decisions
from portfolio.connections.services import connection_of
from portfolio.connections.views.connections import (
    account_page,
    card_fragment,
    place,
    run_document,
    view_and_card,
    visible_account,
)
from portfolio.db.paging import DEFAULT_LIMIT
from portfolio.db.session import unit_of_work
from portfolio.errors import NotConnected
from portfolio.sync import queries
from portfolio.sync.models import SyncRun
from portfolio.web import respond
from portfolio.web.respond import Reader
from portfolio.web.runtime import moment, owner_id, reading, runtime

blueprint = Blueprint("runs", __name__)
ACCOUNT = "/portfolio/<int:portfolio_id>/accounts/<account_name>"


@blueprint.get(f"{ACCOUNT}/syncs")
def runs(portfolio_id: int, account_name: str) -> Response:
    """All runs of an account, newest first."""
    account = visible_account(portfolio_id, account_name)
    view, card = view_and_card(account)
    start, user = wanted_start(), owner_id()
    page = queries.runs(reading(), account, user, start=start, limit=DEFAULT_LIMIT)
    return respond.page(
        "connections/runs.html",
        account=view,
        portfolio=account.portfolio,
        card=card,
        page=page,
        start=start,
    )


def wanted_start() -> int:
    """Where the stretch that the URL asks for begins."""
    text = request.args.get("cursor", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


@blueprint.get(f"{ACCOUNT}/syncs/<run_id>")
def run(portfolio_id: int, account_name: str, run_id: str) -> Response:
    """One run field by field, with what can still be decided about it."""
    account = visible_account(portfolio_id, account_name)
    view, start = view_and_card(account)[0], wanted_start()
    row = queries.run_of(reading(), account.id, run_id)
    return respond.page(
        "connections/run.html",
        account=view,
        portfolio=account.portfolio,
        run=queries.find_run(reading(), owner_id(), run_id),
        changes=queries.changes_of(reading(), row, start=start, limit=DEFAULT_LIMIT),
        start=start,
        **only_for_owner(account, row, view.shared_by),
    )


def only_for_owner(account: Account, row: SyncRun, shared: str | None) -> dict[str, str | None]:
    """What a run's page shows to the owner alone: what was answered, and what can be decided."""
    if shared is not None:
        why = f"Only {shared} decides about this sync."
        return {"sample": None, "no_undo": why, "no_apply": why}
    refusals = decisions.refusals(reading(), account, row, runtime().outside)
    return {"sample": (row.error or {}).get("sample"), **refusals}


def decided(run_id: str, message: str | None = None) -> Response:
    """A decision that was carried out, for whoever reads; without a message, to take one back."""
    found = queries.find_run(reading(), owner_id(), run_id)
    who = respond.reader()
    if who is Reader.PROGRAM:
        return run_document(found, finished=True)
    account = queries.account_of(reading(), found.account_id)
    if who is Reader.FRAGMENT:
        return card_fragment(account)
    message = message or decisions.taken_back(reading(), account)
    return respond.go(account_page(account), message)


@blueprint.post(f"{ACCOUNT}/resume")
def resume(portfolio_id: int, account_name: str) -> Response:
    """Let the schedule go on."""
    where, owner = place(portfolio_id, account_name), owner_id()
    with unit_of_work() as session:
        connection = connection_of(session, where.find(session))
        if connection is not None:
            values = {"paused": False}
            decisions.change_connection(session, owner, connection.id, values, moment())
    account = where.find(reading())
    if respond.reader() is Reader.FRAGMENT:
        return card_fragment(account)
    return respond.go(account_page(account), "Automatic sync goes on.")


@blueprint.post(f"{ACCOUNT}/schedule")
def schedule(portfolio_id: int, account_name: str) -> Response:
    """Switch the periodic sync of an account on or off."""
    where, owner = place(portfolio_id, account_name), owner_id()
    values = {"sync_enabled": request.form.get("sync_enabled") == "on"}
    with unit_of_work() as session:
        account = where.find(session)
        connection = connection_of(session, account)
        if connection is None:
            # Somebody has disconnected it since the page was shown.
            raise NotConnected(account.name)
        decisions.change_connection(session, owner, connection.id, values, moment())
    switched = "on" if values["sync_enabled"] else "off"
    return respond.go(url_for("pages.connections"), f"Automatic sync is {switched}.")
