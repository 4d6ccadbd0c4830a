"""Portfolios and accounts."""

from __future__ import annotations

from typing import Any

from portfolio.accounts.queries import portfolios as queries
from portfolio.accounts.queries.portfolios import (
    find_account,
    find_portfolio,
    visible_account,
    visible_portfolio,
)
from portfolio.accounts.resources import AccountView, PortfolioLine
from portfolio.accounts.schemas.portfolios import (
    AccountChange,
    AccountSchema,
    AccountsSchema,
    NewAccount,
    NewPortfolio,
    PortfolioChange,
    PortfolioSchema,
    PortfoliosSchema,
)
from portfolio.accounts.services import portfolios as services
from portfolio.db.paging import Page, page_of
from portfolio.db.session import unit_of_work
from portfolio.web.openapi import Blueprint, PageQuery
from portfolio.web.runtime import moment, owner_id, reading, runtime

blueprint = Blueprint(
    "accounts_api",
    __name__,
    url_prefix="/api/v1/portfolios",
    description="Portfolios, accounts and what they hold",
)
ACCOUNT = "/<int:portfolio_id>/accounts/<account_name>"


@blueprint.get("")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, PortfoliosSchema)
def list_portfolios(query: dict[str, Any]) -> Page[PortfolioLine]:
    """Your portfolios."""
    start, limit = int(query["cursor"]), query["limit"]
    rows = queries.portfolio_lines(reading(), owner_id(), runtime().clock.now())
    return page_of(rows[start : start + limit + 1], start, limit)


@blueprint.post("")
@blueprint.arguments(NewPortfolio)
@blueprint.response(201, PortfolioSchema)
def create_portfolio(values: dict[str, Any]) -> PortfolioLine:
    """Create a portfolio."""
    now, owner = runtime().clock.now(), owner_id()
    with unit_of_work() as session:
        made = services.create_portfolio(session, owner, **values, now=now)
        return queries.one_portfolio_line(session, made, now)


@blueprint.get("/<int:portfolio_id>")
@blueprint.response(200, PortfolioSchema)
def get_portfolio(portfolio_id: int) -> PortfolioLine:
    """One portfolio."""
    found = visible_portfolio(reading(), owner_id(), portfolio_id)
    return queries.one_portfolio_line(reading(), found, runtime().clock.now(), owner_id())


@blueprint.patch("/<int:portfolio_id>")
@blueprint.arguments(PortfolioChange)
@blueprint.response(200, PortfolioSchema)
def change_portfolio(values: dict[str, Any], portfolio_id: int) -> PortfolioLine:
    """Change a portfolio's name or base currency."""
    owner = owner_id()
    with unit_of_work() as session:
        found = find_portfolio(session, owner, portfolio_id)
        services.change_portfolio(session, found, values)
        return queries.one_portfolio_line(session, found, runtime().clock.now())


@blueprint.delete("/<int:portfolio_id>")
@blueprint.response(204)
def delete_portfolio(portfolio_id: int) -> None:
    """Delete a portfolio with its accounts; refused while one of them is connected."""
    owner = owner_id()
    with unit_of_work() as session:
        services.delete_portfolio(session, find_portfolio(session, owner, portfolio_id))


@blueprint.get("/<int:portfolio_id>/accounts")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, AccountsSchema)
def list_accounts(query: dict[str, Any], portfolio_id: int) -> Page[AccountView]:
    """The accounts of a portfolio."""
    start, limit, user = int(query["cursor"]), query["limit"], owner_id()
    visible_portfolio(reading(), user, portfolio_id)
    found = queries.accounts(reading(), user, [portfolio_id])[start : start + limit + 1]
    now, links = runtime().clock.now(), runtime().links_of
    return page_of(queries.account_views(reading(), found, now, links, user), start, limit)


@blueprint.post("/<int:portfolio_id>/accounts")
@blueprint.arguments(NewAccount)
@blueprint.response(201, AccountSchema)
def create_account(values: dict[str, Any], portfolio_id: int) -> AccountView:
    """Create an account, kept by hand until it is connected."""
    now, owner = runtime().clock.now(), owner_id()
    with unit_of_work() as session:
        found = find_portfolio(session, owner, portfolio_id)
        made = services.create_account(session, found, values, moment())
        return queries.account_view(made, now, None)


@blueprint.get(ACCOUNT)
@blueprint.response(200, AccountSchema)
def get_account(portfolio_id: int, account_name: str) -> AccountView:
    """One account."""
    user, of = owner_id(), runtime()
    found = visible_account(reading(), user, portfolio_id, account_name)
    return queries.one_view(reading(), found, of.clock.now(), of.links_of, user)


@blueprint.patch(ACCOUNT)
@blueprint.arguments(AccountChange)
@blueprint.response(200, AccountSchema)
def change_account(values: dict[str, Any], portfolio_id: int, account_name: str) -> AccountView:
    """Change an account's name, currency or notes."""
    owner = owner_id()
    with unit_of_work() as session:
        found = find_account(session, owner, portfolio_id, account_name)
        services.change_account(session, found, values, moment())
        return queries.one_view(session, found, runtime().clock.now(), runtime().links_of)


@blueprint.delete(ACCOUNT)
@blueprint.response(204)
def delete_account(portfolio_id: int, account_name: str) -> None:
    """Delete an account with all it holds; a connected one is refused."""
    owner = owner_id()
    with unit_of_work() as session:
        found = find_account(session, owner, portfolio_id, account_name)
        services.delete_account(session, found)
