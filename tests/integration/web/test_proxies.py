"""Who is believed about a request: exactly the proxies that are counted, and nobody else."""

from __future__ import annotations

import pytest
from flask import request

from portfolio.app import create_app, prepare_database
from portfolio.settings import Settings
from portfolio.web.proxies import is_from_here
from portfolio.web.rules import RULES, Rule

HSTS = "Strict-Transport-Security"


@pytest.fixture
def behind(tmp_path, monkeypatch):
    """Makes an application behind so many proxies."""
    monkeypatch.setitem(RULES, "seen", Rule.OPEN)

    def make(number):
        environ = {
            "FOLIOSYNC_DATA_DIR": str(tmp_path),
            "FOLIOSYNC_TRUSTED_PROXIES": str(number),
            "FOLIOSYNC_ALLOWED_HOSTS": "folio.example, müller.example",
        }
        app = create_app(Settings.load(environ))
        prepare_database(app)

        @app.get("/seen")
        def seen():
            return {
                "address": request.remote_addr,
                "url": request.host_url,
                "here": is_from_here(number),
            }

        return app.test_client()

    return make


def forwarded(address="203.0.113.7", scheme="https", host="folio.example"):
    return {
        "X-Forwarded-For": address,
        "X-Forwarded-Proto": scheme,
        "X-Forwarded-Host": host,
    }


def test_without_proxies_the_headers_are_ignored(behind):
    answer = behind(0).get("/seen", headers=forwarded(address="127.0.0.1", host="evil.example"))
    assert answer.json == {"address": "127.0.0.1", "url": "http://localhost/", "here": False}
    assert HSTS not in answer.headers


def test_behind_one_proxy_its_word_counts(behind):
    client = behind(1)
    answer = client.get("/seen", headers=forwarded())
    assert answer.json == {
        "address": "203.0.113.7",
        "url": "https://folio.example/",
        "here": False,
    }
    assert answer.headers[HSTS] == "max-age=31536000"


@pytest.mark.parametrize("number", [1, 2])
def test_what_a_client_wrote_before_the_counted_entries_is_ignored(behind, number):
    true = ["203.0.113.7"] + ["10.0.0.1"] * (number - 1)
    headers = {
        "X-Forwarded-For": ", ".join(["127.0.0.1", *true]),
        "X-Forwarded-Proto": ", ".join(["https", "http", *["http"] * (number - 1)]),
        "X-Forwarded-Host": ", ".join(["evil.example", *["folio.example"] * number]),
    }
    answer = behind(number).get("/seen", headers=headers)
    assert answer.json == {
        "address": "203.0.113.7",
        "url": "http://folio.example/",
        "here": False,
    }
    assert HSTS not in answer.headers


def test_a_request_that_passed_too_few_proxies_is_not_from_here(behind):
    client = behind(2)
    assert client.get("/seen", headers=forwarded(address="127.0.0.1")).json["here"] is False
    assert client.get("/seen").json["here"] is True


@pytest.mark.parametrize("header", ["Via", "Forwarded", "X-Real-IP"])
def test_a_proxy_that_nobody_counted_is_noticed(behind, header):
    assert behind(0).get("/seen", headers={header: "1.1 somebody"}).json["here"] is False


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("folio.example", False),
        ("folio.example:443", False),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
    ],
)
def test_a_proxy_that_adds_nothing_is_noticed_by_the_name_it_passes_on(behind, number, host, here):
    assert behind(number).get("/seen", headers={"Host": host}).json["here"] is here


@pytest.mark.parametrize("address", ["unknown", "", "127.0.0.1:80 x", "10.0.0.9"])
def test_an_address_that_is_none_is_not_from_here(behind, address):
    assert behind(1).get("/seen", headers=forwarded(address=address)).json["here"] is False


def test_a_foreign_name_is_refused_also_where_a_proxy_passes_it_on(behind):
    answer = behind(1).get("/", headers=forwarded(host="evil.example"))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://folio.example", 403), ("http://folio.example", 403), ("https://evil.example", 403)],
)
def test_a_change_must_come_from_the_outer_origin(behind, origin, status):
    client = behind(1)
    answer = client.post("/portfolio", headers={**forwarded(), "Origin": origin})
    assert answer.status_code == status
    foreign = "another site" in answer.text
    # Our own origin comes as far as the form token, which this request does not have.
    assert foreign == (origin != "https://folio.example")


@pytest.mark.parametrize("port", ["", ":8443"])
def test_a_name_with_letters_that_are_not_english_is_an_origin_too(behind, port):
    client, ours = behind(1), f"xn--mller-kva.example{port}"
    for origin, code in ((f"https://{ours}", "no longer valid"), ("https://x", "another site")):
        headers = {**forwarded(host=ours), "Origin": origin}
        answer = client.post("/portfolio", headers=headers)
        assert answer.status_code == 403
        assert code in answer.text


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_the_cookie_stays_with_tls_where_it_came_over_tls(behind, scheme, secure):
    answer = behind(1).get("/portfolio/new", headers=forwarded(scheme=scheme))
    cookie = answer.headers["Set-Cookie"]
    assert ("Secure" in cookie) == secure
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_the_name_of_ones_own_computer_is_not_bound_to_tls(behind):
    answer = behind(1).get("/", headers=forwarded(host="localhost:8443"))
    assert HSTS not in answer.headers
