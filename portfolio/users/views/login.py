"""The pages on which people sign in and out."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from flask import session as kept

from portfolio.db.session import unit_of_work
from portfolio.errors import Invalid, NotFound
from portfolio.users import cookies
from portfolio.users.second_step import take, waits
from portfolio.users.sessions import end_session
from portfolio.users.setup import is_open, make_first_user
from portfolio.users.signin import WRONG, Opened, sign_in
from portfolio.web import respond
from portfolio.web.identity import identity, known
from portfolio.web.runtime import reading, runtime

blueprint = Blueprint("login", __name__)


@blueprint.before_request
def only_with_logins() -> None:
    """Without logins there are no such pages."""
    if not runtime().settings.has_logins:
        raise NotFound("page")


@blueprint.get("/login")
def ask() -> Response:
    """Ask for name and password."""
    return login_page() if known() is None else respond.go(_next())


def login_page(name: str = "", problem: str | None = None) -> Response:
    """The page that asks for name and password, with what was typed and what is wrong."""
    return respond.page(
        "users/login.html",
        422 if problem else 200,
        name=name,
        problem=problem,
        next=respond.following(""),
        first=is_open(reading()),
    )


@blueprint.post("/login")
def enter() -> Response:
    """Sign in, or go on to the second step."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    opened = sign_in(name, password, cookies.client())
    if opened is None:
        return login_page(name, WRONG)
    return let_in(opened, _next())


def let_in(opened: Opened, url: str, message: str | None = None) -> Response:
    """Send a browser on with its new login; what it kept from before is gone."""
    kept.clear()
    if opened.pending:
        url = url_for(".ask_code", next=url if url != url_for("pages.overview") else None)
    return cookies.write(respond.go(url, message), opened.secret, opened.length)


def _next() -> str:
    return respond.following(url_for("pages.overview"))


@blueprint.get("/login/code")
def ask_code() -> Response:
    """Ask for the code of the second step."""
    return code_page() if waits(cookies.read()) else respond.go(url_for(".ask"))


def code_page(problem: str | None = None) -> Response:
    """The page that asks for a code, with what is wrong with the last one."""
    status, following = 422 if problem else 200, respond.following("")
    return respond.page("users/code.html", status, problem=problem, next=following)


@blueprint.post("/login/code")
def enter_code() -> Response:
    """Sign in with the code of the second step."""
    try:
        opened = take(cookies.read(), request.form.get("code", ""), cookies.client())
    except Invalid as error:
        return code_page(error.fields["code"])
    return let_in(opened, _next())


@blueprint.get("/login/first")
def ask_first() -> Response:
    """Ask for the code of the first start, and for a name and a password."""
    return first_page({}, {})


def first_page(values: dict[str, str], errors: dict[str, str]) -> Response:
    """The page of the first start; there is none once it is done."""
    if not is_open(reading()):
        raise NotFound("page")
    return respond.page("users/first.html", 422 if errors else 200, values=values, errors=errors)


@blueprint.post("/login/first")
def make_first() -> Response:
    """Make the local owner the first user."""
    values = {of: request.form.get(of, "") for of in ("code", "name", "password")}
    try:
        opened = make_first_user(**values, client=cookies.client())
    except Invalid as error:
        return first_page(values, dict(error.fields))
    return let_in(opened, url_for("pages.overview"), "You are signed in.")


@blueprint.post("/logout")
def leave() -> Response:
    """Sign this browser out, in every process at once."""
    me = identity()
    with unit_of_work() as session:
        if me.login is not None:
            end_session(session, me.user_id, me.login)
    kept.clear()
    return cookies.clear(respond.go(url_for(".ask"), "You are signed out."))
