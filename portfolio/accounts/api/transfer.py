"""Import and export of holdings and cash as CSV."""

from __future__ import annotations

from typing import Any

from flask import Response

from portfolio.accounts import csvfile, exports
from portfolio.accounts.api.holdings import scope
from portfolio.accounts.csvfile import Layout, Table
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.schemas import HoldingsSchema, ImportOutcome, ImportRequest
from portfolio.accounts.services import transfer as services
from portfolio.db.session import unit_of_work
from portfolio.web.openapi import Blueprint
from portfolio.web.runtime import reading

blueprint = Blueprint(
    "transfer_api",
    __name__,
    url_prefix="/api/v1/portfolios/<int:portfolio_id>/accounts/<account_name>",
    description="Holdings and cash as CSV",
)


@blueprint.post("/import")
@blueprint.arguments(ImportRequest)
@blueprint.response(200, ImportOutcome)
def import_csv(values: dict[str, Any], portfolio_id: int, account_name: str) -> dict[str, Any]:
    """Show what a CSV file would do; with `apply`, do it, and leave bad lines out."""
    table = csvfile.read(values["csv"], "csv")
    at = scope(reading(), portfolio_id, account_name)
    # What takes long for a large file is done before anybody waits for it.
    rows = csvfile.understand(table, _layout(table, values, at))
    if values["apply"]:
        with unit_of_work() as session:
            at = scope(session, portfolio_id, account_name)
            plan = services.plan_import(at, rows)
            services.apply_import(at, plan)
    else:
        plan = services.plan_import(at, rows)
    counts = {word: plan.count(word) for word in ("added", "changed", "unchanged", "bad")}
    return {"applied": values["apply"], **counts, "rows": plan.steps}


def _layout(table: Table, values: dict[str, Any], at: Scope) -> Layout:
    layout = csvfile.guess(table, at.account.currency)
    if not values["columns"] and not values["decimal"]:
        return layout
    return Layout(
        columns=csvfile.headings_of(table.headings, values["columns"]) or layout.columns,
        decimal=values["decimal"] or layout.decimal,
        currency=layout.currency,
    )


@blueprint.get("/export.csv")
@blueprint.response(200, {"type": "string"}, content_type="text/csv")
def export_csv(portfolio_id: int, account_name: str) -> Response:
    """Everything that an account holds, as CSV."""
    return exports.as_csv((portfolio_id, account_name))


@blueprint.get("/export.json")
@blueprint.response(200, HoldingsSchema)
def export_json(portfolio_id: int, account_name: str) -> Response:
    """Everything that an account holds, of one moment and in one answer."""
    return exports.as_json((portfolio_id, account_name))
