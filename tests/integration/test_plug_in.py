"""A broker that somebody else packaged: installed, found, connected and synced."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from brokers.contract import ENTRY_POINT_GROUP
from brokers.registry import Registry
from brokers.testing.clock import FakeClock
from portfolio.app import create_app, prepare_database
from portfolio.db.base import db
from portfolio.settings import Settings
from tests.brokers.folder.test_contract import ROWS, forget_the_plug_in  # noqa: F401

PLUGIN = Path(__file__).parents[1] / "plugin"
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example plug-in, installed as any package is."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    shutil.copytree(PLUGIN, source / "plugin")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    subprocess.run([*command, str(source / "plugin")], check=True, timeout=120)
    return target


@pytest.fixture
def brokers(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    (package,) = distributions(path=[str(installed)])
    points = [*package.entry_points.select(group=ENTRY_POINT_GROUP)]
    broken = EntryPoint("broken", "foliosync_folder.missing:Broker", ENTRY_POINT_GROUP)
    return Registry.discover([*points, broken])


@pytest.fixture
def client(brokers, tmp_path):
    settings = Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path / "data")})
    app = create_app(settings, brokers=brokers, clock=FakeClock())
    prepare_database(app)
    yield app.test_client(use_cookies=False)
    app.extensions["foliosync"].stop()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_a_plug_in_comes_in_by_its_entry_point_and_a_broken_one_is_listed(brokers, client):
    assert set(brokers.brokers) == {"ibkr", "folder"}
    assert "foliosync_folder.missing" in brokers.failed["broken"]
    page = client.get("/settings", headers=HTML).get_data(as_text=True)
    assert "The broker adapter “broken” could not be loaded." in page
    assert "ModuleNotFoundError" in page
    assert "Folder of files" in page


def test_its_accounts_are_connected_and_synced_like_any_other(client, tmp_path):
    folder = tmp_path / "accounts"
    folder.mkdir()
    content = {"name": "Main", "currency": "EUR", "cash": 1.5, "positions": ROWS}
    (folder / "main.json").write_text(json.dumps(content))
    wrong = client.post("/api/v1/gateways", json={"broker": "folder", "url": "accounts"})
    assert wrong.json["error"]["fields"]["url"].startswith("The path of a folder is needed")
    unknown = client.post("/api/v1/gateways", json={"broker": "none", "url": "/x"})
    assert list(unknown.json["error"]["fields"]) == ["broker"]
    made = client.post("/api/v1/gateways", json={"broker": "folder", "url": str(folder)})
    assert (made.status_code, made.json["broker"]) == (201, "folder")
    client.post("/api/v1/portfolios", json={"name": "P", "base_currency": "EUR"})
    client.post("/api/v1/portfolios/1/accounts", json={"name": "A", "currency": "EUR"})
    account = "/portfolio/1/accounts/A"
    edit = client.get(f"{account}/edit", headers=HTML).get_data(as_text=True)
    assert "Connect to IBKR" in edit
    assert "Connect to folder" in edit
    linked = client.post(f"{account}/connect/folder", json={"account_id": "main"})
    assert linked.status_code == 201, linked.json
    run = client.post(f"{account}/sync").json["run"]
    assert (run["status"], run["added"]) == ("succeeded", 3)
    rows = client.get("/api/v1/portfolios/1/accounts/A/holdings").json["holdings"]
    assert {row["instrument"]["symbol"]: row["market_value"] for row in rows} == {
        "ACME": "25",
        "ZZZ": "-1200",
    }
    found = client.get("/ibkr/test-connection?gateway_id=2").json
    assert (found["connected"], found["code"]) == (True, "ready")
    shutil.rmtree(folder)
    lost = client.post(f"{account}/sync")
    assert (lost.status_code, lost.json["error"]["code"]) == (503, "gateway_unreachable")


def test_what_no_account_can_look_like_is_refused_and_nothing_is_stored(client, tmp_path):
    test_its_accounts_are_connected_and_synced_like_any_other(client, tmp_path)
    folder = tmp_path / "accounts"
    folder.mkdir(exist_ok=True)
    rows = "/api/v1/portfolios/1/accounts/A/holdings"
    before = client.get(rows).json["holdings"]
    twice, nameless = [*ROWS, ROWS[0]], [{**ROWS[0], "symbol": ""}]
    zero, odd = [{**ROWS[0], "quantity": 0}], [{**ROWS[0], "currency": "eur "}]
    for positions in (twice, nameless, zero, odd):
        content = {"name": "Main", "currency": "EUR", "cash": 1.5, "positions": positions}
        (folder / "main.json").write_text(json.dumps(content))
        answer = client.post("/portfolio/1/accounts/A/sync")
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "bad_answer")
    assert client.get(rows).json["holdings"] == before


def test_what_is_not_installed_or_shows_no_certificate_is_said(client, tmp_path):
    test_its_accounts_are_connected_and_synced_like_any_other(client, tmp_path)
    body = {"account_id": "main"}
    unknown = client.post("/portfolio/1/accounts/A/connect/nonsense", json=body)
    assert (unknown.status_code, unknown.json["error"]["code"]) == (404, "not_found")
    assert "broker" in unknown.json["error"]["message"]
    prints = {"fingerprint": "ab" * 32}
    bare = client.post("/api/v1/gateways/2/certificate", json=prints)
    assert (bare.status_code, bare.json["error"]["code"]) == (409, "conflict")


def test_a_plug_in_that_was_removed_is_said_and_breaks_no_page(client, tmp_path):
    test_its_accounts_are_connected_and_synced_like_any_other(client, tmp_path)
    settings = Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path / "data")})
    app = create_app(settings, brokers=Registry.discover([]))
    without = app.test_client(use_cookies=False)
    account = "/portfolio/1/accounts/A"
    for url in ("/", "/settings", account, f"{account}/edit"):
        assert without.get(url, headers=HTML).status_code == 200
    answer = without.post(f"{account}/sync")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "conflict")
    assert "Install its package again" in answer.json["error"]["remedy"]
    assert without.get("/ibkr/test-connection?gateway_id=2").status_code == 409
    app.extensions["foliosync"].stop()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
