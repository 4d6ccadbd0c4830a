"""The documented JSON: the document itself, the shapes, strict bodies, and errors."""

from __future__ import annotations

import io

import pytest
from openapi_spec_validator import validate

P = "/api/v1/portfolios"


def document(desk):
    return desk.program.get("/api/openapi.json").json


def test_the_document_is_valid_and_names_every_route(desk):
    found = document(desk)
    validate(found)
    documented = set(found["paths"])
    ours = {
        rule.rule.replace("<int:", "{").replace("<", "{").replace(">", "}")
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith(("/api/v1", "/ibkr"))
        or rule.rule.endswith(("/sync", "/disconnect", "/connect/ibkr", "/connect/<broker>"))
    }
    assert documented == ours


def test_every_operation_says_what_it_does_and_how_it_fails(desk):
    for path, operations in document(desk)["paths"].items():
        for method, operation in operations.items():
            if method in {"get", "post", "patch", "delete"}:
                assert operation["summary"], (method, path)
                answers = set(operation["responses"])
                assert {"400", "503"} <= answers, (method, path)
                # A default would document whatever happens.
                assert "default" not in answers, (method, path)
                assert ("404" in answers) >= ("{" in path), (method, path)
                assert ("422" in answers) >= ("requestBody" in operation), (method, path)
                assert ("409" in answers) >= (method != "get"), (method, path)


def test_the_document_says_which_body_need_not_be_there(desk):
    desk.connected()
    program = desk.program
    money = {"currency": "CHF", "amount": "1"}
    cash = program.post(f"{P}/1/accounts/A/cash", json=money).json["id"]
    paths = document(desk)["paths"]
    assert paths[P]["post"]["requestBody"]["required"] is True
    item = f"{P}/{{portfolio_id}}/accounts/{{account_name}}"
    for path, of in (("", ""), ("/cash/{cash_id}", f"/cash/{cash}")):
        assert paths[f"{item}{path}"]["patch"]["requestBody"]["required"] is False
        assert program.patch(f"{P}/1/accounts/A{of}").status_code == 200
    assert program.patch(f"{P}/1/accounts/A/cash/99999").status_code == 404


ACCOUNT_KEYS = {
    *("id", "portfolio_id", "name", "currency", "mode", "notes", "synced_at", "stale"),
    *("attention_code", "connection", "warnings"),
}


def test_an_account_has_the_documented_keys(desk):
    url = desk.account()
    answer = desk.program.get(f"{P}/1/accounts/A").json
    assert set(answer) == ACCOUNT_KEYS
    assert (answer["mode"], answer["connection"], answer["warnings"]) == ("manual", None, [])
    desk.turn()
    made = desk.connect(url, username="api").json
    assert set(made["connection"]) == {
        *("id", "broker", "broker_account", "gateway_id", "username", "sync_enabled", "paused")
    }


def test_holdings_have_the_documented_keys_and_strings_for_money(desk):
    answer = desk.holdings(desk.connected())
    assert {"account", "mode", "synced_at", "stale", "holdings", "cash", "totals"} < set(answer)
    first = answer["holdings"][0]
    for name in ("quantity", "average_price", "cost", "price", "market_value", "weight"):
        assert isinstance(first[name], str), name
        assert "E" not in first[name]
    assert {"symbol", "name", "kind", "currency", "multiplier"} < set(first["instrument"])
    assert {"ibkr_conid", "isin"} == set(first["instrument"]["identifiers"])
    assert {"currency", "amount", "settled", "source"} < set(answer["cash"][0])
    assert {
        *("currency", "market_value", "cash", "accrued_interest", "accrued_dividends"),
        *("net_liquidation", "broker_net_liquidation", "incomplete"),
    } < set(answer["totals"])
    assert answer["synced_at"].endswith("Z")


