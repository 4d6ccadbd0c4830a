"""The forms that make portfolios and accounts."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from portfolio.accounts import queries, services
from portfolio.accounts.names import slug
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, Invalid
from portfolio.web import respond
from portfolio.web.runtime import owner_id, reading, runtime

blueprint = Blueprint("accounts", __name__)


def form(*names: str) -> dict[str, str]:
    """What was typed into a form, field by field."""
    return {name: request.form.get(name, "") for name in names}


def problems(error: Invalid | Conflict) -> dict[str, str]:
    """The reasons to show beside the fields; a conflict is about the name."""
    return dict(error.fields) or {"name": error.message}


@blueprint.get("/portfolio/new")
def new_portfolio() -> Response:
    """The form for a portfolio."""
    return respond.page("accounts/new_portfolio.html", values={"base_currency": "USD"}, errors={})


@blueprint.post("/portfolio/new")
def create_portfolio() -> Response:
    """Make a portfolio and show it."""
    values, owner = form("name", "base_currency"), owner_id()
    try:
        with unit_of_work() as session:
            now = runtime().clock.now()
            made = services.create_portfolio(session, owner, **values, now=now)
            target = url_for("pages.portfolio", portfolio_id=made.id)
    except (Invalid, Conflict) as error:
        errors = problems(error)
        template = "accounts/new_portfolio.html"
        return respond.page(template, error.status, values=values, errors=errors)
    return respond.go(target, f"The portfolio “{values['name']}” was created.")


@blueprint.get("/portfolio/<int:portfolio_id>/accounts/~new")
def new_account(portfolio_id: int) -> Response:
    """The form for an account."""
    found = queries.find_portfolio(reading(), owner_id(), portfolio_id)
    values = {"currency": found.base_currency}
    return respond.page("accounts/new_account.html", portfolio=found, values=values, errors={})


@blueprint.post("/portfolio/<int:portfolio_id>/accounts/~new")
def create_account(portfolio_id: int) -> Response:
    """Make an account and show it."""
    values, owner = form("name", "currency", "notes"), owner_id()
    found = queries.find_portfolio(reading(), owner, portfolio_id)
    try:
        with unit_of_work() as session:
            parent = queries.find_portfolio(session, owner, portfolio_id)
            made = services.create_account(session, parent, dict(values), runtime().clock.now())
            name = slug(made.name, made.id)
    except (Invalid, Conflict) as error:
        template, errors = "accounts/new_account.html", problems(error)
        return respond.page(template, error.status, portfolio=found, values=values, errors=errors)
    target = url_for("pages.account", portfolio_id=portfolio_id, account_name=name)
    return respond.go(target, f"The account “{values['name']}” was created.")
