"""Gateways: added, changed, removed, and fixed by a setting."""

from __future__ import annotations

import re

import pytest

from portfolio.app import create_app, prepare_database
from portfolio.connections import cards
from portfolio.demo import demo_settings
from portfolio.errors import SetupProblem
from portfolio.options import OPTIONS
from portfolio.settings import Settings
from tests.integration.conftest import make_desk
from tests.integration.people import meanwhile

API = "/api/v1/gateways"
HTML = {"Accept": "text/html"}


def test_gateways_are_added_changed_and_removed(desk):
    first = desk.program.get(API).json["items"]
    assert [(g["url"], g["login_url"], g["accounts"]) for g in first] == [
        ("https://localhost:5000", "https://localhost:5000", [])
    ]
    made = desk.program.post(API, json={"url": "https://localhost:5001/"})
    assert (made.status_code, made.json["url"]) == (201, "https://localhost:5001")
    change = {"url": "https://localhost:5002", "login_url": "https://nas:5002"}
    moved = desk.program.patch(f"{API}/2", json=change).json
    assert (moved["url"], moved["login_url"]) == tuple(change.values())
    assert (
        desk.program.get("/ibkr/test-connection?gateway_id=2").json["login_url"]
        == "https://nas:5002"
    )
    taken = desk.program.post(API, json={"url": "https://localhost:5002"})
    assert taken.json["error"]["code"] == "conflict"
    assert desk.program.delete(f"{API}/2").status_code == 204
    assert desk.program.delete(f"{API}/2").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://localhost",
        "https://",
        "https://a:b@c",
        "https://x:99999",
        "https://x/y",
        "ftp://x",
        "https://local host:5000",
        "https://a\u202eb:5000",
        'https://a"b',
        "https://<b>:5000",
        "https://a%20b",
        "https://a..b",
        "https://localhost:",
        "https://localhost:0",
        "https://localhost:65536",
        "https://@localhost:5000",
        "https://a\tb",
        "https://127.1:5000",
        "https://0.0.0.0:5000",
    ],
)
def test_a_wrong_address_is_refused(desk, url):
    answer = desk.program.post(API, json={"url": url})
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, ["url"])
    page = desk.program.post(
        "/settings/gateways", data={"url": url}, headers={"Accept": "text/html"}
    )
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.get_data(as_text=True)


def test_a_gateway_in_use_is_not_removed_and_another_address_is_a_new_first_contact(desk):
    url = desk.connected()
    (gateway,) = desk.program.get(API).json["items"]
    assert (gateway["accounts"], len(gateway["certificate_fingerprint"])) == (["A"], 64)
    assert desk.program.delete(f"{API}/1").json["error"]["code"] == "conflict"
    changed = desk.program.patch(f"{API}/1", json={"url": "https://127.0.0.1:5009"}).json
    assert changed["certificate_fingerprint"] is None
    assert desk.sync(url).json["run"]["status"] == "succeeded"


SPELLINGS = ["HTTPS://LOCALHOST:5000", "https://127.0.0.1:05000", " https://localhost.:5000/ "]


@pytest.mark.parametrize("url", SPELLINGS)
def test_another_spelling_is_the_same_gateway_and_keeps_its_pin_and_penalty(desk, url):
    account = desk.connected()
    (before,) = desk.program.get(API).json["items"]
    desk.simulator.fail_next("/ledger", status=429)
    assert desk.sync(account).json["error"]["code"] == "rate_limited"
    twice = desk.program.post(API, json={"url": url})
    assert (twice.status_code, twice.json["error"]["code"]) == (409, "conflict")
    changed = desk.program.patch(f"{API}/1", json={"url": url}).json
    assert changed["url"] in {"https://localhost:5000", "https://127.0.0.1:5000"}
    assert changed["certificate_fingerprint"] == before["certificate_fingerprint"]
    assert changed["silent_until"] is not None
    assert changed["accounts"] == ["A"]
    sent = len(desk.simulator.requests)
    assert desk.sync(account).json["error"]["code"] == "rate_limited"
    assert len(desk.simulator.requests) == sent


