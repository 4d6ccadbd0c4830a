"""The page of one’s own account: the password, and the browsers that are signed in."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from flask import session as kept

from portfolio.db.session import unit_of_work
from portfolio.errors import Invalid, NotFound
from portfolio.users import cookies, second_step
from portfolio.users.models import User
from portfolio.users.second_step import codes_left, is_checkable
from portfolio.users.sessions import digest, end_all, end_session, listed
from portfolio.users.signin import change_password, limits
from portfolio.users.tokens import working
from portfolio.users.views.login import let_in
from portfolio.web import identity as asking
from portfolio.web import respond
from portfolio.web.identity import identity
from portfolio.web.runtime import reading, runtime

blueprint = Blueprint("account", __name__)
CHANGED = "The password is changed, and every other browser signed out."


@blueprint.before_request
def only_with_logins() -> None:
    """Without logins there is no such page."""
    if not runtime().settings.has_logins:
        raise NotFound("page")


@blueprint.get("/settings/account")
def show() -> Response:
    """One’s own account."""
    return account_page({})


def account_page(errors: dict[str, str]) -> Response:
    """The page, with what is wrong in one of its forms."""
    me, now = identity(), runtime().clock.now()
    user = reading().get_one(User, me.user_id)
    return respond.page(
        "users/account.html",
        422 if errors else 200,
        logins=listed(reading(), me.user_id, now, limits().idle),
        second_step=user.totp_since,
        checkable=is_checkable(user),
        tokens=working(reading(), me.user_id, now),
        codes_left=codes_left(reading(), me.user_id),
        errors=errors,
    )


@blueprint.post("/settings/account/password")
def save_password() -> Response:
    """Change the password; every other browser is signed out."""
    current, new = request.form.get("current", ""), request.form.get("new", "")
    name, end_tokens = identity().name, "end_tokens" in request.form
    try:
        opened = change_password(name, current, new, cookies.client(), end_tokens=end_tokens)
    except Invalid as error:
        return account_page(dict(error.fields))
    return let_in(opened, url_for(".show"), CHANGED)


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


@blueprint.post("/settings/account/totp")
def begin_totp() -> Response:
    """Show a new key for an app, for who knows the password."""
    password = request.form.get("password", "")
    try:
        made = second_step.begin(identity(), password, cookies.address())
    except Invalid as error:
        return account_page(dict(error.fields))
    return respond.page("users/enrol.html", made=made, errors={})


@blueprint.post("/settings/account/totp/on")
def turn_totp_on() -> Response:
    """Turn the second step on with a first code; the recovery codes are shown once."""
    me, ticket = identity(), request.form.get("ticket", "")
    try:
        opened, codes = second_step.turn_on(
            me, ticket, request.form.get("code", ""), cookies.client()
        )
    except Invalid as error:
        return _tried(ticket, dict(error.fields))
    kept.clear()
    asking.renew(digest(opened.secret))
    page = respond.page("users/recovery.html", codes=codes)
    return cookies.write(page, opened.secret, opened.length)


def _tried(ticket: str, errors: dict[str, str]) -> Response:
    if "code" not in errors:
        return account_page(errors)
    made = second_step.again(identity(), ticket)
    return respond.page("users/enrol.html", 422, made=made, errors=errors)


@blueprint.post("/settings/account/totp/off")
def turn_totp_off() -> Response:
    """Turn the second step off, for who knows the password."""
    password = request.form.get("password", "")
    try:
        opened = second_step.turn_off(identity(), password, cookies.client())
    except Invalid as error:
        return account_page(dict(error.fields))
    return let_in(opened, url_for(".show"), "The second step is off.")
