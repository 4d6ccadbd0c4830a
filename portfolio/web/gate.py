"""Who may ask at all: the Host, the origin, the login and the form token, before every view.

Without logins whoever reaches us acts as the owner, so no page of another site may.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, current_app, request
from flask_wtf.csrf import generate_csrf, validate_csrf
from markupsafe import Markup
from wtforms.validators import ValidationError

from portfolio.errors import BadRequest, Forbidden, NotFound
from portfolio.settings import LOOPBACK, Settings
from portfolio.web import identity
from portfolio.web.identity import Identity, Kind
from portfolio.web.rules import Rule, rule_of
from portfolio.web.runtime import runtime
from portfolio.web.scopes import FREE, SCOPE_OF

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
TOKEN_FIELD = "form_token"
TOKEN_HEADER = "X-Form-Token"
# What browsers add by themselves, and no page can change.
SITE_HEADER, ORIGIN_HEADER = "Sec-Fetch-Site", "Origin"
LARGEST_FILE = 8_000_000
# These read from the gateway, so that even a GET of another site must not reach them.
CONTACTS_THE_BROKER = "/ibkr/"


def register(app: Flask, settings: Settings, files: frozenset[str]) -> None:
    """Put the gate before every view, static files and errors included.

    `files` are the endpoints that take whole files.
    """
    allowed = frozenset((*LOOPBACK, *settings.allowed_hosts))

    @app.before_request
    def check() -> None:
        identity.forget()
        check_host(request.environ.get("HTTP_HOST", ""), allowed)
        if "\0" in request.path:
            # PostgreSQL refuses to compare with it: nothing of ours has such a name.
            raise NotFound("page")
        if request.endpoint in files:
            request.max_content_length = request.max_form_memory_size = LARGEST_FILE
        if request.method not in SAFE:
            check_origin()
        elif request.path.startswith(CONTACTS_THE_BROKER):
            _check_site(("same-origin", "none"))
        identity.begin(runtime().identify)
        check_rule(request.endpoint)
        if request.method not in SAFE:
            check_token()
            check_form()

    app.jinja_env.globals["form_token"] = form_token


def check_rule(endpoint: str | None) -> None:
    """Refuse who may not reach this route: `LoginRequired`, or `Forbidden` for everybody."""
    rule = rule_of(endpoint)
    if rule is None:
        raise Forbidden(
            "Nobody may reach this route: it has no rule.",
            "This is a fault of the program. Give the route a rule in portfolio/web/rules.py.",
        )
    if rule is Rule.OPEN and (endpoint in FREE or identity.bearer() is None):
        return
    who = identity.identity()
    if who.kind is Kind.TOKEN and endpoint is not None:
        check_scope(who, endpoint)


def check_scope(who: Identity, endpoint: str) -> None:
    """Refuse a token that does not open this route: it lacks the scope, or none opens it."""
    needed = SCOPE_OF.get(endpoint)
    if needed is None:
        raise Forbidden(
            "No token opens this: it is for people who are signed in.",
            "Use a route of /api/v1 that the page API lists, or a browser.",
        )
    if needed not in who.scopes:
        raise Forbidden(
            f"This token lacks the scope “{needed}”; nothing was changed.",
            "Make one that has it on the page API tokens of Settings.",
        )


def check_host(host: str, allowed: frozenset[str]) -> None:
    """Refuse a name that is not ours: another site may have pointed its own name at us."""
    if not _is_ours(host, allowed):
        raise BadRequest(
            "This address is not one of ours.",
            "Open http://127.0.0.1 with our port, or add the name to FOLIOSYNC_ALLOWED_HOSTS.",
        )


def _is_ours(host: str, allowed: frozenset[str]) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        # Only asked, because it refuses what is no number.
        _ = parts.port
    except ValueError:
        return False
    return parts.hostname in allowed and parts.username is None and parts.netloc == host


def check_origin() -> None:
    """Refuse a change that another site asks for."""
    if SITE_HEADER in request.headers:
        _check_site(("same-origin",))
    elif ORIGIN_HEADER in request.headers:
        # As browsers write it: `host_url` has the letters that a name stands for.
        if request.headers[ORIGIN_HEADER] != f"{request.scheme}://{request.host}":
            raise _foreign()
    elif request.cookies:
        raise Forbidden(
            "A change needs to say where it comes from.",
            "Programs send no cookies; browsers send an Origin header.",
        )


def _check_site(accepted: tuple[str, ...]) -> None:
    if request.headers.get(SITE_HEADER, accepted[0]) not in accepted:
        raise _foreign()


def _foreign() -> Forbidden:
    return Forbidden("This request comes from another site.", "Open the page here and try again.")


def check_token() -> None:
    """Refuse a browser's change without the token that our own forms carry."""
    from_browser = SITE_HEADER in request.headers or ORIGIN_HEADER in request.headers
    # No page of another site can send a token.
    by_token = identity.bearer() is not None
    if not from_browser or by_token:
        return
    token = request.headers.get(TOKEN_HEADER) or request.form.get(TOKEN_FIELD)
    try:
        validate_csrf(token, **_bound())
    except ValidationError:
        raise Forbidden(
            "The form is no longer valid; nothing was changed.",
            "Reload the page and send it again.",
        ) from None


def check_form() -> None:
    """Refuse (400) a form that cannot be read, also where a route would not have looked at it."""
    if request.mimetype in FORMS:
        _ = request.form


def form_token() -> Markup:
    """The hidden field that every form carries."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(
        TOKEN_FIELD, generate_csrf(**_bound())
    )


def _bound() -> dict[str, str]:
    """What signs form tokens: of another login, or of none, they are as good as forged."""
    who = identity.known()
    return {"secret_key": f"{current_app.secret_key!r}{who.form_key if who else ''}"}
