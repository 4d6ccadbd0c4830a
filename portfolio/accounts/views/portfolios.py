"""The forms that make, change and delete portfolios and accounts."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from portfolio.accounts.models import Account, Portfolio
from portfolio.accounts.names import slug
from portfolio.accounts.queries.portfolios import (
    accounts,
    find_account,
    find_portfolio,
    one_portfolio_line,
)
from portfolio.accounts.queries.totals import owner_rates, totals_views
from portfolio.accounts.services import portfolios as services
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, Invalid
from portfolio.web import editing, respond
from portfolio.web.runtime import moment, owner_id, reading, runtime

blueprint = Blueprint("accounts", __name__)
PORTFOLIO = "/portfolio/<int:portfolio_id>"
ACCOUNT = f"{PORTFOLIO}/accounts/<account_name>"


def form(*names: str) -> dict[str, str]:
    """What was typed into a form, field by field."""
    return {name: request.form.get(name, "") for name in names}


def problems(error: Invalid | Conflict) -> dict[str, str]:
    """The reasons to show beside the fields; a conflict is about the name."""
    return dict(error.fields) or {"name": error.message}


def portfolio_url(portfolio: Portfolio) -> str:
    """The URL of a portfolio's page."""
    return url_for("pages.portfolio", portfolio_id=portfolio.id)


def account_url(account: Account) -> str:
    """The URL of an account's page."""
    name = slug(account.name, account.id)
    return url_for("pages.account", portfolio_id=account.portfolio_id, account_name=name)


@blueprint.get("/portfolio/new")
def new_portfolio() -> Response:
    """The form for a portfolio."""
    return respond.page("accounts/new_portfolio.html", values={"base_currency": "USD"}, errors={})


@blueprint.post("/portfolio/new")
def create_portfolio() -> Response:
    """Make a portfolio and show it."""
    values, owner, now = form("name", "base_currency"), owner_id(), runtime().clock.now()
    try:
        with unit_of_work() as session:
            target = portfolio_url(services.create_portfolio(session, owner, **values, now=now))
    except (Invalid, Conflict) as error:
        errors, template = problems(error), "accounts/new_portfolio.html"
        return respond.page(template, error.status, values=values, errors=errors)
    return respond.go(target, f"The portfolio “{values['name']}” was created.")


@blueprint.get(f"{PORTFOLIO}/edit")
def edit_portfolio(portfolio_id: int) -> Response:
    """The form of a portfolio."""
    found = find_portfolio(reading(), owner_id(), portfolio_id)
    values, template = values_of(found), "accounts/edit_portfolio.html"
    opened = editing.opened(values)
    return respond.page(template, portfolio=found, values=values, errors={}, opened=opened)


def values_of(found: Portfolio) -> dict[str, str]:
    """What a portfolio's form shows at first."""
    return {"name": found.name, "base_currency": found.base_currency}


@blueprint.post(f"{PORTFOLIO}/edit")
def save_portfolio(portfolio_id: int) -> Response:
    """Save the form of a portfolio."""
    values, owner = form("name", "base_currency"), owner_id()
    found = find_portfolio(reading(), owner, portfolio_id)
    try:
        with unit_of_work() as session:
            changing = find_portfolio(session, owner, portfolio_id)
            new = form(*editing.changed(values_of(changing), values))
            target = portfolio_url(services.change_portfolio(session, changing, dict(new)))
    except (Invalid, Conflict) as error:
        template, errors = "accounts/edit_portfolio.html", problems(error)
        context = {"portfolio": found, "opened": editing.reopened(values_of(found), errors)}
        return respond.page(template, error.status, **context, values=values, errors=errors)
    return respond.go(target, "Saved.")


@blueprint.get(f"{PORTFOLIO}/delete")
def ask_delete_portfolio(portfolio_id: int) -> Response:
    """What would go with a portfolio."""
    found = find_portfolio(reading(), owner_id(), portfolio_id)
    line = one_portfolio_line(reading(), found, runtime().clock.now())
    members = accounts(reading(), owner_id(), [portfolio_id])
    return respond.page("accounts/delete_portfolio.html", portfolio=line, accounts=members)


@blueprint.post(f"{PORTFOLIO}/delete")
def delete_portfolio(portfolio_id: int) -> Response:
    """Delete a portfolio with its accounts."""
    owner = owner_id()
    with unit_of_work() as session:
        found = find_portfolio(session, owner, portfolio_id)
        services.delete_portfolio(session, found)
        message = f"The portfolio “{found.name}” was deleted."
    return respond.go(url_for("pages.overview"), message)


@blueprint.get(f"{PORTFOLIO}/accounts/~new")
def new_account(portfolio_id: int) -> Response:
    """The form for an account."""
    found = find_portfolio(reading(), owner_id(), portfolio_id)
    values = {"currency": found.base_currency}
    return respond.page("accounts/new_account.html", portfolio=found, values=values, errors={})


@blueprint.post(f"{PORTFOLIO}/accounts/~new")
def create_account(portfolio_id: int) -> Response:
    """Make an account and show it."""
    values, owner = form("name", "currency", "notes"), owner_id()
    found = find_portfolio(reading(), owner, portfolio_id)
    try:
        with unit_of_work() as session:
            parent = find_portfolio(session, owner, portfolio_id)
            made = services.create_account(session, parent, dict(values), moment())
            target = account_url(made)
    except (Invalid, Conflict) as error:
        template, errors = "accounts/new_account.html", problems(error)
        return respond.page(template, error.status, portfolio=found, values=values, errors=errors)
    return respond.go(target, f"The account “{values['name']}” was created.")


@blueprint.get(f"{ACCOUNT}/delete")
def ask_delete_account(portfolio_id: int, account_name: str) -> Response:
    """What would go with an account."""
    found = find_account(reading(), owner_id(), portfolio_id, account_name)
    rates = owner_rates(reading(), owner_id())
    totals = totals_views(reading(), [found], rates)[found.id]
    template, place = "accounts/delete_account.html", {"portfolio": found.portfolio}
    return respond.page(template, **place, account=found, totals=totals, back=account_url(found))


@blueprint.post(f"{ACCOUNT}/delete")
def delete_account(portfolio_id: int, account_name: str) -> Response:
    """Delete an account with all that it holds."""
    owner = owner_id()
    with unit_of_work() as session:
        found = find_account(session, owner, portfolio_id, account_name)
        services.delete_account(session, found)
        message, back = f"The account “{found.name}” was deleted.", portfolio_url(found.portfolio)
    return respond.go(back, message)
