"""The pages of the application."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request, url_for
from sqlalchemy import text
from sqlalchemy.orm import Session

from brokers.types import Kind
from portfolio.accounts.models import Account
from portfolio.accounts.queries.order import DEFAULT_SORT, PAGE, SORTS, Wanted
from portfolio.accounts.queries.portfolios import (
    find_account,
    visible_account,
    visible_portfolio,
)
from portfolio.accounts.queries.rates import values_page
from portfolio.accounts.services import portfolios as services
from portfolio.accounts.views.holdings import look
from portfolio.accounts.views.portfolios import form, problems
from portfolio.connections.decisions import change_connection
from portfolio.connections.preview import leaving
from portfolio.connections.services import connection_of
from portfolio.connections.views.connections import (
    account_page,
    card_fragment,
    choices_context,
    chosen_gateway,
    view_and_card,
    ways,
)
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, Invalid, NotConnected
from portfolio.pages import metrics as measuring
from portfolio.pages import queries
from portfolio.web import editing, respond
from portfolio.web.apidocs import chapters
from portfolio.web.filters import capitalize_first, kind_label
from portfolio.web.openapi import document
from portfolio.web.respond import Reader
from portfolio.web.runtime import moment, owner_id, reading, runtime
from portfolio.web.timing import times

blueprint = Blueprint("pages", __name__)
ACCOUNT = "/portfolio/<int:portfolio_id>/accounts/<account_name>"
# The id of the element that HTMX replaces with the table.
HOLDINGS = "holdings-table"
# Of the table of daily values, on one page.
DAYS = 250
KINDS = tuple((str(kind), capitalize_first(kind_label(kind))) for kind in Kind)
# Where the headings have no room: some of the orders that they give.
ORDERS = (
    *(("-value", "Largest value"), ("-pnl", "Largest profit"), ("pnl", "Largest loss")),
    *(("-pnl_pct", "Best in %"), ("symbol", "A to Z")),
)
NAMES_OF_KINDS = frozenset(map(str, Kind))


@blueprint.get("/")
def overview() -> Response:
    """All portfolios."""
    found = queries.overview(reading(), owner_id(), runtime().clock.now())
    return respond.page("pages/overview.html", page=found)


@blueprint.get("/connections")
def connections() -> Response:
    """Every gateway and every connection."""
    now, brokers = runtime().clock.now(), runtime().outside.brokers
    found = queries.connections_page(reading(), owner_id(), now, brokers)
    return respond.page("pages/connections.html", page=found)


@blueprint.get("/portfolio/<int:portfolio_id>")
def portfolio(portfolio_id: int) -> Response:
    """One portfolio and its accounts."""
    found, of = visible_portfolio(reading(), owner_id(), portfolio_id), runtime()
    now, brokers = of.clock.now(), of.outside.brokers
    page = queries.portfolio_page(reading(), found, now, brokers, owner_id())
    may_share = of.settings.has_logins and page.portfolio.shared_by is None
    return respond.page("pages/portfolio.html", page=page, may_share=may_share)


@blueprint.get(ACCOUNT)
def account(portfolio_id: int, account_name: str) -> Response:
    """One account; to HTMX its connection card, or its table of holdings where that was asked."""
    user = owner_id()
    found = visible_account(reading(), user, portfolio_id, account_name)
    fragment = respond.reader() is Reader.FRAGMENT
    if fragment and request.headers.get("HX-Target") != HOLDINGS:
        return card_fragment(found)
    brokers, wanted = runtime().outside.brokers, wanted_holdings()
    read = queries.account_table if fragment else queries.account_page
    page = read(reading(), found, moment(), brokers, wanted=wanted, user_id=user)
    template = "accounts/_holdings.html" if fragment else "pages/account.html"
    return respond.page(template, page=page, kinds=KINDS, orders=ORDERS)


def wanted_holdings() -> Wanted:
    """Which holdings the URL asks for; what it says wrongly is as if it said nothing."""
    given = request.args
    sort, kind = given.get("sort", ""), given.get("kind", "")
    return Wanted(
        sort=sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT,
        text=given.get("text", "").strip()[:100],
        kind=kind if kind in NAMES_OF_KINDS else "",
        group=given.get("group") == "underlying",
        start=(wanted_page() - 1) * PAGE,
        identifiers=False,
        paged=True,
    )


def wanted_page() -> int:
    """The page of a long table that the URL names; the first where it names none."""
    number = request.args.get("page", "1")
    usable = number.isascii() and number.isdigit() and len(number) < 6
    return max(1, int(number)) if usable else 1


@blueprint.get(f"{ACCOUNT}/values")
def values(portfolio_id: int, account_name: str) -> Response:
    """What an account was worth, day by day, the newest first."""
    at, page = look(portfolio_id, account_name), wanted_page()
    start = (page - 1) * DAYS
    rows = values_page(reading(), at.account, start=start, limit=DAYS, newest_first=True)
    of = {"account": at.view, "portfolio": at.account.portfolio}
    return respond.page("accounts/values.html", **of, rows=rows, page=page)


@blueprint.get(f"{ACCOUNT}/edit")
def edit_account(portfolio_id: int, account_name: str) -> Response:
    """The form of an account, with its external connections."""
    found = find_account(reading(), owner_id(), portfolio_id, account_name)
    return edit_page(found, values_of(reading(), found))


def values_of(session: Session, found: Account) -> dict[str, str]:
    """What the forms of an account and of its connection show at first."""
    connection = connection_of(session, found)
    return {
        "name": found.name,
        "currency": found.currency,
        "notes": found.notes or "",
        "username": (connection and connection.username) or "",
    }


def edit_page(
    found: Account,
    values: dict[str, str],
    errors: dict[str, str] | None = None,
    *,
    choose: bool = False,
) -> Response:
    """The edit page, with the broker's accounts to choose from where they were asked for."""
    portfolio_name, (view, card) = found.portfolio, view_and_card(found)
    shown = values_of(reading(), found)
    context, status = choices_context(view) if choose else ({"account": view, "ways": ways()}, 200)
    return respond.page(
        "pages/edit_account.html",
        422 if errors else status,
        **context,
        portfolio=portfolio_name,
        card=card,
        leaving=leaving(reading(), found, view.connection) if view.connection else None,
        values=values,
        errors=errors or {},
        opened=editing.reopened(shown, errors) if errors else editing.opened(shown),
        choose=choose,
    )


