"""The holdings of an account, synced and by hand, and its daily values."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from portfolio.accounts.queries.order import Wanted
from portfolio.accounts.queries.rates import values_page
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.resources import HoldingsPage, HoldingView
from portfolio.accounts.schemas.holdings import (
    HoldingChange,
    HoldingSchema,
    HoldingsQuery,
    HoldingsSchema,
    NewHolding,
)
from portfolio.accounts.schemas.portfolios import DailyValuesSchema
from portfolio.accounts.services import holdings as services
from portfolio.db.session import unit_of_work
from portfolio.web.openapi import Blueprint, PageQuery
from portfolio.web.runtime import moment, owner_id, reading, runtime

blueprint = Blueprint(
    "holdings_api",
    __name__,
    url_prefix="/api/v1/portfolios/<int:portfolio_id>/accounts/<account_name>",
    description="Holdings, synced and by hand",
)


def scope(session: Session, portfolio_id: int, account_name: str) -> Scope:
    """The account that the URL names, to change it."""
    place, links = (portfolio_id, account_name), runtime().links_of
    return Scope.find(session, owner_id(), place, moment(), links)


def look(portfolio_id: int, account_name: str) -> Scope:
    """The account that the URL names, to look at it."""
    place, links = (portfolio_id, account_name), runtime().links_of
    return Scope.find(reading(), owner_id(), place, moment(), links, to_look=True)


@blueprint.get("/holdings")
@blueprint.arguments(HoldingsQuery, location="query")
@blueprint.response(200, HoldingsSchema)
def list_holdings(query: dict[str, Any], portfolio_id: int, account_name: str) -> HoldingsPage:
    """What an account holds."""
    start = int(query.pop("cursor"))
    return look(portfolio_id, account_name).holdings(Wanted(start=start, **query))


@blueprint.post("/holdings")
@blueprint.arguments(NewHolding)
@blueprint.response(201, HoldingSchema)
def add_holding(values: dict[str, Any], portfolio_id: int, account_name: str) -> HoldingView:
    """Add a holding by hand."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        return at.holding(services.add_holding(at, values).id)


@blueprint.get("/holdings/<int:holding_id>")
@blueprint.response(200, HoldingSchema)
def get_holding(portfolio_id: int, account_name: str, holding_id: int) -> HoldingView:
    """One holding."""
    return look(portfolio_id, account_name).holding(holding_id)


@blueprint.patch("/holdings/<int:holding_id>")
@blueprint.arguments(HoldingChange)
@blueprint.response(200, HoldingSchema)
def change_holding(
    values: dict[str, Any], portfolio_id: int, account_name: str, holding_id: int
) -> HoldingView:
    """Change a holding by hand; of a synced one, its notes."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        services.change_holding(at, holding_id, values)
        return at.holding(holding_id)


@blueprint.delete("/holdings/<int:holding_id>")
@blueprint.response(204)
def remove_holding(portfolio_id: int, account_name: str, holding_id: int) -> None:
    """Remove a holding that is kept by hand."""
    with unit_of_work() as session:
        services.remove_holding(scope(session, portfolio_id, account_name), holding_id)


@blueprint.get("/values")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, DailyValuesSchema)
def list_values(query: dict[str, Any], portfolio_id: int, account_name: str) -> Any:
    """What an account was worth, day by day, the oldest first."""
    at = look(portfolio_id, account_name)
    return values_page(reading(), at.account, start=int(query["cursor"]), limit=query["limit"])
