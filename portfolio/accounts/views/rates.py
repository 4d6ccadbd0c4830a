"""The page of exchange rates."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from portfolio.accounts.ecb import parse
from portfolio.accounts.queries.rates import rates
from portfolio.accounts.schemas.rates import NewRate
from portfolio.accounts.services import rates as services
from portfolio.accounts.views.holdings import said, typed
from portfolio.db.session import end_reading, unit_of_work
from portfolio.errors import Conflict, Invalid, RatesUnavailable
from portfolio.web import respond
from portfolio.web.runtime import moment, owner_id, reading, runtime

blueprint = Blueprint("rates", __name__)
SHOWN = 200


def page(values: dict[str, str], errors: dict[str, str], problem: str | None = None) -> Response:
    """The newest rates, and the form for one by hand."""
    found = rates(reading(), owner_id(), start=0, limit=SHOWN)
    status = 422 if errors else 503 if problem else 200
    context = {"rates": found.items, "more": found.next_cursor is not None, "problem": problem}
    return respond.page("accounts/rates.html", status, **context, values=values, errors=errors)


@blueprint.get("/rates")
def list_rates() -> Response:
    """All exchange rates, with date and source."""
    asked = {name: request.args.get(name, "") for name in ("from", "to")}
    return page({"date": moment().day.isoformat(), **asked}, {})


@blueprint.post("/rates")
def add_rate() -> Response:
    """Add a rate by hand."""
    try:
        values, owner = typed(NewRate, ("from", "to", "rate", "date")), owner_id()
        with unit_of_work() as session:
            services.add_rate(session, owner, values, moment())
    except (Invalid, Conflict) as error:
        return page(request.form.to_dict(), said(error, "from"))
    return respond.go(url_for(".list_rates"), "The rate was saved.")


@blueprint.post("/rates/ecb")
def fetch_reference_rates() -> Response:
    """Fetch the reference rates of the European Central Bank."""
    owner = owner_id()
    end_reading()
    try:
        found = parse(runtime().fetch_rates())
        with unit_of_work() as session:
            changed = services.store_reference_rates(session, owner, found, moment())
    except RatesUnavailable as error:
        return page({}, {}, f"{error.message} {error.remedy}")
    day = found[0].day.isoformat()
    return respond.go(url_for(".list_rates"), f"{changed} rates of {day} are new.")


@blueprint.post("/rates/<int:rate_id>/remove")
def remove_rate(rate_id: int) -> Response:
    """Remove a rate that was typed by hand."""
    owner = owner_id()
    with unit_of_work() as session:
        services.remove_rate(session, owner, rate_id, moment())
    return respond.go(url_for(".list_rates"), "The rate was removed.")