def test_long_lists_come_in_stretches(desk):
    url = desk.connected().replace("/portfolio", P.removesuffix("s") + "s")
    seen, cursor = [], "0"
    while cursor is not None:
        page = desk.program.get(f"{url}/holdings?limit=100&cursor={cursor}").json
        seen += [row["id"] for row in page["holdings"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 230


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("cursor=-1", "cursor")],
)
def test_a_wrong_query_names_its_field(desk, query, field):
    answer = desk.program.get(f"{P}?{query}")
    assert answer.status_code == 422
    assert list(answer.json["error"]["fields"]) == [field]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code", "field"),
    [
        ('{"name": "P"}', "application/json", 422, "validation", "base_currency"),
        (
            '{"name": "P", "base_currency": "USD", "x": 1}',
            "application/json",
            422,
            "validation",
            "x",
        ),
        ('{"name": 5, "base_currency": "USD"}', "application/json", 422, "validation", "name"),
        (
            '{"name": "a\\u202eb", "base_currency": "USD"}',
            "application/json",
            422,
            "validation",
            "name",
        ),
        (
            '{"name": "P", "base_currency": "EURO"}',
            "application/json",
            422,
            "validation",
            "base_currency",
        ),
        ("[]", "application/json", 422, "validation", None),
        ("name=P", "text/plain", 415, "unsupported_media_type", None),
        ("{", "application/json", 400, "bad_request", None),
        ('{"name": "a", "name": "b"}', "application/json", 400, "bad_request", None),
        ('{"name": "\\ud800"}', "application/json", 400, "bad_request", None),
        ("[" * 100_000, "application/json", 400, "bad_request", None),
        ('"' + "x" * 1_000_001 + '"', "application/json", 413, "too_large", None),
    ],
)
def test_a_wrong_body_gets_a_clear_error(desk, body, kind, status, code, field):
    answer = desk.program.post(P, data=body, content_type=kind)
    error = answer.json["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert set(error) == {"code", "message", "remedy", "fields", "retry_at"}
    assert answer.content_type == "application/json"
    assert field is None or field in error["fields"]
    assert desk.program.get(P).json["items"] == []


CUT = b'--x\r\nContent-Disposition: form-data; name="holdings"\r\n\r\nkeep'
UNREADABLE = [
    ("multipart/form-data", b"holdings=keep"),
    ("multipart/form-data; boundary=", b"--\r\n"),
    ("multipart/form-data; boundary=x", b"no part at all"),
    ("multipart/form-data; boundary=x", CUT),
    ("application/x-www-form-urlencoded", b"holdings=\xff\xfe"),
    ("application/json", b'{"holdings": '),
]


@pytest.mark.parametrize(("kind", "body"), UNREADABLE)
def test_a_body_that_cannot_be_read_is_not_an_empty_one(desk, kind, body):
    url = desk.connected()
    answer = desk.program.post(f"{url}/disconnect", data=body, content_type=kind)
    error = answer.json["error"]
    assert (answer.status_code, error["code"]) == (400, "bad_request")
    assert error["remedy"]
    account = desk.program.get(url.replace("/portfolio", P)).json
    assert account["mode"] == "connected"
    whole = {"holdings": "keep"}
    done = desk.program.post(f"{url}/disconnect", data=whole, content_type="multipart/form-data")
    assert (done.status_code, done.json["mode"]) == (200, "manual")


@pytest.mark.parametrize(("kind", "body"), UNREADABLE[:-1])
def test_a_form_that_cannot_be_read_is_refused_on_every_route(desk, kind, body):
    desk.account()
    changing = [rule for rule in desk.app.url_map.iter_rules() if "POST" in rule.methods]
    assert len(changing) > 20
    for rule in changing:
        path = rule.rule.replace("<account_name>", "A")
        for name in rule.arguments:
            path = path.replace(f"<int:{name}>", "1").replace(f"<{name}>", "1")
        answer = desk.program.post(path, data=body, content_type=kind)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_request"), path


def test_a_file_where_a_text_belongs_is_told(desk):
    url = desk.connected()
    files = {"holdings": (io.BytesIO(b"close"), "holdings.txt")}
    answer = desk.program.post(f"{url}/disconnect", data=files)
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, ["holdings"])


def test_a_word_that_is_not_taken_is_answered_with_those_that_are(desk):
    desk.account()
    account = f"{P}/1/accounts/A"
    body = {"symbol": "X", "kind": "stock", "currency": "EUR", "quantity": "1"}
    held = desk.program.post(f"{account}/holdings", json=body).json["id"]

    def refused(answer):
        assert answer.status_code == 422
        return next(iter(answer.json["error"]["fields"].values()))

    said = refused(desk.program.get(f"{account}/holdings?kind=foo"))
    assert said.startswith("Must be one of: stock, etf, ")
    for kind in ("stock", ""):
        found = desk.program.get(f"{account}/holdings?kind={kind}").json["holdings"]
        assert [row["id"] for row in found] == [held]
    body = {"csv": "symbol,quantity\nX,1\n", "decimal": ";"}
    said = refused(desk.program.post(f"{account}/import", json=body))
    assert said == "Must be a point or a comma."
    assert desk.program.post(f"{account}/import", json=body | {"decimal": "."}).status_code == 200
    said = refused(desk.program.patch(f"{account}/holdings/{held}", json={"duplicate_of": "7"}))
    assert said == "Only null can be sent, which says that it is no duplicate."
    settled = desk.program.patch(f"{account}/holdings/{held}", json={"duplicate_of": None})
    assert settled.status_code == 200