def test_a_penalty_of_a_test_is_remembered_over_a_restart(desk):
    desk.simulator.fail_next("/tickle", status=429)
    found = desk.program.get("/ibkr/test-connection").json
    assert found["code"] == "rate_limited"
    assert "until about 14:15" in found["message"]
    assert desk.program.get(API).json["items"][0]["silent_until"] is not None


def test_what_a_gateway_says_while_it_is_moved_is_not_taken_for_the_other_s(desk):
    url = desk.account()
    meanwhile(desk, lambda: desk.program.patch(f"{API}/1", json={"url": "https://127.0.0.1:5009"}))
    desk.turn()
    refused = desk.connect(url).json["error"]
    assert refused["code"] == "conflict"
    assert refused["message"].startswith("The gateway was moved or removed meanwhile")
    (moved,) = desk.program.get(API).json["items"]
    # Another place is a first contact, also where somebody was on the way to the former one.
    assert (moved["certificate_fingerprint"], moved["accounts"]) == (None, [])
    # Behind both is the same simulator, which counts what either of them asks.
    desk.turn(61)
    assert desk.connect(url).status_code == 201
    assert desk.program.get(API).json["items"][0]["certificate_fingerprint"] is not None
    meanwhile(desk, lambda: desk.program.patch(f"{API}/1", json={"url": "https://127.0.0.1:5010"}))
    desk.simulator.fail_next("/accounts", status=429)
    assert desk.sync(url).json["error"]["code"] == "rate_limited"
    (moved,) = desk.program.get(API).json["items"]
    assert (moved["silent_until"], moved["certificate_fingerprint"]) == (None, None)
    desk.turn(61)
    assert desk.sync(url).json["run"]["status"] == "succeeded"


def test_a_gateway_that_is_removed_while_it_is_asked_is_said_to_be(desk):
    url = desk.account()
    desk.program.post(API, json={"url": "https://localhost:5001"})
    meanwhile(desk, lambda: desk.program.delete(f"{API}/2"))
    desk.turn()
    refused = desk.connect(url, gateway_id=2).json["error"]
    assert refused["message"].startswith("The gateway was moved or removed meanwhile")
    desk.turn(61)
    assert desk.connect(url).status_code == 201


def test_a_certificate_of_a_gateway_that_is_moved_is_not_accepted_for_the_other(desk, monkeypatch):
    show, print_ = desk.network.certificate, {"fingerprint": desk.network.shown.fingerprint}
    to = iter(["https://127.0.0.1:5009"])

    def moved(*given):
        for url in to:
            desk.program.patch(f"{API}/1", json={"url": url})
        return show(*given)

    monkeypatch.setattr(desk.network, "certificate", moved)
    refused = desk.program.post(f"{API}/1/certificate", json=print_)
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "conflict")
    assert desk.program.get(API).json["items"][0]["certificate_fingerprint"] is None
    assert desk.program.post(f"{API}/1/certificate", json=print_).status_code == 200


def test_an_account_moves_to_another_gateway_with_its_holdings(desk):
    url = desk.connected()
    desk.program.post(API, json={"url": "https://localhost:5001"})
    # Behind both is the same simulator, which counts what either of them asks.
    desk.turn(61)
    moved = desk.connect(url, gateway_id=2)
    assert (moved.status_code, moved.json["connection"]["gateway_id"]) == (200, 2)
    assert desk.sync(url).json["run"]["added"] == 0
    page = desk.program.get(f"{url}/edit", headers={"Accept": "text/html"})
    assert page.status_code == 200


def test_who_disconnects_an_account_while_it_is_moved_has_it_disconnected(desk):
    url = desk.connected()
    desk.program.post(API, json={"url": "https://localhost:5001"})
    meanwhile(desk, lambda: desk.program.post(f"{url}/disconnect"))
    desk.turn(61)
    moved = desk.program.patch("/api/v1/connections/1", json={"gateway_id": 2})
    assert (moved.status_code, moved.json["error"]["code"]) == (409, "not_connected")
    assert desk.program.get("/api/v1/connections").json["items"] == []
    desk.turn(61)
    made = desk.connect(url, gateway_id=2)
    assert (made.status_code, made.json["connection"]["gateway_id"]) == (201, 2)


