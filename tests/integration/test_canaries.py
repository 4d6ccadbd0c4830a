"""Secrets are planted everywhere, and looked for in all that the program says and stores."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import sys
from contextlib import closing, suppress
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from brokers.contract import ENTRY_POINT_GROUP, Context
from brokers.registry import Registry
from brokers.testing.clock import FakeClock
from portfolio import cli, redaction
from portfolio.app import create_app, prepare_database
from portfolio.db import backup
from portfolio.db.base import db
from portfolio.db.keyfile import KeyFile
from portfolio.db.rotation import rotate
from portfolio.errors import SetupProblem
from portfolio.pages.diagnostics import bundle
from portfolio.settings import Settings
from portfolio.web.runtime import EXTENSION
from tests.brokers.folder.test_contract import ROWS
from tests.integration.test_plug_in import PLUGIN
from tests.integration.web.test_nothing_breaks import BODIES, paths, routes

CANARY = re.compile(r"canary-(\w+)")
NOTIFY = "json://bot:canary-notify@127.0.0.1:9/canary-path"
OWN = "ntfy://me:canary-own@127.0.0.1:9/canary-ownpath"
HEADERS = (
    {"Accept": "text/html"},
    {"Accept": "application/json"},
    {"Accept": "text/html", "HX-Request": "true"},
)


@pytest.fixture
def adapter(monkeypatch, tmp_path):
    """An adapter with a secret, and the folder it reads."""
    monkeypatch.syspath_prepend(str(PLUGIN / "src"))
    folder = tmp_path / "accounts"
    folder.mkdir()
    content = {"name": "Main", "currency": "EUR", "cash": 1.5, "positions": ROWS}
    (folder / "main.json").write_text(json.dumps(content))
    (folder / "word.txt").write_text("canary-adapter")
    point = EntryPoint("locked", "foliosync_folder.locked:LockedFolder", ENTRY_POINT_GROUP)
    yield Registry.discover([point]), folder
    for name in [name for name in sys.modules if name.startswith("foliosync_folder")]:
        del sys.modules[name]


def with_password(url):
    """The database's URL with a canary for a password; a trusting server asks for none."""
    return url.replace("//test@", "//test:canary-database@")


@pytest.fixture
def world(adapter, tmp_path, database_url, caplog):
    """A program with a secret of each kind, whose every logger says all it can."""
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy.engine", "sqlalchemy.pool", "urllib3", "werkzeug", "apscheduler"):
        caplog.set_level(logging.DEBUG, logger=name)
    brokers, folder = adapter
    environ = {
        "FOLIOSYNC_DATA_DIR": str(tmp_path / "data"),
        "FOLIOSYNC_DATABASE_URL": with_password(database_url),
        "FOLIOSYNC_NOTIFY_URLS": NOTIFY,
    }
    settings = Settings.load(environ)
    app = create_app(settings, brokers=brokers, clock=FakeClock(), send=failing)
    prepare_database(app)
    app.extensions[EXTENSION] = replace(
        app.extensions[EXTENSION], understands=lambda _url: True, deliver=failing
    )
    fill(app.test_client(use_cookies=False), folder)
    yield app
    app.extensions[EXTENSION].stop()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def failing(*given):
    raise OSError(f"could not send {given} to {NOTIFY} or {OWN}")


def fill(client, folder):
    client.post("/api/v1/gateways", json={"broker": "locked", "url": str(folder)})
    secrets = {"secrets": {"word": "canary-adapter", "name": "canary-name"}}
    assert client.post("/api/v1/gateways/2/secrets", json=secrets).status_code == 204
    made = client.post("/api/v1/notifications/targets", json={"address": OWN})
    assert made.status_code == 201
    client.post("/api/v1/portfolios", json={"name": "P", "base_currency": "EUR"})
    client.post("/api/v1/portfolios/1/accounts", json={"name": "A", "currency": "EUR"})
    account = "/portfolio/1/accounts/A"
    body = {"account_id": "main"}
    assert client.post(f"{account}/connect/locked", json=body).status_code == 201
    assert client.post(f"{account}/sync").json["run"]["status"] == "succeeded"


