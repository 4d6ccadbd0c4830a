"""Sync runs as JSON."""

from __future__ import annotations

from typing import Any

from portfolio.accounts.queries.portfolios import visible_account
from portfolio.db.paging import Page
from portfolio.sync import queries
from portfolio.sync.queries import ChangeView, RunView
from portfolio.sync.schemas import ChangesSchema, RunSchema, RunsSchema
from portfolio.web.openapi import Blueprint, PageQuery
from portfolio.web.runtime import owner_id, reading

blueprint = Blueprint(
    "sync_api", __name__, url_prefix="/api/v1", description="Sync runs and what they changed"
)


@blueprint.get("/portfolios/<int:portfolio_id>/accounts/<account_name>/runs")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, RunsSchema)
def list_runs(query: dict[str, Any], portfolio_id: int, account_name: str) -> Page[RunView]:
    """The sync runs of an account, newest first."""
    user = owner_id()
    found = visible_account(reading(), user, portfolio_id, account_name)
    start, limit = int(query["cursor"]), query["limit"]
    return queries.runs(reading(), found, user, start=start, limit=limit)


@blueprint.get("/runs/<run_id>")
@blueprint.response(200, RunSchema)
def get_run(run_id: str) -> RunView:
    """One sync run."""
    return queries.find_run(reading(), owner_id(), run_id)


@blueprint.get("/runs/<run_id>/changes")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ChangesSchema)
def list_changes(query: dict[str, Any], run_id: str) -> Page[ChangeView]:
    """What a run changed, one position field a row; all of a new holding is in one."""
    found = queries.find_run(reading(), owner_id(), run_id)
    start, limit = int(query["cursor"]), query["limit"]
    return queries.changes(reading(), found.id, start=start, limit=limit)
