"""The forms with which cash is kept by hand."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from portfolio.accounts.models import CashBalance
from portfolio.accounts.queries.holdings import find_cash
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.schemas.holdings import CashChange, NewCash
from portfolio.accounts.services import cash as services
from portfolio.accounts.views.holdings import said, scope, typed
from portfolio.accounts.views.portfolios import ACCOUNT, account_url
from portfolio.db.base import canonical
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, Invalid
from portfolio.web import editing, respond
from portfolio.web.runtime import reading

blueprint = Blueprint("cash", __name__)


def cash_form(at: Scope, values: dict[str, Any], errors: dict[str, str], **more: Any) -> Response:
    """The form of a cash balance."""
    template, status = "accounts/cash.html", 422 if errors else 200
    context = {"portfolio": at.account.portfolio, "account": at.view, "values": values}
    back = account_url(at.account)
    return respond.page(template, status, **context, errors=errors, back=back, **more)


@blueprint.get(f"{ACCOUNT}/cash/new")
def new_cash(portfolio_id: int, account_name: str) -> Response:
    """The form for cash."""
    at = scope(reading(), portfolio_id, account_name)
    return cash_form(at, {"currency": at.account.currency}, {}, action=request.path)


@blueprint.post(f"{ACCOUNT}/cash/new")
def add_cash(portfolio_id: int, account_name: str) -> Response:
    """Add cash by hand."""
    try:
        values = typed(NewCash, ("currency", "amount"))
        with unit_of_work() as session:
            at = scope(session, portfolio_id, account_name)
            row = services.add_cash(at, values)
            return respond.go(account_url(at.account), f"The {row.currency} cash was added.")
    except (Invalid, Conflict) as error:
        at = scope(reading(), portfolio_id, account_name)
        errors = said(error, "currency")
        return cash_form(at, request.form.to_dict(), errors, action=request.path)


@blueprint.get(f"{ACCOUNT}/cash/<int:cash_id>")
def edit_cash(portfolio_id: int, account_name: str, cash_id: int) -> Response:
    """The form of a cash balance that is there."""
    at = scope(reading(), portfolio_id, account_name)
    row = find_cash(reading(), at.account, cash_id)
    values, opened = filled(row), editing.opened(filled(row))
    return cash_form(at, values, {}, action=request.path, cash=row, opened=opened)


def filled(row: CashBalance) -> dict[str, Any]:
    """A cash balance as the fields of its form."""
    return {"currency": row.currency, "amount": canonical(row.amount)}


@blueprint.post(f"{ACCOUNT}/cash/<int:cash_id>")
def change_cash(portfolio_id: int, account_name: str, cash_id: int) -> Response:
    """Save a cash balance."""
    try:
        with unit_of_work() as session:
            at = scope(session, portfolio_id, account_name)
            editing.refuse_late(filled(find_cash(session, at.account, cash_id)), ["amount"])
            # A form names it always: left empty it is missing, not kept.
            values = {"amount": None, **typed(CashChange, ("amount",))}
            row = services.change_cash(at, cash_id, values)
            return respond.go(account_url(at.account), f"The {row.currency} cash was saved.")
    except (Invalid, Conflict) as error:
        at = scope(reading(), portfolio_id, account_name)
        row, errors = find_cash(reading(), at.account, cash_id), said(error, "amount")
        values = {**request.form.to_dict(), "currency": row.currency}
        place = {"action": request.path, "cash": row}
        opened = editing.reopened(filled(row), errors)
        return cash_form(at, values, errors, **place, opened=opened)


@blueprint.post(f"{ACCOUNT}/cash/<int:cash_id>/remove")
def remove_cash(portfolio_id: int, account_name: str, cash_id: int) -> Response:
    """Remove a cash balance that is kept by hand."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        services.remove_cash(at, cash_id)
        return respond.go(account_url(at.account), "The cash was removed.")


@blueprint.post(f"{ACCOUNT}/cash/<int:cash_id>/settle")
def settle_cash(portfolio_id: int, account_name: str, cash_id: int) -> Response:
    """Note that cash kept by hand is not the broker's."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        services.change_cash(at, cash_id, {"duplicate_of": None})
        return respond.go(account_url(at.account), "Both count from now on.")
