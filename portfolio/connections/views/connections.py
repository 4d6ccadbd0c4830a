"""The three forms of each answer about a connection: a fragment, a page, or a document."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from flask import Response, request, url_for

from brokers.errors import BrokerError
from portfolio.accounts.models import Account
from portfolio.accounts.names import slug
from portfolio.accounts.queries import portfolios as accounts
from portfolio.accounts.queries.visible import shared_by
from portfolio.accounts.resources import AccountView
from portfolio.accounts.schemas.portfolios import AccountSchema
from portfolio.connections import cards, contacts, queries, services
from portfolio.connections.cards import Card
from portfolio.connections.gateways import Route, diagnose, find_gateway, reaching, route_of
from portfolio.connections.linked import linked_accounts
from portfolio.connections.preview import Preview, preview
from portfolio.connections.queries import AvailableAccount, Way
from portfolio.connections.schemas import AvailableAccountsSchema, DiagnosisSchema
from portfolio.connections.services import LinkRequest, Place
from portfolio.db.session import end_reading, once_more, unit_of_work
from portfolio.sync import queries as runs
from portfolio.sync.models import FAILED, INTERRUPTED, REJECTED, RUNNING
from portfolio.sync.queries import RunView
from portfolio.sync.schemas import RunEnvelope
from portfolio.web import errors, respond
from portfolio.web.openapi import utc
from portfolio.web.respond import Reader
from portfolio.web.runtime import owner_id, reading, runtime


def place(portfolio_id: int, account_name: str) -> Place:
    """The account that a URL names, on behalf of whoever asks."""
    found = Place(owner_id=owner_id(), portfolio_id=portfolio_id, name=account_name)
    found.find(reading())
    # Nothing of the request's own reading may be open while a broker is asked.
    end_reading()
    return found


def ways() -> list[Way]:
    """The brokers that an account can be connected to."""
    return queries.ways(reading(), owner_id(), runtime().outside.brokers)


def route(gateway_id: int | None, broker: str | None = None) -> Route:
    """The gateway that a request names, as plain data."""
    found = route_of(find_gateway(reading(), owner_id(), gateway_id, broker))
    end_reading()
    return found


def visible_account(portfolio_id: int, account_name: str) -> Account:
    """The account that a URL names, to look at it."""
    return accounts.visible_account(reading(), owner_id(), portfolio_id, account_name)


def view_and_card(account: Account) -> tuple[AccountView, Card]:
    """An account and its connection card, as whoever asks may see them."""
    now, shared = runtime().clock.now(), shared_by(account.portfolio, owner_id())
    of = linked_accounts(reading(), [account]).get(account.id)
    view = accounts.account_view(account, now, of.link if of else None, shared)
    card = cards.card(view, of, runtime().outside.brokers, now)
    return view, cards.for_viewer(card) if shared else card


def card_fragment(account: Account, status: int = 200) -> Response:
    """The card alone; once nothing is under way any more the page below it must be read again."""
    view, card = view_and_card(account)
    response = respond.page("connections/_card.html", status, account=view, card=card)
    if card.state != "syncing":
        response.headers["HX-Refresh"] = "true"
    return response


def account_page(account: Account) -> str:
    """The URL of an account's page."""
    segment = slug(account.name, account.id)
    return url_for("pages.account", portfolio_id=account.portfolio_id, account_name=segment)


def linked(where: Place, message: str, status: int = 200) -> Response:
    """An account whose connection was made or ended, for whoever reads."""
    account = where.find(reading())
    who = respond.reader()
    if who is Reader.FRAGMENT:
        return card_fragment(account, status)
    if who is Reader.BROWSER:
        return respond.go(account_page(account), message)
    view, _ = view_and_card(account)
    return respond.data(AccountSchema().dump(view), status)


def connected(where: Place, broker: str, values: dict[str, Any]) -> Response:
    """Link an account and, where that is wanted, start its first sync; for whoever reads."""
    # A browser that connects wants to see its holdings; a program says so.
    start = values.pop("sync") or respond.reader() is not Reader.PROGRAM
    looked_at, browser = values.pop("looked_at"), respond.reader() is Reader.BROWSER
    if browser and looked_at:
        # What was shown and not ticked stays.
        values |= {name: values[name] or [] for name in ("replace_holdings", "replace_cash")}
    values["username"] = services.clean_username(values["username"])
    wanted = LinkRequest(broker=broker, **values)
    if browser and not looked_at:
        found = preview(where, wanted, runtime().outside)
        if found is not None:
            return previewed(where, wanted, found)
    is_new = services.connect(where, wanted, runtime().outside)
    if is_new and start:
        runtime().runner.start(where)
    return linked(where, "The account is connected.", 201 if is_new else 200)


