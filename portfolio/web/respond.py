"""One answer, three readers: an HTMX fragment, a browser's form, a program; decided here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import Enum
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import quote, unquote, urlsplit

from flask import (
    Response,
    current_app,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
)

from portfolio.errors import StorageFailed
from portfolio.web.identity import bearer

# Of a file that is written; what is longer goes to the disk.
IN_MEMORY, AT_ONCE = 1_000_000, 64_000
NO_ROOM = "The file does not fit into the server’s folder for temporary files."
MAKE_ROOM = "Make room there, or name another folder in its TMPDIR. Nothing was changed."
VARY = (
    *("Authorization", "HX-Request", "HX-Boosted", "HX-History-Restore-Request"),
    *("HX-Target", "Accept"),
)


class Reader(Enum):
    """Who reads the answer to this request."""

    FRAGMENT = "fragment"
    BROWSER = "browser"
    PROGRAM = "program"


def reader() -> Reader:
    """Who reads: htmx gets a fragment, an Accept that prefers HTML a page, the rest JSON.

    Whoever sends a token is a program: tokens open no pages.
    """
    if bearer() is not None:
        return Reader.PROGRAM
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


def file(parts: Iterable[str], name: str, kind: str = "text/csv") -> Response:
    """A file to keep, CSV by default; all its parts are taken before anything is sent.

    A large one waits on the disk, under no name, until it is read; `StorageFailed` where it does
    not fit there.
    """
    # Closed with the answer.
    content: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
    try:
        for part in parts:
            content.write(part.encode())
        size = content.tell()
        # Writes the last of it.
        content.seek(0)
    except BaseException as error:
        # It tries to write what is left once more.
        with suppress(OSError):
            content.close()
        if isinstance(error, OSError):
            raise no_room() from error
        raise
    # Headers are Latin-1 at most: any other name comes beside one that all can read (RFC 6266).
    plain = name.encode("ascii", "replace").decode("ascii").replace("?", "_")
    full = {} if plain == name else {"filename*": f"UTF-8''{quote(name, safe='')}"}
    response = Response(_read(content), content_type=f"{kind}; charset=utf-8")
    response.call_on_close(content.close)
    if request.method == "HEAD":
        content.close()
    response.content_length = size
    response.headers.set("Content-Disposition", "attachment", filename=plain, **full)
    return response


def no_room() -> StorageFailed:
    """The failure of a file that cannot wait on the disk, on its way in or out."""
    return StorageFailed(NO_ROOM, MAKE_ROOM)


def _read(content: IO[bytes]) -> Iterator[bytes]:
    with content:
        while part := content.read(AT_ONCE):
            yield part


def back(usual: str) -> str:
    """The page of ours that the URL names as the one somebody came from, or the usual one."""
    url = request.args.get("back", "")
    return url if _is_path(url) else usual


def _is_path(url: str) -> bool:
    return url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()


def following(usual: str) -> str:
    """The page of ours that the request names as the one to show next, or the usual one."""
    url = request.values.get("next", "")
    return url if _is_path(url) and _is_page(urlsplit(url).path) else usual


def _is_page(path: str) -> bool:
    adapter = current_app.create_url_adapter(request)
    return adapter is not None and adapter.test(unquote(path), "GET")


def go(url: str, message: str | None = None, category: str = "done") -> Response:
    """Send a browser to another page with a message; 303, so that a reload repeats nothing."""
    if message:
        flash(message, category)
    response = make_response(redirect(url, code=303))
    return vary(response)
