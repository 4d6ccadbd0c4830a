"""Files of the front end: kept for good under their hash, and asked about again otherwise."""

from __future__ import annotations

import gzip
import re
from hashlib import sha256

import pytest

from portfolio.errors import NotFound
from portfolio.paths import resource
from portfolio.web.static import Files

CSS = "/static/css/app.css"
GZIP = {"Accept-Encoding": "gzip"}
FOR_GOOD = "public, max-age=31536000, immutable"


def content(name="css/app.css"):
    return (resource("static") / name).read_bytes()


def right(name="css/app.css"):
    return f"/static/{name}?v={sha256(content(name)).hexdigest()[:16]}"


def test_pages_name_the_content_of_each_file(desk):
    page = desk.program.get("/", headers={"Accept": "text/html"}).get_data(as_text=True)
    linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    names = ("icon.svg", "vendor/pico.min.css", "css/app.css", "vendor/htmx.min.js")
    assert linked == [right(name) for name in names]
    for url in linked:
        answer = desk.program.get(url)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, FOR_GOOD)


@pytest.mark.parametrize("query", ["", "?v=", "?v=0.1.0", "?v=0123456789abcdef"])
def test_any_other_address_is_asked_about_again(desk, query):
    answer = desk.program.get(CSS + query)
    assert (answer.status_code, answer.data) == (200, content())
    assert answer.headers["Cache-Control"] == "no-cache"
    again = desk.program.get(CSS + query, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_browser_that_asks_again_is_told_that_nothing_changed(desk):
    for headers in ({}, GZIP):
        first = desk.program.get(right(), headers=headers)
        again = {**headers, "If-None-Match": first.headers["ETag"]}
        second = desk.program.get(right(), headers=again)
        assert (second.status_code, second.data) == (304, b"")
        for name in ("ETag", "Vary", "Cache-Control"):
            assert second.headers[name] == first.headers[name]
        assert "Content-Encoding" not in second.headers


def test_each_encoding_has_a_tag_of_its_own(desk):
    plain, packed = desk.program.get(right()), desk.program.get(right(), headers=GZIP)
    assert plain.headers["ETag"] != packed.headers["ETag"]
    crossed = {**GZIP, "If-None-Match": plain.headers["ETag"]}
    assert desk.program.get(right(), headers=crossed).status_code == 200
    either = {"If-None-Match": f"{plain.headers['ETag']}, {packed.headers['ETag']}"}
    assert desk.program.get(right(), headers=either).status_code == 304


@pytest.mark.parametrize("name", ["css/app.css", "vendor/htmx.min.js", "vendor/pico.min.css"])
def test_a_file_comes_compressed_to_whoever_takes_that(desk, name):
    answer = desk.program.get(right(name), headers=GZIP)
    assert answer.content_encoding == "gzip"
    assert answer.content_length == len(answer.data) < len(content(name)) / 2
    assert gzip.decompress(answer.data) == content(name)
    assert answer.vary.as_set() == {"accept-encoding"}
    refused = desk.program.get(right(name), headers={"Accept-Encoding": "gzip;q=0"})
    assert (refused.content_encoding, refused.data) == (None, content(name))
    assert refused.vary.as_set() == {"accept-encoding"}


def test_head_has_the_headers_of_get(desk):
    for headers in ({}, GZIP):
        head, get = (
            ask(right(), headers=headers) for ask in (desk.program.head, desk.program.get)
        )
        assert head.data == b""
        assert dict(head.headers) == dict(get.headers)


def test_a_range_is_not_looked_at(desk):
    answer = desk.program.get(CSS, headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.data) == (200, content())
    assert "Accept-Ranges" not in answer.headers


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("css/app.css", "text/css; charset=utf-8"),
        ("vendor/htmx.min.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml; charset=utf-8"),
        ("vendor/htmx.LICENSE", "text/plain; charset=utf-8"),
    ],
)
def test_types_do_not_depend_on_the_computer(desk, name, kind):
    assert desk.program.get(f"/static/{name}").content_type == kind


@pytest.mark.parametrize(
    "name",
    [
        *("nothing.css", "css", "css/", "", "../setup.cfg", "css/../../setup.cfg", "/etc/passwd"),
        *("CSS/APP.CSS", "css//app.css", "css/./app.css", "css\\app.css", "x" * 5_000, "a%00b"),
    ],
)
def test_nothing_else_is_a_file(desk, name):
    answer = desk.program.get(f"/static/{name}?v=1")
    assert answer.status_code in {404, 308}
    if answer.status_code == 404:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json["error"]["code"] == "not_found"


def test_a_file_is_read_and_compressed_once_and_anew_when_it_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "a.css"
    path.write_text("one " * 100, encoding="ascii")
    files = Files(tmp_path)
    first = files.file("a.css")
    assert files.file("a.css") is first
    assert first.gzip is first.gzip
    path.write_text("another " * 100, encoding="ascii")
    second = files.file("a.css")
    assert second.content.startswith(b"another")
    assert second.hash != first.hash
    path.unlink()
    with pytest.raises(NotFound):
        files.file("a.css")


def test_a_file_that_does_not_get_smaller_is_sent_as_it_is(desk, tmp_path):
    assert len(gzip.compress(content("icon.svg"))) < len(content("icon.svg"))
    stamp = desk.program.get("/static/vendor/built-from", headers=GZIP)
    assert (stamp.content_encoding, stamp.data) == (None, content("vendor/built-from"))
