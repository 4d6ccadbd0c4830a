"""Nothing that is somebody's is in the diagnostics, whatever the database and settings hold."""

from __future__ import annotations

import json
import platform
import re
import sqlite3
from contextlib import closing
from dataclasses import fields, replace

import pytest
from sqlalchemy import DateTime, Integer, String

from portfolio import cli
from portfolio.app import create_app
from portfolio.db.base import Base, UtcDateTime, db
from portfolio.options import OPTIONS
from portfolio.pages.diagnostics import bundle
from portfolio.users.models import User
from portfolio.web.identity import Identity, Kind
from portfolio.web.runtime import EXTENSION
from tests.integration.conftest import no_room

HTML = {"Accept": "text/html"}
WORD, NUMBER, FAR = "canary", "4711", 471100000
PARTS = {
    *("foliosync", "made_at", "system", "settings", "database", "brokers", "keys"),
    *("notifications", "jobs", "gateways", "connections", "runs"),
}


def found(app):
    return json.dumps(bundle(app))


def failed(said):
    """The parts that could not be read, and how they failed."""
    parts = {name: part for name, part in said.items() if isinstance(part, dict)}
    return {name: part["failed"] for name, part in parts.items() if "failed" in part}


def columns():
    """Every column that is no time and no flag, of every table there is."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if not isinstance(column.type, UtcDateTime | DateTime):
                yield table, column


def is_key(column):
    return isinstance(column.type, Integer) and bool(column.primary_key or column.foreign_keys)


def planted(column):
    """A canary of the column's own kind; a flag has none."""
    kind = type(column.type).__name__
    if kind in ("JSON", "ExactShares"):
        return json.dumps({"canary-4711": "4711.4711", "code": "canary-4711", "n": "4711"})
    if kind == "ExactDecimal":
        return "4711.4711"
    if isinstance(column.type, Integer):
        return 47114711
    return None if kind == "Boolean" else f"canary-4711-{column.table.name}-{column.name}"


def plant(file):
    """A canary in each row of each text and number column; ids are moved to where they show."""
    done = set()
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("PRAGMA foreign_keys=OFF")
        opened.execute("PRAGMA ignore_check_constraints=ON")
        indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        for (name,) in opened.execute(indexes).fetchall():
            opened.execute(f'DROP INDEX "{name}"')
        for table, column in columns():
            unique = " || '-' || rowid" if isinstance(column.type, String) else ""
            if is_key(column):
                change = f'"{column.name}" + {FAR}', ()
            elif (value := planted(column)) is not None:
                change = f"?{unique}", (value,)
            else:
                continue
            statement = f'UPDATE "{table.name}" SET "{column.name}" = {change[0]}'
            if opened.execute(statement, change[1]).rowcount:
                done.add((table.name, column.name))
    return done


@pytest.fixture
def full(desk):
    """A desk with a row of each kind that matters here."""
    desk.connected()
    desk.simulator.sign_out()
    desk.sync("/portfolio/1/accounts/A")
    desk.app.extensions[EXTENSION] = replace(
        desk.app.extensions[EXTENSION], understands=lambda _url: True
    )
    desk.program.post("/api/v1/notifications/targets", json={"address": "ntfy://canary-4711"})
    return desk


def test_it_says_how_things_are(full):
    said = bundle(full.app)
    assert set(said) == PARTS
    assert failed(said) == {}
    assert said["system"]["python"] == platform.python_version()
    assert said["database"]["schema"] == "0014"
    assert said["database"]["rows"]["holding"] == 230
    (gateway,) = said["gateways"]
    assert (gateway["broker"], gateway["state"]) == ("ibkr", "not_authenticated")
    (connection,) = said["connections"]
    assert (connection["gateway"], connection["attention"]) == (1, "not_authenticated")
    assert [(run["status"], run["error"]) for run in said["runs"]] == [
        ("failed", "not_authenticated"),
        ("succeeded", None),
    ]
    assert said["keys"] == {"source": "file", "keys": 1, "sealed": 1, "unreadable": 0}
    assert said["settings"]["FOLIOSYNC_SYNC_INTERVAL"] == {"set": False, "value": "30"}
    assert said["settings"]["FOLIOSYNC_DATA_DIR"] == {"set": True}


def test_no_canary_of_any_column_is_in_it(full):
    before = set(bundle(full.app)["database"]["rows"])
    of = full.app.extensions[EXTENSION]
    with full.app.app_context():
        db.session.remove()
        db.engine.dispose()
    done = plant(of.settings.sqlite_file)
    assert {("holding", "quantity"), ("gateway", "failures"), ("sync_run", "error")} <= done
    assert {("user", "name"), ("gateway", "session"), ("account", "name")} <= done
    assert {("account", "id"), ("gateway", "id"), ("target", "sealed")} <= done
    said = found(full.app)
    assert WORD not in said
    assert NUMBER not in said
    whole = json.loads(said)
    assert set(whole["database"]["rows"]) == before
    # It does not fail for what it finds, and is not empty for it.
    assert failed(whole) == {}
    assert (len(whole["gateways"]), len(whole["connections"]), len(whole["runs"])) == (1, 1, 2)
    assert whole["gateways"][0]["state"] == whole["runs"][0]["status"] == "other"


