"""An adapter's secrets: entered once, stored sealed, handed in by the constructor, asked again."""

from __future__ import annotations

import json
import logging
import re
import sys
from importlib.metadata import EntryPoint

import pytest
from sqlalchemy import select

from brokers.contract import ENTRY_POINT_GROUP
from brokers.registry import Registry
from brokers.testing.clock import FakeClock
from portfolio.app import create_app, prepare_database
from portfolio.connections.models import Gateway, Secret
from portfolio.db.base import db
from portfolio.settings import Settings
from tests.brokers.folder.test_contract import ROWS, forget_the_plug_in  # noqa: F401
from tests.integration.test_plug_in import PLUGIN

CANARY = "canary-4711"
HTML = {"Accept": "text/html"}
SECRETS = "/api/v1/gateways/2/secrets"
ACCOUNT = "/portfolio/1/accounts/A"


@pytest.fixture
def brokers(monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGIN / "src"))
    point = EntryPoint("locked", "foliosync_folder.locked:LockedFolder", ENTRY_POINT_GROUP)
    yield Registry.discover([point])
    for name in [name for name in sys.modules if name.startswith("foliosync_folder")]:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path):
    """What the adapter reads."""
    made = tmp_path / "accounts"
    made.mkdir()
    content = {"name": "Main", "currency": "EUR", "cash": 1.5, "positions": ROWS}
    (made / "main.json").write_text(json.dumps(content))
    (made / "word.txt").write_text(CANARY)
    return made


@pytest.fixture
def start(brokers, tmp_path, database_url):
    """Starts a program on the same data, and closes all in the end."""
    environ = {
        "FOLIOSYNC_DATA_DIR": str(tmp_path / "data"),
        "FOLIOSYNC_DATABASE_URL": database_url,
    }
    apps, clock = [], FakeClock()

    def begin():
        app = create_app(Settings.load(environ), brokers=brokers, clock=clock)
        apps.append(app)
        prepare_database(app)
        return app

    yield begin
    for app in apps:
        app.extensions["foliosync"].stop()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def client(start, folder):
    app = start()
    client = app.test_client(use_cookies=False)
    made = client.post("/api/v1/gateways", json={"broker": "locked", "url": str(folder)})
    assert made.status_code == 201, made.json
    client.post("/api/v1/portfolios", json={"name": "P", "base_currency": "EUR"})
    client.post("/api/v1/portfolios/1/accounts", json={"name": "A", "currency": "EUR"})
    return client


def put(client, **secrets):
    return client.post(SECRETS, json={"secrets": secrets})


def connect(client):
    return client.post(f"{ACCOUNT}/connect/locked", json={"account_id": "main"})


def sync(client):
    return client.post(f"{ACCOUNT}/sync")


def test_secrets_are_asked_for_stored_sealed_and_used(client, caplog, folder):
    caplog.set_level(logging.DEBUG)
    items = client.get(SECRETS).json["items"]
    assert [(of["name"], of["set_at"], of["readable"]) for of in items] == [
        ("word", None, False),
        ("name", None, False),
    ]
    early = connect(client)
    assert (early.status_code, early.json["error"]["code"]) == (409, "credentials_missing")
    assert "Word, Name" in early.json["error"]["message"]
    assert put(client, word=CANARY).status_code == 204
    assert "Name" in connect(client).json["error"]["message"]
    assert put(client, name="me").status_code == 204
    assert connect(client).status_code == 201
    run = sync(client)
    assert run.json["run"]["status"] == "succeeded", run.json
    with client.application.app_context():
        stored = list(db.session.scalars(select(Secret.sealed)))
    assert len(stored) == 2
    answers = client.get(SECRETS).get_data(as_text=True) + client.get(
        "/settings", headers=HTML
    ).get_data(as_text=True)
    assert CANARY not in "".join([*stored, answers, caplog.text])
    (folder / "word.txt").write_text("another")
    wrong = sync(client)
    assert (wrong.status_code, wrong.json["error"]["code"]) == (409, "not_authenticated")