def test_a_connection_that_ends_while_it_is_changed_is_not_found(desk, monkeypatch):
    url, shown = desk.connected(), cards.connections

    def late(*given):
        desk.program.post(f"{url}/disconnect")
        return shown(*given)

    assert desk.program.patch("/api/v1/connections/1", json={"paused": True}).json["paused"]
    monkeypatch.setattr(cards, "connections", late)
    gone = desk.program.patch("/api/v1/connections/1", json={"paused": False})
    assert (gone.status_code, gone.json["error"]["code"]) == (404, "not_found")


def test_with_two_gateways_the_form_asks_which(desk):
    url = desk.account()
    desk.program.post(API, json={"url": "https://localhost:5001"})
    desk.turn()
    form = {"choices": "ibkr", "gateway_id": "2"}
    page = desk.program.post(f"{url}/edit", data=form, headers={"HX-Request": "true"})
    text = page.get_data(as_text=True)
    assert '<input type="hidden" name="gateway_id" value="2">' in text
    assert "U1234567" in text
    offered = desk.program.get(f"{url}/edit", headers={"Accept": "text/html"})
    assert 'aria-label="Gateway"' in offered.get_data(as_text=True)


def test_what_the_environment_sets_is_fixed_and_the_rest_is_stored(tmp_path):
    def started(**environ):
        desk = next(maker := make_desk({"FOLIOSYNC_DATA_DIR": str(tmp_path), **environ}))
        page = desk.program.get("/settings", headers={"Accept": "text/html"})
        found = desk.program.get(API).json["items"][0]["url"], page.get_data(as_text=True)
        if not environ:
            desk.program.patch(f"{API}/1", json={"url": "https://localhost:5003"})
        next(maker, None)
        return found

    url, page = started()
    assert "cannot be changed here" not in page
    # The gateway is elsewhere by now than its setting's default, whose row is true all the same.
    url, page = started()
    assert url == "https://localhost:5003"
    (row,) = [of for of in page.split("<tr>") if "<code>FOLIOSYNC_IBKR_GATEWAY_URL</code>" in of]
    assert "localhost:5000" in row.replace("<wbr>", "")
    assert "first gateway only" in row
    assert "where it is by now stands on Settings" in row
    url, page = started(FOLIOSYNC_IBKR_GATEWAY_URL="https://localhost:5004")
    assert (url, "cannot be changed here" in page) == ("https://localhost:5004", True)


def test_a_gateway_that_a_setting_holds_is_changed_by_no_route(tmp_path):
    held = "https://localhost:5004"
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_IBKR_GATEWAY_URL": held}
    desk = next(maker := make_desk(environ))
    for answer in (
        desk.program.patch(f"{API}/1", json={"url": "https://localhost:5005"}),
        desk.program.patch(f"{API}/1", json={"login_url": "https://nas:5005"}),
        desk.program.delete(f"{API}/1"),
    ):
        assert (answer.status_code, answer.json["error"]["code"]) == (409, "conflict")
        assert "FOLIOSYNC_IBKR_GATEWAY_URL" in answer.json["error"]["message"]
        assert answer.json["error"]["remedy"]
    form = {"url": "https://localhost:5005"}
    page = desk.program.post("/settings/gateways/1", data=form, headers=HTML)
    assert page.status_code == 422
    assert desk.program.post("/settings/gateways/1/remove", headers=HTML).status_code == 409
    assert desk.program.get(API).json["items"][0]["url"] == held
    other = desk.program.post(API, json={"url": "https://localhost:5006"})
    assert other.status_code == 201
    changed = desk.program.patch(f"{API}/2", json={"url": "https://localhost:5007"})
    assert changed.json["url"] == "https://localhost:5007"
    assert desk.program.delete(f"{API}/2").status_code == 204
    next(maker, None)


