"""Who may ask: the Host, the origin, and the form token, on every route."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from portfolio.web.identity import Identity, Kind
from portfolio.web.runtime import EXTENSION

FORM = {"name": "P", "base_currency": "USD"}


def token(client):
    page = client.get("/portfolio/new").get_data(as_text=True)
    return re.search(r'name="form_token" value="([^"]+)"', page)[1]


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"])
def test_our_own_names_are_answered(desk, host):
    assert desk.program.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "127.0.0.1@evil", "evil@localhost", ""),
        *("a b", "localhost:x", "localhost/a", "localhost?a", "localhost#a", "[::1"),
    ],
)
def test_another_name_is_refused_everywhere(desk, host):
    for path in ("/", "/healthz", "/static/css/app.css", "/nothing"):
        answer = desk.program.get(path, environ_overrides={"HTTP_HOST": host}, buffered=True)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
    ],
)
def test_a_change_that_another_site_asks_for_is_refused(desk, headers):
    values = {**FORM, "form_token": token(desk.program)}
    for path in ("/portfolio/new", "/api/v1/portfolios"):
        answer = desk.program.post(path, data=values, headers=headers)
        assert answer.status_code == 403
        assert answer.json["error"]["code"] == "forbidden"
    assert desk.program.get("/api/v1/portfolios").json["items"] == []


def test_a_cookie_without_an_origin_is_no_program(desk):
    browser = desk.program
    browser.set_cookie("foliosync", "x")
    assert browser.post("/api/v1/portfolios", json=FORM).status_code == 403


def test_a_form_needs_the_token_of_its_own_browser(desk):
    browser = desk.program
    headers = {"Origin": "http://localhost", "Accept": "text/html"}
    assert browser.post("/portfolio/new", data=FORM, headers=headers).status_code == 403
    stolen = {**FORM, "form_token": token(desk.app.test_client())}
    assert browser.post("/portfolio/new", data=stolen, headers=headers).status_code == 403
    own = {**FORM, "form_token": token(browser)}
    answer = browser.post("/portfolio/new", data=own, headers=headers)
    assert (answer.status_code, answer.location) == (303, "/portfolio/1")


def signed_in(desk, form_key):
    who = Identity(user_id=1, name="o", kind=Kind.SESSION, form_key=form_key)
    runtime = replace(desk.app.extensions[EXTENSION], identify=lambda session: who)
    desk.app.extensions[EXTENSION] = runtime


def test_a_form_of_another_login_is_refused_in_the_same_browser(desk):
    browser, headers = desk.program, {"Origin": "http://localhost", "Accept": "text/html"}
    before = {**FORM, "form_token": token(browser)}
    signed_in(desk, "first")
    assert browser.post("/portfolio/new", data=before, headers=headers).status_code == 403
    first = {**FORM, "form_token": token(browser)}
    signed_in(desk, "second")
    assert browser.post("/portfolio/new", data=first, headers=headers).status_code == 403
    signed_in(desk, "first")
    assert browser.post("/portfolio/new", data=first, headers=headers).status_code == 303


def test_the_token_may_come_as_a_header(desk):
    browser = desk.program
    headers = {"Sec-Fetch-Site": "same-origin", "X-Form-Token": token(browser)}
    assert browser.post("/api/v1/portfolios", json=FORM, headers=headers).status_code == 201


@pytest.mark.parametrize("path", ["/ibkr/test-connection", "/ibkr/accounts"])
def test_another_site_cannot_even_ask_what_contacts_the_broker_and_a_program_can(desk, path):
    asked = len(desk.simulator.requests)
    for site in ("cross-site", "same-site"):
        answer = desk.program.get(path, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
    assert len(desk.simulator.requests) == asked
    for own in ({"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}, {}):
        desk.turn()
        assert desk.program.get(path, headers=own).status_code == 200


def test_every_answer_carries_the_headers(desk):
    client = desk.program
    answers = [
        client.get("/"),
        client.get("/nothing"),
        client.get("/static/css/app.css", buffered=True),
        client.get("/api/v1/portfolios"),
        client.get("/", headers={"Host": "evil.example"}),
        client.post("/api/v1/portfolios", json={}),
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Server" not in answer.headers


def test_pages_are_not_kept_by_caches(desk):
    assert desk.program.get("/").headers["Cache-Control"] == "no-store"


def test_the_cookie_is_ours_alone(desk):
    cookie = desk.program.get("/portfolio/new").headers["Set-Cookie"]
    assert cookie.startswith("foliosync=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_a_change_by_one_of_our_pages_needs_the_token_too(desk):
    ours = {"Sec-Fetch-Site": "same-origin"}
    assert desk.program.post("/api/v1/portfolios", json=FORM, headers=ours).status_code == 403
    assert desk.program.get("/api/v1/portfolios").json["items"] == []


def test_asking_changes_nothing_and_needs_no_token(desk):
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    for ask in (desk.program.get, desk.program.head, desk.program.options):
        assert ask("/api/v1/portfolios", headers=elsewhere).status_code == 200


REFUSED = {
    "host": (
        {"headers": {"Host": "evil.example"}},
        "This address is not one of ours.",
        "Open http://127.0.0.1 with our port, or add the name to FOLIOSYNC_ALLOWED_HOSTS.",
    ),
    "site": (
        {"headers": {"Origin": "https://evil.example"}},
        "This request comes from another site.",
        "Open the page here and try again.",
    ),
    "cookie": (
        {},
        "A change needs to say where it comes from.",
        "Programs send no cookies; browsers send an Origin header.",
    ),
    "token": (
        {"headers": {"Origin": "http://localhost"}},
        "The form is no longer valid; nothing was changed.",
        "Reload the page and send it again.",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_each_refusal_says_why_and_what_to_do(desk, why):
    asked, message, remedy = REFUSED[why]
    browser = desk.program
    browser.set_cookie("foliosync", "x")
    error = browser.post("/api/v1/portfolios", json=FORM, **asked).json["error"]
    assert (error["message"], error["remedy"]) == (message, remedy)


@pytest.mark.parametrize(("size", "status"), [(8_000_000, 422), (8_000_001, 413)])
def test_only_a_route_that_takes_files_takes_a_large_body(desk, size, status):
    url, form = desk.account(), "application/x-www-form-urlencoded"
    body = b"text=".ljust(size, b"x")
    sent = [
        desk.program.post(page, data=body, content_type=form).status_code
        for page in (f"{url}/import", "/portfolio/new")
    ]
    assert sent == [status, 413]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"name=\xff"),
        ("multipart/form-data; boundary=x", b"no part at all"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_where_nobody_would_look_at_it(desk, kind, body):
    url = desk.connected()
    answer = desk.program.post(f"{url}/sync", data=body, content_type=kind)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_request")


def test_the_field_of_the_token_stands_in_the_form_as_it_is(desk):
    page = desk.program.get("/portfolio/new").get_data(as_text=True)
    field = re.search(r'(\S*)<input type="hidden" name="form_token" value="[^"]+">(\S*)', page)
    assert field.groups() == ("", "")


def test_nothing_for_developers_answers(desk):
    assert not desk.app.debug
    assert desk.program.open("/", method="TRACE").status_code == 405
    for path in ("/console", "/?__debugger__=yes&cmd=resource&f=debugger.js"):
        page = desk.program.get(path, headers={"Accept": "text/html"})
        assert "__debugger__" not in page.get_data(as_text=True)
        assert "javascript" not in page.content_type
        assert not [name for name, value in page.headers if "werkzeug" in value.lower()]