@pytest.mark.parametrize(
    "secrets", [{"other": "x"}, {"word": ""}, {"word": "x" * 1001}, {"word": CANARY, "other": "x"}]
)
def test_what_is_not_asked_for_is_refused_and_nothing_is_stored(client, secrets):
    answer = put(client, **secrets)
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "validation")
    assert CANARY not in answer.get_data(as_text=True)
    assert {of["set_at"] for of in client.get(SECRETS).json["items"]} == {None}
    assert client.post("/api/v1/gateways/1/secrets", json={"secrets": secrets}).status_code == 422


def test_the_page_takes_them_and_never_shows_them(client):
    browser = client.application.test_client()
    page = browser.get("/settings", headers=HTML).get_data(as_text=True)
    assert "Not all of it is there" in page
    token = re.search(r'name="form_token" value="([^"]+)"', page)[1]
    headers = {**HTML, "Origin": "http://localhost"}
    path = "/settings/gateways/2/secrets"
    typed = {"form_token": token, "secret-word": CANARY, "secret-name": "me"}
    saved = browser.post(path, data=typed, headers=headers, follow_redirects=True)
    text = saved.get_data(as_text=True)
    assert "It was stored." in text
    assert "Not all of it is there" not in text
    assert CANARY not in text
    kept = browser.post(path, data={"form_token": token, "secret-word": ""}, headers=headers)
    assert kept.status_code == 303
    assert all(of["readable"] for of in client.get(SECRETS).json["items"])
    long = {"form_token": token, "secret-word": CANARY + "x" * 1000}
    wrong = browser.post(path, data=long, headers=headers)
    assert wrong.status_code == 422
    assert CANARY not in wrong.get_data(as_text=True)
    browser.post(f"{path}/remove", data={"form_token": token}, headers=headers)
    assert {of["set_at"] for of in client.get(SECRETS).json["items"]} == {None}


def test_a_lost_key_asks_again_and_holdings_stay(client, start):
    put(client, word=CANARY, name="me")
    connect(client)
    sync(client)
    client.application.extensions["foliosync"].settings.sealing_file.unlink()
    again = start().test_client(use_cookies=False)
    answer = sync(again)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "credentials_missing")
    assert "Settings" in answer.json["error"]["remedy"]
    account = "/api/v1/portfolios/1/accounts/A"
    assert len(again.get(f"{account}/holdings").json["holdings"]) == 2
    assert again.get(account).json["attention_code"] == "credentials_missing"
    found = again.get("/ibkr/test-connection?gateway_id=2").json
    assert (found["connected"], found["code"]) == (False, "credentials_missing")
    assert "enter it again" in again.get("/settings", headers=HTML).get_data(as_text=True)
    assert put(again, word=CANARY, name="me").status_code == 204
    assert again.get("/api/v1/portfolios/1/accounts/A").json["attention_code"] is None
    assert sync(again).json["run"]["status"] == "succeeded"


def test_another_address_gets_no_secret_of_the_former_one(client, tmp_path):
    put(client, word=CANARY, name="me")
    moved = client.patch("/api/v1/gateways/2", json={"url": str(tmp_path)})
    assert moved.status_code == 200, moved.json
    assert {of["set_at"] for of in client.get(SECRETS).json["items"]} == {None}


def test_they_go_with_their_gateway_or_when_they_are_removed(client):
    put(client, word=CANARY, name="me")
    assert client.delete(SECRETS).status_code == 204
    assert connect(client).status_code == 409
    put(client, word=CANARY, name="me")
    assert client.delete("/api/v1/gateways/2").status_code == 204
    with client.application.app_context():
        assert db.session.scalars(select(Secret.field)).all() == []
        assert len(db.session.scalars(select(Gateway.id)).all()) == 1