def test_nothing_chosen_is_said_to_people_without_field_names(desk):
    url = desk.account()
    for form in ({}, {"account_id": ""}):
        page = desk.program.post(f"{url}/connect/ibkr", data=form, headers={"Accept": "text/html"})
        assert page.status_code == 422
        text = page.get_data(as_text=True)
        assert "Account: Choose one of the broker" in text
        assert "Length must be" not in text
        answer = desk.program.post(f"{url}/connect/ibkr", json=form)
        assert list(answer.json["error"]["fields"]) == ["account_id"]


def test_errors_of_the_frame_have_the_same_shape(desk):
    for method, path, status, code in (
        ("GET", "/nothing", 404, "not_found"),
        ("GET", f"{P}/99", 404, "not_found"),
        ("GET", f"{P}/1/accounts/none", 404, "not_found"),
        ("DELETE", "/api/v1/nothing", 404, "not_found"),
        ("PUT", "/", 405, "method_not_allowed"),
        ("POST", "/portfolio/9/accounts/x/sync", 404, "not_found"),
    ):
        answer = desk.program.open(path, method=method)
        assert (answer.status_code, answer.json["error"]["code"]) == (status, code), path
    for at in ("/nothing", "/api/v1/nothing"):
        missed = desk.program.get(at).json["error"]
        assert missed["message"] == "There is no such page."
        assert "Check the address" in missed["remedy"]
        page = desk.program.get(at, headers={"Accept": "text/html"}).get_data(as_text=True)
        assert missed["message"] in page
        assert missed["remedy"] in page
    url = desk.account()
    answer = desk.program.post(f"{url}/sync")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "not_connected")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("key", ["2147483648", "9" * 5000, "\u0661"])
def test_a_key_that_cannot_be_is_not_found_whatever_the_method(desk, method, key):
    desk.account()
    answer = desk.program.open(f"{P}/{key}", method=method)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    assert desk.program.get(f"{P}/1").status_code == 200


def test_a_sync_that_was_not_believed_has_every_key_of_an_error(desk):
    url = desk.connected()
    desk.simulator.play("empty-positions")
    answer = desk.sync(url)
    assert (answer.status_code, answer.json["run"]["status"]) == (409, "rejected")
    error = answer.json["error"]
    assert set(error) == {"code", "message", "remedy", "fields", "retry_at"}
    assert error["fields"] == {}


def test_a_file_that_is_none_is_told_by_the_field_it_came_in(desk):
    desk.account()
    answer = desk.program.post(f"{P}/1/accounts/A/import", json={"csv": "one line"})
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, ["csv"])


def test_one_url_serves_three_readers(desk):
    url = desk.connected()
    page = desk.program.get(url, headers={"Accept": "text/html"})
    assert page.get_data(as_text=True).startswith("<!doctype html>")
    fragment = desk.program.get(url, headers={"HX-Request": "true"})
    assert fragment.get_data(as_text=True).lstrip().startswith("<section")
    boosted = desk.program.get(url, headers={"HX-Request": "true", "HX-Boosted": "true"})
    assert boosted.get_data(as_text=True).startswith("<!doctype html>")
    desk.turn()
    form = desk.program.post(f"{url}/sync", headers={"Accept": "text/html"})
    assert (form.status_code, form.location) == (303, url)
    for accept in ("application/json", "*/*", None):
        desk.turn()
        headers = {"Accept": accept} if accept else {}
        assert desk.program.post(f"{url}/sync", headers=headers).json["run"]["status"]
    assert "HX-Request" in page.headers["Vary"]
    assert "Accept" in page.headers["Vary"]


def test_health_needs_no_database_and_readiness_says_what_is_well(desk):
    assert desk.program.get("/healthz").json == {"status": "ok"}
    assert desk.program.get("/readyz").json["database"] == "ok"


def test_a_script_in_a_name_is_only_text(desk):
    desk.program.post(P, json={"name": "<script>alert(1)</script>", "base_currency": "USD"})
    page = desk.program.get("/", headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
