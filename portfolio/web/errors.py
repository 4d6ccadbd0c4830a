"""Every failure in one shape, for whoever reads: JSON, a page, or a fragment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request, url_for
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from brokers.errors import BrokerError
from portfolio.db.session import is_of_storage, storage_error
from portfolio.errors import DomainError, LoginRequired, TokenRefused
from portfolio.web import respond
from portfolio.web.openapi import utc
from portfolio.web.respond import Reader
from portfolio.web.runtime import runtime

CODES = {
    401: "login_required",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "validation",
    429: "too_many_requests",
    500: "internal",
}
# The route of the slice that this module must not know.
LOGIN = "login.ask"
USUAL_REMEDY = "Look up this route on the page API, and send what it takes. Nothing was changed."
# What the framework would say in words of its own.
MESSAGES = {404: "There is no such page."}
REMEDIES = {
    404: "Check the address, or start from the overview.",
    405: "See the documentation of this route for the methods it takes.",
    413: "Send less at once.",
    415: "Send JSON with the content type application/json.",
    422: "Correct the fields named and send it again. Nothing was changed.",
    500: "This is a fault of the program; its log says where. Nothing was changed.",
}


def register(app: Flask) -> None:
    """Answer every failure in our own shape."""
    app.register_error_handler(DomainError, from_domain)
    app.register_error_handler(LoginRequired, from_nobody)
    app.register_error_handler(BrokerError, from_broker)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(DBAPIError, from_storage)


def body(
    code: str,
    message: str,
    remedy: str | None,
    *,
    fields: Mapping[str, str] | None = None,
    retry_at: datetime | None = None,
) -> dict[str, Any]:
    """The one shape of an error."""
    return {
        "code": code,
        "message": message,
        "remedy": remedy,
        "fields": dict(fields or {}),
        "retry_at": utc(retry_at) if retry_at else None,
    }


def broker_status(error: BrokerError) -> int:
    """409 where a person must act, 503 where it heals by itself."""
    return 409 if error.needs_user else 503


def from_domain(error: DomainError) -> Response:
    """A failure of our own."""
    at = error.retry_at
    if at is None and error.pause is not None:
        at = runtime().clock.now() + error.pause
    shown = body(error.code, error.message, error.remedy, fields=error.fields, retry_at=at)
    return answer(shown, error.status, at)


def from_nobody(error: LoginRequired) -> Response:
    """Nobody is signed in: a browser is led to the login and back, a program told."""
    who = respond.reader()
    if who is Reader.BROWSER:
        return respond.go(_login(request.full_path if request.method == "GET" else ""))
    response = from_domain(error)
    wrong = ', error="invalid_token"' if isinstance(error, TokenRefused) else ""
    response.headers["WWW-Authenticate"] = f'Bearer realm="Foliosync"{wrong}'
    if who is Reader.FRAGMENT:
        # The whole page is to go there, not the fragment alone.
        response.headers["HX-Redirect"] = _login(request.headers.get("HX-Current-URL", ""))
    return response


def _login(url: str) -> str:
    """The login, which leads back to a page of ours; it looks at the address once more itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url_for(LOGIN)
    page = f"{parts.path}?{parts.query}".removesuffix("?")
    return url_for(LOGIN, next=page if page not in {"", "/"} else None)


def from_broker(error: BrokerError) -> Response:
    """A failure on the way to a broker."""
    shown = body(error.code, error.message, error.remedy, retry_at=error.retry_at)
    return answer(shown, broker_status(error), error.retry_at)


def from_storage(error: DBAPIError) -> Response:
    """A database that is locked, full, damaged, or gone."""
    if not is_of_storage(error):
        # A fault of ours: let it be told as one.
        raise error
    return from_domain(storage_error(error))


def from_http(error: HTTPException) -> Response:
    """A failure found by the framework: no such page, a body that is too large, and so on."""
    status = error.code or 500
    if 300 <= status < 400:
        return Response(status=status, headers=error.get_headers())
    fields = _fields(getattr(error, "data", None))
    named = ((_label(name), why) for name, why in fields.items())
    said = MESSAGES.get(status) or error.description or ""
    message = next((f"{name}: {why}" for name, why in named), said)
    remedy = REMEDIES.get(status, USUAL_REMEDY)
    shown = body(CODES.get(status, "bad_request"), message, remedy, fields=fields)
    response = answer(shown, status)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _label(name: str) -> str:
    """A field's name for a program, and for a person the word that a form shows."""
    if respond.reader() is Reader.PROGRAM:
        return name
    return name.removesuffix("_id").replace("_", " ").capitalize()


def _fields(found: Any) -> dict[str, str]:
    messages = found.get("messages", {}) if isinstance(found, dict) else {}
    flat: dict[str, str] = {}
    for place in messages.values() if isinstance(messages, dict) else ():
        _flatten("", place, flat)
    return flat


def _flatten(path: str, found: Any, flat: dict[str, str]) -> None:
    if isinstance(found, dict):
        for name, inner in found.items():
            _flatten(f"{path}.{name}".lstrip("."), inner, flat)
    else:
        texts = found if isinstance(found, list) else [found]
        flat[path or "body"] = " ".join(map(str, texts))


def answer(shown: dict[str, Any], status: int, retry_at: datetime | None = None) -> Response:
    """The error for whoever reads."""
    who = respond.reader()
    if who is Reader.PROGRAM:
        response = respond.data({"error": shown}, status)
    else:
        template = "error.html" if who is Reader.BROWSER else "connections/_error.html"
        response = respond.page(
            template, status, error=shown, status=status, came_from=_came_from()
        )
    tell_when(response, retry_at)
    return response


def _came_from() -> str | None:
    """The page of ours whose button or link led here; None where it is not known, or this one."""
    try:
        of = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return None
    # With two slashes, or one of the other kind, the rest would name another site.
    path = f"/{of.path.lstrip('/')}"
    if of.netloc != request.headers.get("Host") or "\\" in path or path == request.path:
        return None
    return f"{path}?{of.query}" if of.query else path


def tell_when(response: Response, retry_at: datetime | None) -> None:
    """Say in a header after how many seconds it is worth asking again, where that is known."""
    if retry_at is not None:
        seconds = (retry_at - runtime().clock.now()).total_seconds()
        response.headers["Retry-After"] = str(max(1, round(seconds)))
