"""The forms with which holdings are kept by hand."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for
from marshmallow import Schema
from marshmallow.exceptions import ValidationError

from brokers.types import Kind
from portfolio.accounts.models import Instrument
from portfolio.accounts.queries.heirs import heirs
from portfolio.accounts.queries.holdings import find_holding
from portfolio.accounts.queries.instruments import instrument_view, instruments
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.resources import HoldingView, InstrumentView
from portfolio.accounts.rows import HoldingHeads, HoldingRows
from portfolio.accounts.schemas.holdings import HoldingChange, NewHolding
from portfolio.accounts.services import holdings as services
from portfolio.accounts.views.portfolios import ACCOUNT, account_url
from portfolio.db.base import canonical
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, Invalid, NotFound
from portfolio.web import editing, respond
from portfolio.web.runtime import moment, owner_id, reading, runtime

blueprint = Blueprint("holdings", __name__)
blueprint.add_app_template_global(HoldingRows, "holding_rows")
blueprint.add_app_template_global(HoldingHeads, "holding_heads")
OFFERED = 8
INSTRUMENT = ("symbol", "name", "kind", "currency", "multiplier", "expiry", "strike", "right")
FIELDS = (*INSTRUMENT, "underlying", "isin", "quantity", "average_price", "price", "notes")
BY_BROKER = ("quantity", "average_price", "price", "notes")
# That are never stored as nothing.
NEVER_EMPTY = ("symbol", "kind", "currency", "multiplier", "quantity")


def scope(session: Any, portfolio_id: int, account_name: str) -> Scope:
    """The account that the URL names, to change it."""
    place, links = (portfolio_id, account_name), runtime().links_of
    return Scope.find(session, owner_id(), place, moment(), links)


def look(portfolio_id: int, account_name: str) -> Scope:
    """The account that the URL names, to look at it."""
    place, links = (portfolio_id, account_name), runtime().links_of
    return Scope.find(reading(), owner_id(), place, moment(), links, to_look=True)


def typed(schema: type[Schema], names: tuple[str, ...]) -> dict[str, Any]:
    """What a form says, checked as the API checks it; a field left empty is not known."""
    given: dict[str, Any] = {name: request.form.get(name, "").strip() or None for name in names}
    if "isin" in given:
        given["identifiers"] = {"isin": given.pop("isin")}
    checks = schema()
    nullable = {of.data_key or name for name, of in checks.fields.items() if of.allow_none}
    filled = {name: value for name, value in given.items() if value or name in nullable}
    try:
        loaded: dict[str, Any] = checks.load(filled)
    except ValidationError as error:
        reasons = error.messages_dict.items()
        raise Invalid({name: " ".join(map(str, why)) for name, why in reasons}) from None
    return loaded


def said(error: Invalid | Conflict, field: str) -> dict[str, str]:
    """The reasons beside the fields; a conflict belongs to one of them."""
    reasons = {name.removeprefix("identifiers."): why for name, why in error.fields.items()}
    return reasons or {field: error.message}


def holding_form(
    at: Scope, values: dict[str, Any], errors: dict[str, str], **more: Any
) -> Response:
    """The form of a holding."""
    template, status = "accounts/holding.html", 422 if errors else 200
    back, kinds = account_url(at.account), list(Kind)
    place = {"portfolio": at.account.portfolio, "account": at.view, "back": back}
    context = {**place, "values": values, "errors": errors, "kinds": kinds}
    return respond.page(template, status, **context, **more)


@blueprint.get(f"{ACCOUNT}/holdings/new")
def new_holding(portfolio_id: int, account_name: str) -> Response:
    """The form for a holding; `instrument` fills in one that is known."""
    at = scope(reading(), portfolio_id, account_name)
    known = request.args.get("instrument", "")
    values: dict[str, Any] = {"currency": at.account.currency, "kind": "stock"}
    if known.isascii() and known.isdigit() and len(known) < 10:
        row = reading().get(Instrument, int(known))
        if row is not None and row.owner_id == owner_id():
            values = described(instrument_view(row))
    return holding_form(at, values, {}, action=url_for(".add_holding", **request.view_args or {}))


def described(of: InstrumentView) -> dict[str, Any]:
    """An instrument as the fields of the form."""
    shown = {name: getattr(of, name) for name in (*INSTRUMENT, "underlying")}
    exact = {n: canonical(v) for n in ("multiplier", "strike") if (v := shown[n]) is not None}
    return {**shown, **exact, "isin": of.identifiers.get("isin")}


@blueprint.post(f"{ACCOUNT}/holdings/new")
def add_holding(portfolio_id: int, account_name: str) -> Response:
    """Add a holding by hand."""
    try:
        values = typed(NewHolding, FIELDS)
        with unit_of_work() as session:
            at = scope(session, portfolio_id, account_name)
            row = services.add_holding(at, values)
            message = f"{row.instrument.symbol} was added."
            return respond.go(account_url(at.account), message)
    except (Invalid, Conflict) as error:
        at = scope(reading(), portfolio_id, account_name)
        action = url_for(".add_holding", **request.view_args or {})
        return holding_form(at, request.form.to_dict(), said(error, "symbol"), action=action)


@blueprint.get("/instruments/offered")
def offered() -> Response:
    """Known instruments that begin with what is being typed, to choose from."""
    text = request.args.get("symbol", "").strip()[:100]
    found = instruments(reading(), owner_id(), text=text, start=0, limit=OFFERED) if text else []
    shown = [instrument_view(row) for row in found[:OFFERED]]
    back = request.args.get("form", "")
    form = back if back.startswith("/portfolio/") else ""
    return respond.page("accounts/_offered.html", instruments=shown, form=form)


@blueprint.get(f"{ACCOUNT}/holdings/<int:holding_id>")
def edit_holding(portfolio_id: int, account_name: str, holding_id: int) -> Response:
    """The form of a holding that is there."""
    at = scope(reading(), portfolio_id, account_name)
    shown = at.holding(holding_id)
    values, action = filled(shown), url_for(".change_holding", **request.view_args or {})
    opened = editing.opened(values)
    return holding_form(at, values, {}, action=action, holding=shown, opened=opened)


def filled(shown: HoldingView) -> dict[str, Any]:
    """A holding as the fields of its form."""
    figures = {
        name: None if (value := getattr(shown, name)) is None else canonical(value)
        for name in ("quantity", "average_price", "price")
    }
    return {**described(shown.instrument), **figures, "notes": shown.notes}


def changed(shown: HoldingView, names: tuple[str, ...]) -> dict[str, Any]:
    """What a form changes of a holding; what was cleared is None, as it is not to be kept."""
    here = editing.changed(filled(shown), names)
    cleared = dict.fromkeys(name for name in here if name in NEVER_EMPTY)
    return {**cleared, **typed(HoldingChange, here)}


@blueprint.post(f"{ACCOUNT}/holdings/<int:holding_id>")
def change_holding(portfolio_id: int, account_name: str, holding_id: int) -> Response:
    """Save a holding."""
    try:
        with unit_of_work() as session:
            at = scope(session, portfolio_id, account_name)
            row = find_holding(session, at.account, holding_id)
            names = FIELDS if row.source == "manual" else BY_BROKER
            values = changed(at.holding(holding_id), names)
            services.change_holding(at, holding_id, values)
            return respond.go(account_url(at.account), f"{row.instrument.symbol} was saved.")
    except (Invalid, Conflict) as error:
        at = scope(reading(), portfolio_id, account_name)
        shown, values = at.holding(holding_id), request.form.to_dict()
        errors = said(error, "symbol")
        opened = editing.reopened(filled(shown), errors)
        place = {"action": request.path, "holding": shown, "opened": opened}
        return holding_form(at, values, errors, **place)


@blueprint.post(f"{ACCOUNT}/holdings/<int:holding_id>/remove")
def remove_holding(portfolio_id: int, account_name: str, holding_id: int) -> Response:
    """Remove a holding that is kept by hand."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        symbol = find_holding(session, at.account, holding_id).instrument.symbol
        services.remove_holding(at, holding_id)
        return respond.go(account_url(at.account), f"{symbol} is no longer held.")


@blueprint.post(f"{ACCOUNT}/holdings/<int:holding_id>/settle")
def settle_holding(portfolio_id: int, account_name: str, holding_id: int) -> Response:
    """Note that a holding that looks like another one is another one."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        services.change_holding(at, holding_id, {"duplicate_of": None})
        return respond.go(account_url(at.account), "Both count from now on.")


@blueprint.post(f"{ACCOUNT}/holdings/<int:holding_id>/inherit")
def inherit_notes(portfolio_id: int, account_name: str, holding_id: int) -> Response:
    """Move the notes of a holding that left to one that took its place."""
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        found = heirs(session, at.account, at.moment.now)
        offer = next((of for of in found if of.heir_id == holding_id), None)
        if offer is None:
            raise NotFound("offer")
        services.inherit(at, offer)
        return respond.go(account_url(at.account), f"{offer.heir} has the notes now.")
