"""The page of one’s own account: the password, and the browsers that are signed in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for
from flask import session as kept

from portfolio.db.session import unit_of_work
from portfolio.errors import Invalid, NotFound
from portfolio.users import cookies
from portfolio.users.sessions import end_all, end_session, listed
from portfolio.users.signin import change_password, limits
from portfolio.users.views.login import let_in
from portfolio.web import respond
from portfolio.web.identity import identity
from portfolio.web.runtime import reading, runtime

blueprint = Blueprint("account", __name__)


@blueprint.before_request
def only_with_logins() -> None:
    """Without logins there is no such page."""
    if not runtime().settings.has_logins:
        raise NotFound("page")


@blueprint.get("/settings/account")
def show() -> Response:
    """One’s own account."""
    return account_page({})


def account_page(errors: dict[str, str], **more: Any) -> Response:
    """The page, with what is wrong in one of its forms."""
    me, now = identity(), runtime().clock.now()
    logins = listed(reading(), me.user_id, now, limits().idle)
    status = 422 if errors else 200
    return respond.page("users/account.html", status, logins=logins, errors=errors, **more)


@blueprint.post("/settings/account/password")
def save_password() -> Response:
    """Change the password; every other browser is signed out."""
    current, new = request.form.get("current", ""), request.form.get("new", "")
    try:
        opened = change_password(identity().name, current, new, cookies.client())
    except Invalid as error:
        return account_page(dict(error.fields))
    said = "The password is changed, and every other browser signed out."
    return let_in(opened, url_for(".show"), said)


@blueprint.post("/settings/account/logins/<int:login_id>/end")
def end_login(login_id: int) -> Response:
    """Sign one browser out."""
    me = identity()
    with unit_of_work() as session:
        end_session(session, me.user_id, login_id)
    return respond.go(url_for(".show"), "That browser is signed out.")


@blueprint.post("/settings/account/logins/end")
def end_logins() -> Response:
    """Sign every browser out, this one as well."""
    with unit_of_work() as session:
        end_all(session, identity().user_id)
    kept.clear()
    return cookies.clear(respond.go(url_for("login.ask"), "You are signed out everywhere."))
