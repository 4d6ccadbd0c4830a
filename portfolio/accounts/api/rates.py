"""Instruments and exchange rates of an owner."""

from __future__ import annotations

from typing import Any

from portfolio.accounts.ecb import parse
from portfolio.accounts.queries import rates as queries
from portfolio.accounts.queries.instruments import instrument_view, instruments
from portfolio.accounts.schemas.holdings import InstrumentsQuery, InstrumentsSchema
from portfolio.accounts.schemas.rates import FetchedRates, NewRate, RateSchema, RatesSchema
from portfolio.accounts.services import rates as services
from portfolio.db.paging import page_of
from portfolio.db.session import end_reading, unit_of_work
from portfolio.web.openapi import Blueprint, PageQuery
from portfolio.web.runtime import moment, owner_id, reading, runtime

blueprint = Blueprint(
    "rates_api", __name__, url_prefix="/api/v1", description="Instruments and exchange rates"
)


@blueprint.get("/instruments")
@blueprint.arguments(InstrumentsQuery, location="query")
@blueprint.response(200, InstrumentsSchema)
def list_instruments(query: dict[str, Any]) -> Any:
    """Your instruments; `text` is the beginning of a symbol or name."""
    start, limit = int(query["cursor"]), query["limit"]
    found = instruments(reading(), owner_id(), text=query["text"], start=start, limit=limit)
    return page_of([instrument_view(row) for row in found], start, limit)


@blueprint.get("/rates")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, RatesSchema)
def list_rates(query: dict[str, Any]) -> Any:
    """Your exchange rates, the newest day first."""
    start, limit = int(query["cursor"]), query["limit"]
    return queries.rates(reading(), owner_id(), start=start, limit=limit)


@blueprint.post("/rates")
@blueprint.arguments(NewRate)
@blueprint.response(201, RateSchema)
def add_rate(values: dict[str, Any]) -> Any:
    """Add a rate by hand; one for the same day and currencies takes its place."""
    owner = owner_id()
    with unit_of_work() as session:
        return services.add_rate(session, owner, values, moment())


@blueprint.delete("/rates/<int:rate_id>")
@blueprint.response(204)
def remove_rate(rate_id: int) -> None:
    """Remove a rate that was typed by hand."""
    owner = owner_id()
    with unit_of_work() as session:
        services.remove_rate(session, owner, rate_id, moment())


@blueprint.post("/rates/ecb")
@blueprint.response(200, FetchedRates)
def fetch_reference_rates() -> dict[str, int]:
    """Fetch today's reference rates of the European Central Bank."""
    owner = owner_id()
    end_reading()
    found = parse(runtime().fetch_rates())
    with unit_of_work() as session:
        changed = services.store_reference_rates(session, owner, found, moment())
        return {"changed": changed}
