"""Whatever is sent to whichever route: a clear answer in our own shape, and never a 500."""

from __future__ import annotations

import json

import pytest

DOCUMENTED_503 = {
    *("positions_not_released", "gateway_unreachable", "gateway_silent", "session_starting"),
    *("rate_limited", "broker_maintenance", "bad_answer", "storage_busy", "storage_failed"),
    "rates_unavailable",
}
LONG = "9" * 5000
BODIES = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"0",
    b"{}",
    b'{"name": null, "currency": null, "base_currency": null, "quantity": null}',
    b'{"name": {}, "currency": [], "symbol": {"a": 1}, "identifiers": [], "columns": 5}',
    b'{"name": "' + b"x" * 100_000 + b'", "base_currency": "USD", "currency": "USD"}',
    b'{"amount": "' + LONG.encode() + b'", "currency": "USD", "rate": ' + LONG.encode() + b"}",
    b'{"quantity": 1e99999, "price": -0, "multiplier": true}',
    b'{"csv": "a,b\\n1", "apply": "maybe", "decimal": 5}',
    b'{"account_id": "../../v1/api/iserver", "gateway_id": -1, "sync": 1}',
    b'{"account_id": "U1234567", "gateway_id": 99999999999999999999}',
    b'{"fingerprint": "' + b"0" * 64 + b'"}',
    b"\xff\xfe\x00",
]
QUERIES = [
    "",
    "?limit=99999999999999999999",
    "?cursor=999999999",
    "?page=99999",
    "?text=%00",
    "?symbol=%00%FF",
]
QUERIES += ["?gateway_id=0", "?gateway_id=99999999999999999999", "?sort=';--", "?a=b&a=c"]
PARTS = {
    "portfolio_id": ["1", "0", "99999999999999999999"],
    "account_name": ["A", "~1", "~99999999999999999999", "%00", "%FF", "..", "a%2Fb", "x" * 300],
}


def routes(app):
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, rule


def paths(rule):
    path = rule.rule
    for name in rule.arguments:
        for kind in ("int:", ""):
            path = path.replace(f"<{kind}{name}>", f"{{{name}}}")
    chosen = {name: PARTS.get(name, ["1", "99999999999999999999"]) for name in rule.arguments}
    usual = {name: values[0] for name, values in chosen.items()}
    yield path.format(**usual)
    for name, values in chosen.items():
        for value in values[1:]:
            yield path.format(**(usual | {name: value}))


def check(answer, what):
    text = answer.get_data(as_text=True)
    assert "Traceback" not in text, what
    if answer.status_code >= 500:
        assert answer.status_code == 503, (what, answer.status_code, text[:300])
        assert json.loads(text)["error"]["code"] in DOCUMENTED_503, (what, text[:300])
    elif answer.status_code >= 400 and answer.content_type == "application/json":
        error = answer.json["error"]
        assert set(error) == {"code", "message", "remedy", "fields", "retry_at"}, what
        assert error["message"], what
        assert error["remedy"], what


@pytest.fixture
def desk(anywhere):
    return anywhere


@pytest.fixture
def client(desk):
    desk.account()
    return desk.program


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_strange_addresses(desk, client, accept):
    for method, rule in routes(desk.app):
        for path in paths(rule):
            for query in QUERIES if method == "GET" else [""]:
                answer = client.open(path + query, method=method, headers={"Accept": accept})
                if accept == "application/json":
                    check(answer, (method, path, query))
                assert answer.status_code < 500 or answer.status_code == 503, (method, path)
        desk.turn(1)


def test_strange_bodies(desk, client):
    for method, rule in routes(desk.app):
        if method == "GET":
            continue
        path = next(paths(rule))
        for body in BODIES:
            for kind in ("application/json", "application/x-www-form-urlencoded", "text/csv"):
                answer = client.open(path, method=method, data=body, content_type=kind)
                check(answer, (method, path, body[:60], kind))
            form = {"name": "\x00", "file": (b"", "x"), "csv": '"', "quantity": LONG}
            answer = client.open(path, method=method, data={k: str(v) for k, v in form.items()})
            check(answer, (method, path, "form"))
        desk.turn(1)


def test_methods_that_are_not_there(desk, client):
    for _, rule in routes(desk.app):
        for method in ("PUT", "TRACE", "PROPFIND", "HEAD", "OPTIONS"):
            answer = client.open(next(paths(rule)), method=method)
            assert answer.status_code < 500, (method, rule.rule)


WORDS = ("Basic \xff", "Basic x", "Basic dTpw", "Digest =,", "Bearer \xff")


@pytest.mark.parametrize("sent", WORDS)
def test_strange_words_of_who_asks(desk, client, sent):
    wanted = 401 if sent.startswith("Bearer") else 200
    for path in ("/api/v1/portfolios", "/nothing", "/"):
        answer = client.get(path, headers={"Authorization": sent})
        check(answer, (path, sent))
        assert answer.status_code == (404 if path == "/nothing" and wanted == 200 else wanted)
    assert client.get("/api/v1/portfolios").status_code == 200