def previewed(where: Place, wanted: LinkRequest, found: Preview) -> Response:
    """What the first sync would do, for a person to look at before the account is linked."""
    account = where.find(reading())
    view, _ = view_and_card(account)
    return respond.page(
        "connections/preview.html",
        account=view,
        portfolio=account.portfolio,
        wanted=wanted,
        preview=found,
    )


def choices(gateway_id: int | None) -> tuple[AvailableAccount, ...]:
    """The broker accounts that can be linked, read from the gateway."""
    through = route(gateway_id)
    with reaching(through, outside=runtime().outside) as broker:
        listed = broker.accounts()
    return queries.available(reading(), owner_id(), through.id, listed)


def chosen_gateway() -> int | None:
    """The gateway that a form names; None for the first one."""
    text = request.form.get("gateway_id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def choices_context(account: AccountView) -> tuple[dict[str, Any], int]:
    """What the fragment of choices shows, and its status: the accounts, or why there are none."""
    through = route(chosen_gateway(), request.form.get("choices"))
    manifest = runtime().outside.broker(through.broker).manifest
    context: dict[str, Any] = {"account": account, "login_url": through.login_address}
    context |= {"choices": None, "error": None, "username": request.form.get("username", "")}
    context |= {"ways": ways(), "gateway_id": through.id, "broker": manifest}
    end_reading()
    try:
        return {**context, "choices": choices(through.id)}, 200
    except BrokerError as error:
        shown = errors.body(error.code, error.message, error.remedy, retry_at=error.retry_at)
        # What a person may accept is there to be looked at.
        context["acceptable"] = getattr(error, "shown", None) is not None
        return {**context, "error": shown}, errors.broker_status(error)


def listed(found: tuple[AvailableAccount, ...]) -> Response:
    """The broker accounts, for whoever reads."""
    if respond.reader() is Reader.FRAGMENT:
        return respond.page("connections/_accounts.html", choices=found)
    return respond.data(AvailableAccountsSchema().dump({"accounts": found}))


def diagnosed(through: Route) -> Response:
    """A test of the connection, for whoever reads; it ran, so the status is 200."""
    expected = queries.linked_through(reading(), through.id)
    end_reading()
    found = diagnose(through, runtime().outside, expected)
    with unit_of_work() as session:
        contacts.note_test(session, through.id, found)
    if respond.reader() is Reader.PROGRAM:
        return respond.data(DiagnosisSchema().dump({"diagnosis": found, "route": through}))
    fragment = respond.reader() is Reader.FRAGMENT
    template = "connections/_diagnosis.html" if fragment else "connections/test.html"
    return respond.page(
        template,
        diagnosis=found,
        gateway_id=through.id,
        gateway_url=through.address,
        login_url=through.login_address,
        back=respond.back(url_for("pages.overview")),
    )


def synced(where: Place, run_id: str, *, finished: bool) -> Response:
    """A run that was started, for whoever reads."""
    # It is stored: a connection that is lost only now must not make it look like a failure.
    return once_more(partial(_synced, where, run_id, finished=finished))


def _synced(where: Place, run_id: str, *, finished: bool) -> Response:
    account = where.find(reading())
    who = respond.reader()
    if who is Reader.FRAGMENT:
        return card_fragment(account)
    run = runs.find_run(reading(), where.owner_id, run_id)
    if run.status == INTERRUPTED:
        # It has stored nothing: what became of the account is for the newer one to say.
        run, finished = runs.overtaker(reading(), run), False
    if who is Reader.BROWSER:
        return respond.go(account_page(account), *told(run))
    return run_document(run, finished=finished)


def run_document(run: RunView, *, finished: bool) -> Response:
    """A run as JSON; one that failed or was not applied has the status of its error."""
    error = cards.rejected_error(run) if run.status == REJECTED else run.error
    at = datetime.fromisoformat(error["retry_at"]) if error and error.get("retry_at") else None
    if error and at:
        error = {**error, "retry_at": utc(at)}
    body = RunEnvelope().dump({"run": run, "error": error} if error else {"run": run})
    status = 200 if finished else 202
    if run.status in {REJECTED, FAILED} and error:
        status = 409 if run.status == REJECTED or queries.needs_user(error["code"]) else 503
    response = respond.data(body, status)
    if status != 202:
        errors.tell_when(response, at)
    if status == 202:
        response.headers["Location"] = url_for("sync_api.get_run", run_id=run.id)
    return response


def told(run: RunView) -> tuple[str, str]:
    """A run in one sentence, and the kind of message it is."""
    if run.status == RUNNING:
        return "The sync is under way; reload this page to see it finished.", "done"
    if run.status == INTERRUPTED:
        return "This sync was overtaken or cut short; it has changed nothing.", "problem"
    if run.error is not None or run.status == REJECTED:
        error = run.error or cards.rejected_error(run)
        return f"{error['message']} {error['remedy'] or ''}".strip(), "problem"
    return f"Synced: {run.counted}.", "done"