@blueprint.post(f"{ACCOUNT}/edit")
def save_account(portfolio_id: int, account_name: str) -> Response:
    """Save a form, or (`choices` names a broker) ask which accounts can be linked."""
    owner = owner_id()
    found = find_account(reading(), owner, portfolio_id, account_name)
    if "choices" in request.form:
        return offer_choices(found)
    of_user = "username" in request.form
    values = form(*(("username",) if of_user else ("name", "currency", "notes")))
    save = note_user if of_user else change
    try:
        with unit_of_work() as session:
            changing = find_account(session, owner, portfolio_id, account_name)
            new = form(*editing.changed(values_of(session, changing), values))
            target = save(session, changing, dict(new))
    except (Invalid, Conflict) as error:
        return edit_page(found, values_of(reading(), found) | values, problems(error))
    return respond.go(target, "Saved.")


def change(session: Session, account: Account, values: dict[str, str]) -> str:
    """Save what was changed in the form of an account; returns where to go on."""
    return account_page(services.change_account(session, account, values, moment()))


def note_user(session: Session, account: Account, values: dict[str, str]) -> str:
    """Note another secondary user name of a connected account, or none; where to go on."""
    connection = connection_of(session, account)
    if connection is None:
        raise NotConnected(account.name)
    change_connection(session, account.portfolio.owner_id, connection.id, values, moment())
    return f"{account_page(account)}/edit#external-connections"


def offer_choices(found: Account) -> Response:
    """The broker's accounts, as a fragment or within the page; or a test of the gateway."""
    if "test" in request.form:
        here = f"{account_page(found)}/edit"
        test = url_for("connections.test_connection", gateway_id=chosen_gateway(), back=here)
        return respond.go(test)
    if respond.reader() is not Reader.FRAGMENT:
        return edit_page(found, values_of(reading(), found), choose=True)
    view, _ = view_and_card(found)
    context, status = choices_context(view)
    return respond.page("connections/_choices.html", status, **context)


@blueprint.get("/api")
def api() -> Response:
    """The documentation of the API, to browse."""
    return respond.page("pages/api.html", chapters=chapters(document(current_app)))


@blueprint.get("/healthz")
def healthz() -> Response:
    """Whether the process answers."""
    return respond.data({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether the database answers, and what background work does in this process."""
    reading().execute(text("SELECT 1"))
    return respond.data({"status": "ok", "database": "ok", "jobs": runtime().jobs()})


@blueprint.get("/metrics")
def metrics() -> Response:
    """Figures for a monitor; asks no broker."""
    measuring.check_reader(runtime().settings)
    found = measuring.metrics(reading(), runtime().clock.now(), dict(runtime().jobs()))
    return measuring.answer(found, times())


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """The icon, for browsers that ask at the usual place."""
    return respond.go(url_for("static", filename="icon.svg"))
