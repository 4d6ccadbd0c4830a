"""Pages, fragments and JSON go compressed to whoever takes that; static files see to themselves.

Compressed text that holds a secret beside words of a stranger tells its length to whoever watches
the line (BREACH). Strangers can only ask through a browser, and it says so: what another site asks
for is sent as it is.
"""

from __future__ import annotations

import zlib

from flask import Flask, Request, Response, request

from portfolio.web.gate import SITE_HEADER

GZIP, ACCEPT = "gzip", "Accept-Encoding"
# A page of fifty holdings: the next two levels are a twelfth smaller and take twice as long.
LEVEL = 3
# How zlib names gzip with its largest window; and half of what it usually takes beside that, which
# is a sixth faster to begin with, and packs a page as small.
AS_GZIP, MEMORY = 16 + zlib.MAX_WBITS, 7
# What fits into one packet arrives no sooner.
WORTH_IT = 1_000
TYPES = frozenset({"application/json", "application/javascript", "image/svg+xml"})
OURS = frozenset({"same-origin", "none"})


def register(app: Flask) -> None:
    """Compress what a view has answered, errors included."""

    @app.after_request
    def compress(response: Response) -> Response:
        if not may_be_compressed(response):
            return response
        response.vary.add(ACCEPT)
        if takes_gzip(request) and _is_asked_for_by_us(request):
            response.set_data(compressed(response.get_data()))
            response.content_encoding = GZIP
        return response


def may_be_compressed(response: Response) -> bool:
    """Whether an answer is a text of ours in memory, long enough, and not to be left as it is.

    What is streamed goes out as it is made.
    """
    whole = not response.is_streamed and not response.direct_passthrough
    free = response.content_encoding is None and not response.cache_control.no_transform
    return whole and free and _is_text(response.mimetype) and _length(response) >= WORTH_IT


def _is_text(mimetype: str | None) -> bool:
    return mimetype is not None and (mimetype.startswith("text/") or mimetype in TYPES)


def _length(response: Response) -> int:
    # Both views and werkzeug leave it out now and then.
    return response.calculate_content_length() or 0


def takes_gzip(asked: Request) -> bool:
    """Whether gzip is accepted, and no less than the plain text.

    Who accepts neither gets the plain text: it can always be read.
    """
    accepted = asked.accept_encodings
    quality = accepted.quality(GZIP)
    return quality > 0 and quality >= accepted.quality("identity")


def _is_asked_for_by_us(asked: Request) -> bool:
    return asked.headers.get(SITE_HEADER, "none") in OURS


def compressed(data: bytes, level: int = LEVEL) -> bytes:
    """The same for the same bytes: no time stands in it."""
    packing = zlib.compressobj(level, wbits=AS_GZIP, memLevel=MEMORY)
    return packing.compress(data) + packing.flush()
