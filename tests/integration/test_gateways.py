"""Gateways: added, changed, removed, and fixed by a setting."""

from __future__ import annotations

import pytest

from tests.integration.conftest import make_desk

API = "/api/v1/gateways"


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
    assert started()[0] == "https://localhost:5003"
    url, page = started(FOLIOSYNC_IBKR_GATEWAY_URL="https://localhost:5004")
    assert (url, "cannot be changed here" in page) == ("https://localhost:5004", True)


def test_the_settings_page_shows_no_secret(tmp_path):
    secret = f"sqlite:///{tmp_path / 'hidden-name.db'}"
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_DATABASE_URL": secret}
    maker = make_desk(environ)
    page = next(maker).program.get("/settings", headers={"Accept": "text/html"})
    assert "hidden-name" not in page.get_data(as_text=True)
    next(maker, None)
