"""Import and export of holdings and cash as CSV."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response

from portfolio.accounts import csvfile, exports
from portfolio.accounts.api.holdings import scope
from portfolio.accounts.csvfile import Layout, Table, cell
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.schemas.holdings import HoldingsSchema
from portfolio.accounts.schemas.transfer import ImportOutcome, ImportRequest
from portfolio.accounts.services import transfer as services
from portfolio.accounts.services.transfer import ImportPlan, Step
from portfolio.db.session import unit_of_work
from portfolio.web.openapi import Blueprint
from portfolio.web.runtime import reading

blueprint = Blueprint(
    "transfer_api",
    __name__,
    url_prefix="/api/v1/portfolios/<int:portfolio_id>/accounts/<account_name>",
    description="Holdings and cash as CSV",
)
# Of a line, beside its kind: what the page shows.
SHOWN = ("name", "currency", "quantity", "average_price", "price")


@blueprint.post("/import")
@blueprint.arguments(ImportRequest)
@blueprint.response(200, ImportOutcome)
def import_csv(values: dict[str, Any], portfolio_id: int, account_name: str) -> Response:
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
    return _outcome(plan, applied=values["apply"])


def _outcome(plan: ImportPlan, *, applied: bool) -> Response:
    """What `ImportOutcome` says, quicker than a schema says it: a file may have 50,000 lines."""
    counts = {word: plan.count(word) for word in ("added", "changed", "unchanged", "bad")}
    rows = [_shown(step) for step in plan.steps]
    body = msgspec.json.encode({"applied": applied, **counts, "rows": rows})
    return Response(body, mimetype="application/json")


def _shown(step: Step) -> dict[str, object]:
    # A column that the file does not have, or a cell that cannot be read, is in no values.
    given = step.row.values
    return {
        "line": step.row.line,
        "label": step.label,
        "action": step.action,
        "kind": step.kind,
        **{name: cell(given.get(name)) or None for name in SHOWN},
        "changes": step.changes,
        "note": step.note,
        "problems": step.problems,
    }


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
