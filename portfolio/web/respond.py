"""One answer, three readers: an HTMX fragment, a browser's form, a program; decided here."""

from __future__ import annotations

from enum import Enum
from typing import Any

from flask import Response, flash, jsonify, make_response, redirect, render_template, request

VARY = ("HX-Request", "HX-Boosted", "HX-History-Restore-Request", "HX-Target", "Accept")


class Reader(Enum):
    """Who reads the answer to this request."""

    FRAGMENT = "fragment"
    BROWSER = "browser"
    PROGRAM = "program"


def reader() -> Reader:
    """Who reads: htmx gets a fragment, an Accept that prefers HTML a page, the rest JSON."""
    headers = request.headers
    if headers.get("HX-Request") == "true":
        whole_page = headers.get("HX-Boosted") or headers.get("HX-History-Restore-Request")
        return Reader.BROWSER if whole_page else Reader.FRAGMENT
    accepts = request.accept_mimetypes
    prefers_html = accepts["text/html"] > accepts["application/json"]
    return Reader.BROWSER if prefers_html else Reader.PROGRAM


def vary(response: Response) -> Response:
    """Say that the same URL answers differently to others."""
    response.vary.update(VARY)
    return response


def data(body: Any, status: int = 200) -> Response:
    """JSON for a program."""
    response = jsonify(body)
    response.status_code = status
    return vary(response)


def page(template: str, status: int = 200, /, **context: Any) -> Response:
    """A page or a fragment."""
    response = make_response(render_template(template, **context), status)
    return vary(response)


def file(content: str, name: str, kind: str = "text/csv") -> Response:
    """A file to keep, CSV by default."""
    response = Response(content, content_type=f"{kind}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def back(usual: str) -> str:
    """The page of ours that the URL names as the one somebody came from, or the usual one."""
    url = request.args.get("back", "")
    ours = url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()
    return url if ours else usual


def go(url: str, message: str | None = None, category: str = "done") -> Response:
    """Send a browser to another page with a message; 303, so that a reload repeats nothing."""
    if message:
        flash(message, category)
    response = make_response(redirect(url, code=303))
    return vary(response)
