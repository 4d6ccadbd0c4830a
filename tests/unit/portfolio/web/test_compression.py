"""Who is sent what compressed."""

from __future__ import annotations

import gzip

import pytest
from flask import Flask, Response, request

from portfolio.web import compression

LONG = "All that we hold. " * 200


@pytest.fixture
def client():
    app = Flask(__name__)
    compression.register(app)

    @app.get("/text/<path:kind>")
    def text(kind):
        return Response(LONG, mimetype=kind)

    @app.get("/short")
    def short():
        return Response("short", mimetype="text/html")

    @app.get("/stream")
    def stream():
        return Response((LONG for _ in range(3)), mimetype="text/csv")

    @app.get("/packed")
    def packed():
        return Response(LONG, mimetype="text/html", headers={"Content-Encoding": "br"})

    @app.get("/as-it-is")
    def as_it_is():
        return Response(LONG, mimetype="text/html", headers={"Cache-Control": "no-transform"})

    @app.get("/nothing")
    def nothing():
        return Response(status=204)

    @app.get("/broken")
    def broken():
        return Response(LONG, 503, mimetype="application/json")

    return app.test_client()


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br", False),
        ("GZIP", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.000", False),
        ("br, *;q=0.1", True),
        ("identity", False),
        ("identity;q=0", False),
        ("identity;q=0, gzip;q=0.2", True),
        ("identity;q=0, *;q=0", False),
        ("identity;q=0.5, gzip;q=0.4", False),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("identity, gzip;q=0.9", False),
        ("gzip;q=nonsense", False),
        (";;;,,,q=", False),
    ],
)
def test_it_is_as_the_client_accepts_it(client, accepted, packed):
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    answer = client.get("/text/text/html", headers=headers)
    assert answer.vary.as_set() == {"accept-encoding"}
    assert answer.content_encoding == ("gzip" if packed else None)
    assert answer.content_length == len(answer.data)
    text = gzip.decompress(answer.data) if packed else answer.data
    assert text.decode() == LONG


@pytest.mark.parametrize(
    ("kind", "packed"),
    [
        ("text/html", True),
        ("text/csv", True),
        ("text/plain", True),
        ("application/json", True),
        ("image/svg+xml", True),
        ("image/png", False),
        ("application/zip", False),
        ("application/octet-stream", False),
    ],
)
def test_what_is_no_text_is_left_alone(client, kind, packed):
    answer = client.get(f"/text/{kind}", headers={"Accept-Encoding": "gzip"})
    assert (answer.content_encoding == "gzip") is packed
    assert ("accept-encoding" in answer.vary.as_set()) is packed


@pytest.mark.parametrize("path", ["/short", "/packed", "/as-it-is", "/nothing"])
def test_what_is_short_or_packed_or_to_be_left_is_left_alone(client, path):
    with_it = client.get(path, headers={"Accept-Encoding": "gzip"})
    without = client.get(path)
    assert (with_it.data, dict(with_it.headers)) == (without.data, dict(without.headers))


def test_what_is_streamed_goes_out_as_it_is_made(client):
    answer = client.get("/stream", headers={"Accept-Encoding": "gzip"}, buffered=False)
    assert answer.is_streamed
    assert answer.content_encoding is None
    assert next(answer.iter_encoded()).decode() == LONG
    answer.close()


def test_a_failure_is_compressed_as_well(client):
    answer = client.get("/broken", headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.content_encoding) == (503, "gzip")


def test_head_has_the_headers_of_get_and_no_body(client):
    headers = {"Accept-Encoding": "gzip"}
    head, get = (ask("/text/text/html", headers=headers) for ask in (client.head, client.get))
    assert (head.data, dict(head.headers)) == (b"", dict(get.headers))
    assert head.content_length == len(get.data)


@pytest.mark.parametrize(
    ("site", "packed"),
    [
        (None, True),
        ("none", True),
        ("same-origin", True),
        ("same-site", False),
        ("cross-site", False),
    ],
)
def test_what_another_site_asks_for_does_not_tell_its_length(client, site, packed):
    headers = {"Accept-Encoding": "gzip"} | ({"Sec-Fetch-Site": site} if site else {})
    answer = client.get("/text/text/html", headers=headers)
    assert (answer.content_encoding == "gzip") is packed


def test_the_same_is_compressed_to_the_same():
    assert compression.compressed(b"a" * 2_000) == compression.compressed(b"a" * 2_000)


def test_the_quality_is_read_from_the_request():
    with Flask(__name__).test_request_context(headers={"Accept-Encoding": "gzip"}):
        assert compression.takes_gzip(request)
