"""Import and export of holdings and cash as CSV."""

from __future__ import annotations

from typing import Any

from flask import Response

from portfolio.accounts import csvfile, exports
from portfolio.accounts.api.holdings import scope
from portfolio.accounts.csvfile import Layout
from portfolio.accounts.schemas import HoldingsSchema, ImportOutcome, ImportRequest
from portfolio.accounts.services import transfer as services
from portfolio.db.session import unit_of_work
from portfolio.web.openapi import Blueprint

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
    with unit_of_work() as session:
        at = scope(session, portfolio_id, account_name)
        layout = csvfile.guess(table, at.account.currency)
        if values["columns"] or values["decimal"]:
            layout = Layout(
                columns=csvfile.headings_of(table.headings, values["columns"]) or layout.columns,
                decimal=values["decimal"] or layout.decimal,
                currency=layout.currency,
            )
        plan = services.plan_import(at, csvfile.understand(table, layout))
        if values["apply"]:
            services.apply_import(at, plan)
    counts = {word: plan.count(word) for word in ("added", "changed", "unchanged", "bad")}
    return {"applied": values["apply"], **counts, "rows": plan.steps}


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
