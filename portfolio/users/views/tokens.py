"""The page of one's tokens: made and shown once, listed, revoked."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, Response, request, url_for

from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, Invalid
from portfolio.users import cookies
from portfolio.users.models import ApiToken
from portfolio.users.services import locked_user
from portfolio.users.sessions import require_login
from portfolio.users.signin import NOT_THE_PASSWORD, proven
from portfolio.users.tokens import SCOPES, Wanted, create, listed, revoke
from portfolio.web import respond
from portfolio.web.identity import identity
from portfolio.web.runtime import owner_id, reading, runtime

blueprint = Blueprint("tokens", __name__, url_prefix="/settings/tokens")
DAYS = {"30": "30 days", "90": "90 days", "365": "a year", "": "until it is revoked"}


@blueprint.get("")
def show() -> Response:
    """One's tokens."""
    return tokens_page({"scopes": ["read"], "days": "90"}, {})


def tokens_page(
    values: dict[str, Any], errors: dict[str, str], token: str | None = None
) -> Response:
    """The page, with what was typed and what is wrong with it; `token` is shown only now."""
    found = listed(reading(), owner_id(), runtime().clock.now())
    context: dict[str, Any] = {"tokens": found, "token": token, "scopes": SCOPES, "days": DAYS}
    context["logins"] = runtime().settings.has_logins
    status = 422 if errors else 200
    return respond.page("users/tokens.html", status, **context, values=values, errors=errors)


@blueprint.post("")
def make() -> Response:
    """Make a token, and show it once."""
    name, scopes, days = _typed()
    wanted = Wanted(name=name, scopes=scopes, days=int(days) if days in DAYS and days else None)
    try:
        made = _made(wanted)
    except (Invalid, Conflict) as error:
        errors = dict(error.fields) or {"name": error.message}
        return tokens_page({"name": name, "scopes": scopes, "days": days}, errors)
    return tokens_page({"scopes": ["read"], "days": "90"}, {}, made)


def _made(wanted: Wanted) -> str:
    """A new token; where there are logins, for who knows the password as well."""
    me, now, logins = identity(), runtime().clock.now(), runtime().settings.has_logins
    password = request.form.get("password", "")
    if logins and proven(me.name, password, cookies.address()) is None:
        raise Invalid({"password": NOT_THE_PASSWORD})
    with unit_of_work() as session:
        if logins:
            # It may have been ended between the look and now, and tokens with it.
            locked_user(session, me.user_id)
            require_login(session, me.login)
        return create(session, me.user_id, wanted, now, secrets.token_urlsafe)


def _typed() -> tuple[str, list[str], str]:
    given = request.form
    return given.get("name", ""), given.getlist("scopes"), given.get("days", "")


@blueprint.post("/<int:token_id>/revoke")
def end(token_id: int) -> Response:
    """End a token."""
    owner = owner_id()
    with unit_of_work() as session:
        revoke(session, owner, ApiToken.id == token_id)
    return respond.go(url_for(".show"), "The token opens nothing any more.")