def everything_said(app):
    """What every route answers to every kind of reader, whatever is sent to it."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client = app.test_client(use_cookies=False)
    for method, rule in routes(app):
        path = next(paths(rule))
        # What removes things would leave nothing to look at.
        if method == "DELETE" or path.endswith(("/remove", "/delete")):
            continue
        for headers in HEADERS if method == "GET" else HEADERS[:2]:
            for body in (None,) if method == "GET" else BODIES[5:7]:
                given = {"data": body, "content_type": "application/json"} if body else {}
                answer = client.open(path, method=method, headers=headers, **given)
                yield f"{method} {path}", answer.get_data() + str(answer.headers).encode()


def leaks(found):
    """Which canaries, and each key, are in some bytes."""
    text = found if isinstance(found, str) else found.decode("utf-8", "replace")
    return set(CANARY.findall(text))


def test_no_answer_and_no_record_has_a_secret(world, caplog):
    keys = KeyFile(world.extensions[EXTENSION].settings.sealing_file).read()
    seen = {what: leaks(said) for what, said in everything_said(world)}
    assert len(seen) > 60
    assert {what: found for what, found in seen.items() if found} == {}
    client = world.test_client(use_cookies=False)
    answer = client.post("/api/v1/notifications/test")
    assert leaks(answer.get_data() + caplog.text.encode()) == set()
    with world.app_context():
        rotate(world.extensions[EXTENSION].sealer, FakeClock().now())
    assert len(caplog.records) > 200
    assert leaks(caplog.text) == set()
    for key in (*keys, *KeyFile(world.extensions[EXTENSION].settings.sealing_file).read()):
        assert key not in caplog.text


def test_nothing_stored_or_exported_has_a_secret(world, tmp_path, capsys, monkeypatch):
    of = world.extensions[EXTENSION]
    (key,) = KeyFile(of.settings.sealing_file).read()
    client = world.test_client(use_cookies=False)
    exports = client.get("/api/v1/portfolios/1/accounts/A/export.csv").get_data()
    texts = {
        "diagnostics": json.dumps(bundle(world)).encode(),
        "exports": exports,
        "settings": repr(of.settings).encode(),
        "runtime": repr(of).encode(),
        "signing key": of.settings.secret_file.read_bytes(),
    }
    file = of.settings.sqlite_file
    if file is not None:
        backup.copy(file, tmp_path / "copy.db")
        stored = [file, file.with_name(f"{file.name}-wal"), tmp_path / "copy.db"]
        texts |= {each.name: each.read_bytes() for each in stored if each.exists()}
        assert len(texts["copy.db"]) > 10_000
    else:
        with world.app_context():
            for table in db.metadatas[None].sorted_tables:
                rows = db.session.execute(table.select()).all()
                texts[table.name] = repr(rows).encode()
    assert {what: leaks(text) for what, text in texts.items() if leaks(text)} == {}
    assert [what for what, text in texts.items() if key.encode() in text] == []


def test_what_a_fault_says_is_redacted(world, caplog, monkeypatch):
    """A library puts an address into its exception: the page has none, and the log has it out."""
    redaction.install()
    # What was entered before this process began is known once it is used.
    world.test_client().post("/api/v1/notifications/test")
    monkeypatch.setattr("portfolio.pages.queries.overview", failing)
    monkeypatch.setitem(world.config, "PROPAGATE_EXCEPTIONS", False)
    answer = world.test_client(use_cookies=False).get("/", headers=HEADERS[0])
    assert answer.status_code == 500
    assert leaks(answer.get_data()) == set()
    assert "could not send" in caplog.text
    assert leaks(caplog.text) == set()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:canary-database@127.0.0.1:1/none",
        "postgresql+psycopg://me:canary-database@127.0.0.1:none/none",
        "postgresql+none://me:canary-database@127.0.0.1/none",
        "postgresql+psycopg://me:canary-data/base@127.0.0.1/none",
        "canary-database",
        "postgresql+psycopg://127.0.0.1:1/none?user=me&password=canary-database",
        "postgresql+psycopg://127.0.0.1:1/none?canary-database=1",
    ],
)
def test_a_database_that_cannot_be_used_keeps_its_password(url, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FOLIOSYNC_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FOLIOSYNC_DATABASE_URL", url)
    for words in (["db", "upgrade"], ["diagnostics"], ["key"]):
        with suppress(SetupProblem):
            cli.main(words)
    said = capsys.readouterr()
    assert leaks(said.out + said.err) <= ({"database"} if "?canary" in url else set())
    assert "Traceback" not in said.err


def test_a_context_shows_no_secret(tmp_path):
    context = Context(
        clock=FakeClock(),
        network=None,
        address="x",
        login_address="x",
        secrets={"word": "canary-adapter"},
    )
    assert leaks(repr(context)) == set()


def test_the_commands_print_no_secret(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FOLIOSYNC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FOLIOSYNC_NOTIFY_URLS", "json://bot:canary-notify@127.0.0.1:9")
    for words in (["db", "upgrade"], ["key"], ["key", "rotate"], ["diagnostics"], ["settings"]):
        assert cli.main(words) == 0
    said = capsys.readouterr()
    assert leaks(said.out + said.err) == set()
    for key in KeyFile(tmp_path / "data.key").read():
        assert key not in said.out + said.err


def test_a_copy_on_another_machine_has_holdings_and_asks_for_secrets(world, tmp_path, adapter):
    of = world.extensions[EXTENSION]
    if of.settings.sqlite_file is None:
        # A copy of PostgreSQL is made with its own tools.
        return
    backup.copy(of.settings.sqlite_file, tmp_path / "copy.db")
    there = Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path / "there")})
    backup.restore(there.sqlite_file, tmp_path / "copy.db", FakeClock().now(), ())
    again = create_app(there, brokers=adapter[0], clock=FakeClock())
    prepare_database(again)
    client = again.test_client(use_cookies=False)
    rows = client.get("/api/v1/portfolios/1/accounts/A/holdings").json["holdings"]
    assert len(rows) == 2
    answer = client.post("/portfolio/1/accounts/A/sync")
    assert answer.json["error"]["code"] == "credentials_missing"
    page = client.get("/settings", headers=HEADERS[0]).get_data(as_text=True)
    assert page.count("enter it again") >= 2
    # And with the key file beside it, all is as it was.
    there.sealing_file.write_bytes(of.settings.sealing_file.read_bytes())
    assert client.get("/api/v1/gateways/2/secrets").json["items"][0]["readable"] is True
    again.extensions[EXTENSION].stop()
    with again.app_context():
        db.session.remove()
        db.engine.dispose()
    with closing(sqlite3.connect(tmp_path / "copy.db")) as opened:
        assert opened.execute("SELECT count(*) FROM target").fetchone() == (1,)
