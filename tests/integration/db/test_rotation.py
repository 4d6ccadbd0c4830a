"""A new key for all secrets: killed at any step, beside a running server, on both databases."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, text

from portfolio import cli
from portfolio.app import create_app, prepare_database
from portfolio.connections.models import Target
from portfolio.db.base import db
from portfolio.db.keycheck import KeyCheck, hold_keys
from portfolio.db.keyfile import KeyFile
from portfolio.db.keysource import new_key
from portfolio.db.rotation import rotate
from portfolio.db.sealed import key_id, key_of
from portfolio.db.session import read_only, unit_of_work
from portfolio.settings import Settings
from portfolio.web.runtime import EXTENSION

COUNT = 120
STEPS = ("new key", "batch", "end", "former keys", "commit")
ROOT = Path(__file__).parents[3]
KILLED = """
import os, signal, sys
from portfolio.app import create_app
from portfolio.db.rotation import rotate
from portfolio.settings import Settings

name, left = sys.argv[1], [int(sys.argv[2])]

def step(of):
    if of == name:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

app = create_app(Settings.load())
runtime = app.extensions["foliosync"]
with app.app_context():
    rotate(runtime.sealer, runtime.clock.now(), step)
"""


class Killed(Exception):
    """Stands for the end of the process."""


def sealer(desk):
    return desk.app.extensions[EXTENSION].sealer


def file(desk):
    return KeyFile(desk.app.extensions[EXTENSION].settings.sealing_file)


def add(desk, *names):
    with unit_of_work() as session:
        hold_keys(session)
        for name in names:
            sealed = sealer(desk).seal(f"target:{name}:sealed", f"json://canary-{name}")
            now = desk.clock.now()
            session.add(Target(id=name, owner_id=1, kind="json", sealed=sealed, added_at=now))


def plant(desk, count=COUNT):
    with desk.app.app_context():
        add(desk, *map(str, range(count)))


def readable(desk, count=COUNT):
    """Everything can be read with the keys of the file."""
    with desk.app.app_context(), read_only() as session:
        rows = session.scalars(select(Target)).all()
        assert len(rows) == count
        for row in rows:
            opened = sealer(desk).unseal(f"target:{row.id}:sealed", row.sealed)
            assert opened == f"json://canary-{row.id}"
        return {key_of(row.sealed) for row in rows}


def check(desk, count=COUNT):
    """Everything can be read with one key, the only one there is."""
    (key,) = file(desk).read()
    assert readable(desk, count) == {key_id(key)}
    assert not file(desk).rotates()
    with desk.app.app_context(), read_only() as session:
        assert set(session.scalars(select(KeyCheck.key_id))) == {key_id(key)}


def run(desk, step=lambda _name: None):
    with desk.app.app_context():
        return rotate(sealer(desk), desk.clock.now(), step)


def killed_at(name, number=0):
    left = [number]

    def step(of):
        if of == name:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

    return step


def test_everything_is_sealed_anew_and_the_former_key_goes(anywhere):
    plant(anywhere)
    (former,) = file(anywhere).read()
    done = run(anywhere)
    assert (done.sealed, done.unreadable, done.removed) == (COUNT, 0, (key_id(former),))
    assert former not in file(anywhere).read()
    check(anywhere)


@pytest.mark.parametrize(
    ("name", "number"), [*((name, 0) for name in STEPS), ("batch", 1), ("batch", 2)]
)
def test_ended_at_any_step_it_goes_on_where_it_was(desk, name, number):
    plant(desk)
    former = file(desk).read()
    with pytest.raises(Killed):
        run(desk, killed_at(name, number))
    readable(desk)
    assert set(former) <= set(file(desk).read()) or name == "commit"
    left = {"batch": COUNT - number * 50, "end": 0, "former keys": 0}
    assert run(desk).sealed == left.get(name, COUNT)
    check(desk)


@pytest.mark.parametrize("name", ["batch", "former keys", "commit"])
def test_killed_for_real_nothing_is_lost(desk, name):
    plant(desk, 60)
    folder = desk.app.extensions[EXTENSION].settings.data_dir
    done = subprocess.run(
        [sys.executable, "-c", KILLED, name, "0"],
        env={"FOLIOSYNC_DATA_DIR": str(folder), "PATH": "/usr/bin:/bin"},
        cwd=ROOT,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    readable(desk, 60)
    run(desk)
    check(desk, 60)


def test_what_is_stored_meanwhile_can_be_read(anywhere):
    """A server seals and reads in the middle of it, with what it has in memory."""
    plant(anywhere)
    stop, names, failures = threading.Event(), [], []

    def serve():
        with anywhere.app.app_context():
            try:
                while not stop.is_set():
                    name = f"live{len(names)}"
                    add(anywhere, name)
                    names.append(name)
            except Exception as error:  # noqa: BLE001
                failures.append(error)

    settings = anywhere.app.extensions[EXTENSION].settings
    other = create_app(settings, clock=anywhere.clock)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        for _ in range(3):
            before = len(names)
            with other.app_context():
                rotate(other.extensions[EXTENSION].sealer, anywhere.clock.now())
            # Something was stored since the last round began.
            while len(names) == before and thread.is_alive():
                stop.wait(0.01)
    finally:
        stop.set()
        thread.join()
        with other.app_context():
            db.engine.dispose()
    assert failures == []
    run(anywhere)
    check(anywhere, COUNT + len(names))


def test_what_was_sealed_before_and_is_stored_meanwhile_keeps_the_former_key(anywhere):
    plant(anywhere, 3)
    with anywhere.app.app_context():
        late = sealer(anywhere).seal("target:late:sealed", "json://canary-late")

    steps = []

    def step(name):
        if name == "end" and name not in steps:
            with unit_of_work() as session:
                now = anywhere.clock.now()
                session.add(Target(id="late", owner_id=1, kind="json", sealed=late, added_at=now))
        steps.append(name)

    run(anywhere, step)
    assert steps.count("end") == 2
    check(anywhere, 4)


def test_what_cannot_be_opened_stays_and_stops_nothing(anywhere):
    plant(anywhere, 3)
    with anywhere.app.app_context(), unit_of_work() as session:
        row = session.get_one(Target, "1")
        row.sealed = row.sealed[:-6] + "AAAAA="
        lost = session.get_one(Target, "2")
        other = f"s1.{key_id(new_key())}.gAAAA"
        lost.sealed = other
    done = run(anywhere)
    assert (done.sealed, done.unreadable) == (1, 2)
    with anywhere.app.app_context(), read_only() as session:
        assert session.get_one(Target, "2").sealed == other


def test_keys_of_the_environment_are_used_and_not_changed(tmp_path):
    old, new = new_key(), new_key()
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_ENCRYPTION_KEYS": old}
    apps = []
    for keys in (old, f"{new},{old}"):
        app = create_app(Settings.load({**environ, "FOLIOSYNC_ENCRYPTION_KEYS": keys}))
        apps.append(app)
        prepare_database(app)
        runtime = app.extensions[EXTENSION]
        with app.app_context():
            if keys == old:
                with unit_of_work() as session:
                    sealed = runtime.sealer.seal("target:a:sealed", "json://a")
                    now = runtime.clock.now()
                    made = Target(id="a", owner_id=1, kind="json", sealed=sealed, added_at=now)
                    session.add(made)
            else:
                done = rotate(runtime.sealer, runtime.clock.now())
                assert (done.sealed, done.removed, done.key) == (1, (), key_id(new))
        runtime.stop()
    for app in apps:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def command(monkeypatch, capsys, desk, *words):
    folder = desk.app.extensions[EXTENSION].settings.data_dir
    monkeypatch.setenv("FOLIOSYNC_DATA_DIR", str(folder))
    assert cli.main(["key", *words]) == 0
    return capsys.readouterr().out


def test_the_command_says_what_is_there_and_what_it_did(desk, monkeypatch, capsys):
    plant(desk, 2)
    (key,) = file(desk).read()
    said = command(monkeypatch, capsys, desk)
    assert f"{key_id(key)}  in use, 2 secrets" in said
    assert str(file(desk).file) in said
    with pytest.raises(Killed):
        run(desk, killed_at("batch"))
    assert "A rotation has begun and is not over" in command(monkeypatch, capsys, desk)
    rotated = command(monkeypatch, capsys, desk, "rotate")
    assert "2 secrets sealed anew" in rotated
    assert f"Removed: {key_id(key)}." in rotated
    made = command(monkeypatch, capsys, desk, "new").strip()
    assert len(made) == 44
    (now,) = file(desk).read()
    file(desk).write([made])
    said = command(monkeypatch, capsys, desk, "status")
    assert f"{key_id(now)}  MISSING, 2 secrets" in said
    assert key not in said + rotated
    assert now not in said


def test_the_command_names_what_is_damaged_and_goes_on(desk, monkeypatch, capsys):
    plant(desk, 2)
    with desk.app.app_context(), unit_of_work() as session:
        session.execute(text("UPDATE target SET sealed = 'no box' WHERE id = '0'"))
    assert "1 secret that cannot be read: damaged" in command(monkeypatch, capsys, desk, "status")
    said = command(monkeypatch, capsys, desk, "rotate")
    assert "1 secret sealed anew" in said
    assert "1 secret could not be opened: enter them again on Settings." in said


def test_the_command_says_which_keys_of_the_environment_may_go(desk, monkeypatch, capsys):
    monkeypatch.setenv("FOLIOSYNC_ENCRYPTION_KEYS", f"{new_key()},{new_key()}")
    said = command(monkeypatch, capsys, desk, "rotate")
    assert "All others can be removed from FOLIOSYNC_ENCRYPTION_KEYS now." in said