def test_a_setting_never_makes_a_second_gateway_at_one_place(tmp_path):
    folder = {"FOLIOSYNC_DATA_DIR": str(tmp_path)}
    desk = next(maker := make_desk(folder))
    desk.program.post(API, json={"url": "https://localhost:5004"})
    next(maker, None)
    with pytest.raises(SetupProblem, match="another gateway is already"):
        next(make_desk({**folder, "FOLIOSYNC_IBKR_GATEWAY_URL": "https://127.0.0.1:5004"}))


def test_the_demo_s_own_gateway_does_not_blame_a_setting(tmp_path):
    settings = demo_settings(Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path)}))
    app = create_app(settings)
    prepare_database(app)
    page = app.test_client().get("/settings", headers=HTML).get_data(as_text=True)
    assert "This gateway belongs to the demo and cannot be changed here." in page
    assert "address is set by" not in page
    app.extensions["foliosync"].stop()


def test_each_setting_says_what_gave_it(tmp_path):
    file = tmp_path / "foliosync.toml"
    file.write_text("SYNC_INTERVAL = 10\nTIMEZONE = 'UTC'\n", encoding="utf-8")
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_TIMEZONE": "Europe/Zurich"}
    given = Settings.load(environ, file=file).given_by("command line", port=8110)
    for settings, data_dir, jobs in (
        (given, "environment", "default"),
        (demo_settings(given), "demo", "demo"),
    ):
        app = create_app(settings)
        prepare_database(app)
        page = app.test_client().get("/settings", headers=HTML).get_data(as_text=True)
        app.extensions["foliosync"].stop()
        rows = re.findall(
            r'<code>FOLIOSYNC_(\w+)</code></th><td>(.*?) <span class="tag">(.+?)</span>', page
        )
        found = {name: (value.replace("<wbr>", ""), source) for name, value, source in rows}
        assert len(found) == len(OPTIONS)
        assert found["PORT"] == ("8110", "command line")
        assert found["SYNC_INTERVAL"] == ("10", "settings file")
        assert found["TIMEZONE"] == ("Europe/Zurich", "environment")
        assert found["DATA_DIR"] == (str(settings.data_dir), data_dir)
        assert found["JOBS"] == ("embedded", jobs)
        assert found["HOST"] == ("127.0.0.1", "default")


def test_the_button_beside_several_gateways_tests_the_chosen_one(desk):
    url = desk.account()
    edit = f"{url}/edit"
    one = desk.program.get(edit, headers=HTML).get_data(as_text=True)
    assert f"/ibkr/test-connection?back={edit}" in one
    desk.program.post(API, json={"url": "https://localhost:5001"})
    page = desk.program.get(edit, headers=HTML).get_data(as_text=True)
    assert 'name="test"' in page
    assert 'hx-include="#gateway-ibkr"' in page
    form = {"choices": "ibkr", "gateway_id": "2", "test": "1"}
    sent = desk.program.post(edit, data=form, headers=HTML)
    assert sent.status_code == 303
    assert "gateway_id=2" in sent.location
    tested = desk.program.get(sent.location, headers=HTML).get_data(as_text=True)
    assert "https://localhost:5001" in tested
    assert f'<a href="{edit}">Back</a>' in tested
    desk.turn(61)
    assert desk.connect(url, gateway_id=2).status_code == 201
    page = desk.program.get(edit, headers=HTML).get_data(as_text=True)
    assert 'href="/ibkr/test-connection?gateway_id=2' in page


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil", "x"])
def test_back_leads_to_our_own_pages_only(desk, back):
    query = {"back": back}
    page = desk.program.get("/ibkr/test-connection", query_string=query, headers=HTML)
    assert '<a href="/">Back</a>' in page.get_data(as_text=True)


def test_the_settings_page_shows_no_secret(tmp_path):
    secret = f"sqlite:///{tmp_path / 'hidden-name.db'}"
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_DATABASE_URL": secret}
    maker = make_desk(environ)
    page = next(maker).program.get("/settings", headers={"Accept": "text/html"})
    assert "hidden-name" not in page.get_data(as_text=True)
    next(maker, None)
