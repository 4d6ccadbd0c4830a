"""A key that is lost or another one is found out at start, and keeps nobody from the holdings."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from sqlalchemy import select

from portfolio.app import create_app, prepare_database, sealer_of
from portfolio.connections.models import Target
from portfolio.db.base import db
from portfolio.db.keycheck import KeyCheck, uses
from portfolio.db.keyfile import KeyFile
from portfolio.db.keysource import new_key
from portfolio.db.sealed import key_id
from portfolio.db.session import read_only, unit_of_work
from portfolio.errors import SetupProblem
from portfolio.settings import Settings
from portfolio.web.runtime import EXTENSION


def settings_of(desk):
    return desk.app.extensions[EXTENSION].settings


@pytest.fixture
def start():
    """Starts a program, and closes its database in the end."""
    started = []

    def begin(settings):
        app = create_app(settings, send=lambda title, body: 0)
        started.append(app)
        prepare_database(app)
        return app

    yield begin
    for app in started:
        app.extensions[EXTENSION].stop()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def plant(desk):
    """A sealed address, as a person would have entered it."""
    with desk.app.app_context(), unit_of_work() as session:
        sealer = desk.app.extensions[EXTENSION].sealer
        sealed = sealer.seal("target:a:sealed", "json://canary-4711")
        now = desk.clock.now()
        session.add(Target(id="a", owner_id=1, kind="json", sealed=sealed, added_at=now))


def checks(desk):
    with desk.app.app_context(), read_only() as session:
        return set(session.scalars(select(KeyCheck.key_id)))


def test_the_first_start_makes_a_key_outside_the_data_folder(anywhere, tmp_path):
    file = settings_of(anywhere).sealing_file
    assert file == tmp_path.with_name(f"{tmp_path.name}.key")
    (key,) = KeyFile(file).read()
    assert checks(anywhere) == {key_id(key)}


def test_the_same_key_is_taken_without_a_word(anywhere, caplog, start):
    plant(anywhere)
    with caplog.at_level(logging.INFO):
        start(settings_of(anywhere))
    assert "key" not in caplog.text


def test_a_lost_key_is_said_and_holdings_stay_readable(anywhere, caplog, start):
    url = anywhere.connected()
    plant(anywhere)
    settings = settings_of(anywhere)
    (former,) = KeyFile(settings.sealing_file).read()
    settings.sealing_file.unlink()
    caplog.clear()
    app = start(settings)
    assert f"the key {key_id(former)} is missing" in caplog.text
    assert "1 secret cannot be read" in caplog.text
    api = f"/api/v1{url.replace('/portfolio', '/portfolios')}/holdings"
    assert len(app.test_client().get(api).json["holdings"]) == 50
    (new,) = KeyFile(settings.sealing_file).read()
    assert checks(anywhere) == {key_id(former), key_id(new)}
    # Brought back, it opens what it has sealed, and nothing is missing.
    KeyFile(settings.sealing_file).write([new, former])
    caplog.clear()
    sealer = start(settings).extensions[EXTENSION].sealer
    assert "missing" not in caplog.text
    with app.app_context(), read_only() as session:
        sealed = session.scalars(select(Target.sealed)).one()
        assert uses(session) == {key_id(former): 1}
    assert sealer.unseal("target:a:sealed", sealed) == "json://canary-4711"


def test_a_lost_key_that_sealed_nothing_is_forgotten(anywhere, caplog, start):
    settings = settings_of(anywhere)
    settings.sealing_file.unlink()
    start(settings)
    assert "missing" not in caplog.text
    (new,) = KeyFile(settings.sealing_file).read()
    assert checks(anywhere) == {key_id(new)}


def test_where_no_key_can_be_made_the_program_starts_and_says_so(desk, tmp_path, caplog, start):
    settings = replace(settings_of(desk), key_file=str(tmp_path / "foliosync.db" / "none.key"))
    start(settings)
    assert "cannot be made" in caplog.text
    assert "FOLIOSYNC_KEY_FILE" in caplog.text


def test_a_word_that_was_exchanged_is_said(desk, caplog, start):
    with desk.app.app_context(), unit_of_work() as session:
        row = session.scalars(select(KeyCheck)).one()
        row.sealed = desk.app.extensions[EXTENSION].sealer.seal("target:a:sealed", "whole")
    start(settings_of(desk))
    assert "belongs to another place" in caplog.text


def test_a_file_that_others_may_read_is_refused_at_start(desk):
    settings = settings_of(desk)
    settings.sealing_file.chmod(0o644)
    with pytest.raises(SetupProblem, match="chmod 600"):
        create_app(settings)


def test_keys_of_the_environment_need_no_file(tmp_path, start):
    folder = tmp_path / "data"
    key = new_key()
    environ = {"FOLIOSYNC_DATA_DIR": str(folder), "FOLIOSYNC_ENCRYPTION_KEYS": f" {key}, {key} "}
    settings = Settings.load(environ)
    app = start(settings)
    assert not settings.sealing_file.exists()
    assert app.extensions[EXTENSION].sealer.ids() == (key_id(key),)
    assert key not in repr(settings)


def test_a_key_of_the_environment_that_is_none_is_refused_and_not_repeated():
    with pytest.raises(SetupProblem, match="ENCRYPTION_KEYS") as caught:
        Settings.load({"FOLIOSYNC_ENCRYPTION_KEYS": "canary-4711"})
    assert "canary" not in str(caught.value)


def test_a_named_file_is_used(tmp_path, start):
    settings = Settings.load(
        {
            "FOLIOSYNC_DATA_DIR": str(tmp_path / "data"),
            "FOLIOSYNC_KEY_FILE": str(tmp_path / "k" / "keys"),
        }
    )
    start(settings)
    assert sealer_of(settings).ids()
    assert (tmp_path / "k" / "keys").exists()