def test_no_canary_of_any_setting_is_in_it(desk):
    of = desk.app.extensions[EXTENSION]
    public = {option.name.lower() for option in OPTIONS if option.public}
    named = {option.name.lower() for option in OPTIONS}
    assert {each.name for each in fields(of.settings)} == named | {"demo", "sources"}
    values = {}
    for name in named - public - {"database_url"}:
        present = getattr(of.settings, name)
        values[name] = 47114 if isinstance(present, int) else f"canary-4711-{name}"
        values[name] = (values[name],) if isinstance(present, tuple) else values[name]
    sources = {option.name: "environment" for option in OPTIONS}
    changed = replace(of.settings, **values, sources=sources)
    desk.app.extensions[EXTENSION] = replace(of, settings=changed)
    said = found(desk.app)
    assert WORD not in said
    assert NUMBER not in said
    assert said.count('"set": true') == len(OPTIONS)


def test_an_open_value_is_not_public():
    """A setting is public where it is a word of a list or a number between two others."""
    for option in OPTIONS:
        if option.public:
            for value in ("canary-4711", "https://canary", "/canary"):
                with pytest.raises((ValueError, KeyError)):
                    option.read(value)
    assert {option.name for option in OPTIONS if option.public and option.secret} == set()


@pytest.mark.parametrize("broken", ["gateway", "sync_run", "alembic_version"])
def test_what_cannot_be_read_is_said_in_a_word(full, broken):
    with closing(sqlite3.connect(full.app.extensions[EXTENSION].settings.sqlite_file)) as opened:
        opened.execute(f"ALTER TABLE {broken} RENAME TO canary")
    said = bundle(full.app)
    assert set(failed(said).values()) == {"storage_failed"}
    assert WORD not in json.dumps(said)


def test_a_lost_key_is_seen_in_it(full):
    full.app.extensions[EXTENSION].settings.sealing_file.unlink()
    again = create_app(full.app.extensions[EXTENSION].settings)
    said = bundle(again)
    assert said["keys"] == {"failed": "key_unavailable"}
    with again.app_context():
        db.engine.dispose()
    again.extensions[EXTENSION].stop()


def test_the_page_has_a_button_for_whoever_runs_it(full):
    page = full.program.get("/settings", headers=HTML).get_data(as_text=True)
    assert "Download diagnostics" in page
    answer = full.program.get("/settings/diagnostics", headers=HTML)
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=foliosync-diagnostics.json"
    )
    assert set(answer.json) == PARTS
    with full.app.app_context():
        db.session.add(User(name="other", folded="other", created_at=full.clock.now()))
        db.session.commit()
    of = full.app.extensions[EXTENSION]
    someone = Identity(user_id=2, name="other", kind=Kind.SESSION)
    full.app.extensions[EXTENSION] = replace(of, identify=lambda _: someone)
    assert full.program.get("/settings/diagnostics").status_code == 404
    page = full.program.get("/settings", headers=HTML).get_data(as_text=True)
    assert "Download diagnostics" not in page


def test_the_command_prints_it_or_writes_a_new_file(desk, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FOLIOSYNC_DATA_DIR", str(tmp_path))
    assert cli.main(["diagnostics"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == PARTS
    out = tmp_path / "out.json"
    with no_room(1_000):
        assert cli.main(["diagnostics", "--out", str(out)]) == 1
    assert "cannot be written: File too large" in capsys.readouterr().err
    # Half of it is not in the way of the whole.
    assert cli.main(["diagnostics", "--out", str(out)]) == 0
    assert set(json.loads(out.read_text())) == PARTS
    capsys.readouterr()
    assert cli.main(["diagnostics", "--out", str(out)]) == 1
    assert "cannot be written: File exists" in capsys.readouterr().err
    assert not re.search(r"Traceback", capsys.readouterr().err)
    with desk.app.app_context():
        db.engine.dispose()


def test_on_either_database_and_before_there_is_one(anywhere, tmp_path):
    assert bundle(anywhere.app)["database"]["kind"] in ("sqlite", "postgresql")
    settings = anywhere.app.extensions[EXTENSION].settings
    empty = replace(settings, database_url=f"sqlite:///{tmp_path / 'empty.db'}")
    app = create_app(empty)
    assert bundle(app)["database"] == {"failed": "storage_failed"}
    app.extensions[EXTENSION].stop()
    with app.app_context():
        db.engine.dispose()
