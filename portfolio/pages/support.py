"""The file of diagnostics, to keep."""

from __future__ import annotations

import json

from flask import Blueprint, Response, current_app

from portfolio.errors import NotFound
from portfolio.pages.diagnostics import bundle
from portfolio.users.queries import first_user
from portfolio.web import respond
from portfolio.web.runtime import owner_id, reading

blueprint = Blueprint("support", __name__)


@blueprint.get("/settings/diagnostics")
def diagnostics() -> Response:
    """What helps others to help, for whoever runs this installation."""
    if owner_id() != first_user(reading()):
        raise NotFound("page")
    content = json.dumps(bundle(current_app), indent=1)
    return respond.file([f"{content}\n"], "foliosync-diagnostics.json", "application/json")
