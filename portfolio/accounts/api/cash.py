"""The cash of an account, synced and by hand."""

from __future__ import annotations

from typing import Any

from portfolio.accounts.api.holdings import look, scope
from portfolio.accounts.resources import CashView
from portfolio.accounts.schemas.holdings import CashChange, CashListSchema, CashSchema, NewCash
from portfolio.accounts.services import cash as services
from portfolio.db.session import unit_of_work
from portfolio.web.openapi import Blueprint

blueprint = Blueprint(
    "cash_api",
    __name__,
    url_prefix="/api/v1/portfolios/<int:portfolio_id>/accounts/<account_name>",
    description="Cash, synced and by hand",
)


@blueprint.get("/cash")
@blueprint.response(200, CashListSchema)
def list_cash(portfolio_id: int, account_name: str) -> dict[str, Any]:
    """The cash of an account, a row per currency and source."""
    rows = look(portfolio_id, account_name).cash()
    return {"items": rows, "next_cursor": None}


@blueprint.post("/cash")
@blueprint.arguments(NewCash)
@blueprint.response(201, CashSchema)
def add_cash(values: dict[str, Any], portfolio_id: int, account_name: str) -> CashView:
    """Add cash by hand."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        return at.one_cash(services.add_cash(at, values).id)


@blueprint.patch("/cash/<int:cash_id>")
@blueprint.arguments(CashChange)
@blueprint.response(200, CashSchema)
def change_cash(
    values: dict[str, Any], portfolio_id: int, account_name: str, cash_id: int
) -> CashView:
    """Change the amount of cash that is kept by hand."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        services.change_cash(at, cash_id, values)
        return at.one_cash(cash_id)


@blueprint.delete("/cash/<int:cash_id>")
@blueprint.response(204)
def remove_cash(portfolio_id: int, account_name: str, cash_id: int) -> None:
    """Remove cash that is kept by hand."""
    with unit_of_work() as session:
        services.remove_cash(scope(session, portfolio_id, account_name), cash_id)
