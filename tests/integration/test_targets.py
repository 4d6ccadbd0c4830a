"""Addresses of one's own: entered, used, tested and removed, and never shown again."""

from __future__ import annotations

import logging
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from markupsafe import escape
from sqlalchemy import select, update

from portfolio.accounts.models import Account
from portfolio.app import create_app, prepare_database
from portfolio.connections.models import Gateway, Target
from portfolio.connections.telling import tell
from portfolio.db.base import db
from portfolio.db.keyfile import KeyFile
from portfolio.db.session import unit_of_work
from portfolio.users.models import User
from portfolio.web.identity import Identity, Kind
from portfolio.web.runtime import EXTENSION
from tests.integration.conftest import Desk, make_desk

CANARY = "canary-4711"
ADDRESS = f"ntfy://me:{CANARY}@192.168.7.7:9/{CANARY}"
OTHER = f"ntfys://{CANARY}.example/topic"
TARGETS = "/api/v1/notifications/targets"
TEST = "/api/v1/notifications/test"
HTML = {"Accept": "text/html"}


@dataclass
class Post:
    """Stands for Apprise: understands what has no “odd” in it, and keeps what it delivers."""

    works: bool = True
    sent: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    closed: list[tuple[str, int]] = field(default_factory=list)

    def deliver(self, urls, title, _body, closed):
        self.closed = closed
        if not self.works:
            raise OSError(f"{urls} did not answer")
        self.sent.append((tuple(urls), title))
        return len(urls)

    def understands(self, url):
        return "odd" not in url


def equip(app, post):
    of = app.extensions[EXTENSION]
    app.extensions[EXTENSION] = replace(of, deliver=post.deliver, understands=post.understands)


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def home(desk, post) -> Desk:
    equip(desk.app, post)
    return desk


@pytest.fixture
def anywhere_home(anywhere, post) -> Desk:
    equip(anywhere.app, post)
    return anywhere


def add(desk, address=ADDRESS):
    desk.turn(2)
    return desk.program.post(TARGETS, json={"address": address})


def need(desk):
    """An account of the desk needs its owner."""
    with desk.app.app_context(), unit_of_work() as session:
        session.execute(update(Account).values(attention_code="sync_rejected"))
    desk.turn(61)
    with desk.app.app_context():
        tell()


def test_an_address_is_stored_sealed_used_and_removed(anywhere_home, post):
    desk = anywhere_home
    made = add(desk)
    assert made.status_code == 201, made.json
    assert set(made.json) == {"id", "kind", "added_at", "readable"}
    assert (made.json["kind"], made.json["readable"]) == ("ntfy", True)
    assert desk.program.get(TARGETS).json == {"items": [made.json], "next_cursor": None}
    with desk.app.app_context():
        assert CANARY not in db.session.scalars(select(Target.sealed)).one()
    desk.connected()
    need(desk)
    assert post.sent == [((ADDRESS,), "Foliosync needs you: a sync was not applied")]
    answer = desk.program.post(TEST).json
    assert (answer["targets"], answer["taken"]) == (1, 1)
    assert desk.program.delete(f"{TARGETS}/{made.json['id']}").status_code == 204
    assert desk.program.get(TARGETS).json["items"] == []
    gone = desk.program.delete(f"{TARGETS}/{made.json['id']}")
    assert (gone.status_code, gone.json["error"]["code"]) == (404, "not_found")
    desk.turn(60)
    assert desk.program.post(TEST).status_code == 409


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "Exactly one"),
        (CANARY, "Exactly one"),
        (f"{ADDRESS}, {OTHER}", "Exactly one"),
        (f"ntfy://{'x' * 1000}", "Exactly one"),
        (f"ntfy://odd/{CANARY}", "does not understand"),
        (f"json://127.0.0.1:9/{CANARY}?method=DELETE", "only the operator"),
        (f"DBus://{CANARY}", "only the operator"),
        (f"foo://{CANARY}", "a kind that is not known"),
        (f"ntfy://{CANARY}/topic?attach=http://127.0.0.1", "after the question mark"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(home, caplog, address, says):
    caplog.set_level(logging.DEBUG)
    answer = add(home, address)
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "validation")
    assert says in answer.json["error"]["fields"]["address"]
    assert CANARY not in answer.get_data(as_text=True) + caplog.text


def test_an_address_is_there_once_and_there_are_not_many(home):
    assert add(home).status_code == 201
    assert add(home).status_code == 409
    for number in range(9):
        assert add(home, f"{OTHER}{number}").status_code == 201
    full = add(home, OTHER)
    assert (full.status_code, full.json["error"]["code"]) == (409, "conflict")
    assert "10 addresses" in full.json["error"]["message"]


def test_where_there_is_no_room_apprise_is_not_asked(home, post):
    for number in range(10):
        assert add(home, f"{OTHER}{number}").status_code == 201
    of = home.app.extensions[EXTENSION]
    home.app.extensions[EXTENSION] = replace(of, understands=None)
    assert add(home).status_code == 409
    assert add(home, f"{OTHER}3").status_code == 409


def test_apprise_is_asked_now_and_then_by_each_and_by_few_at_once(home, post):
    def ask():
        return home.program.post(TARGETS, json={"address": ADDRESS})

    of = home.app.extensions[EXTENSION]
    now = home.clock.now()
    with of.turns.adding(7, now), of.turns.adding(8, now):
        full = ask()
        assert (full.status_code, full.json["error"]["code"]) == (429, "too_many_requests")
        assert full.headers["Retry-After"] == "2"
    assert home.program.post(TARGETS, json={"address": "ntfys://odd/x"}).status_code == 422
    assert ask().status_code == 429
    home.turn(2)
    assert ask().status_code == 201
    with of.turns.testing(now), of.turns.testing(now):
        assert home.program.post(TEST).status_code == 429
    assert home.program.post(TEST).status_code == 200


def test_the_page_takes_them_and_shows_kinds_only(home, post):
    browser = home.app.test_client()
    page = browser.get("/settings", headers=HTML).get_data(as_text=True)
    token = re.search(r'name="form_token" value="([^"]+)"', page)[1]
    headers = {**HTML, "Origin": "http://localhost"}

    def send(path, **values):
        data = {"form_token": token, **values}
        answer = browser.post(path, data=data, headers=headers, follow_redirects=True)
        assert CANARY not in answer.get_data(as_text=True)
        return answer

    path = "/settings/notifications/targets"
    assert browser.post(path, data={"address": ADDRESS}, headers=headers).status_code == 403
    # A wrong one can be mended: it is in the form again, in this answer and in no other.
    for typed, why in ((f'{CANARY}"', "Exactly one address"), (f"foo://{CANARY}", "not known")):
        data = {"form_token": token, "address": typed}
        wrong = browser.post(path, data=data, headers=headers)
        assert (wrong.status_code, wrong.headers["Cache-Control"]) == (422, "no-store")
        text = wrong.get_data(as_text=True)
        assert why in text
        assert text.count(CANARY) == text.count(f'value="{escape(typed)}"') == 1
        assert CANARY not in browser.get("/settings", headers=HTML).get_data(as_text=True)
    added = send(path, address=ADDRESS).get_data(as_text=True)
    assert "The address (ntfy) was stored." in added
    assert "<strong>1 target</strong>" in added
    twice = send(path, address=ADDRESS)
    assert twice.status_code == 422
    tested = send("/settings/notifications/test").get_data(as_text=True)
    assert "The test message was sent to 1 target." in tested
    (target,) = home.program.get(TARGETS).json["items"]
    removed = send(f"{path}/{target['id']}/remove").get_data(as_text=True)
    assert "The address was removed." in removed
    assert "Send a test message" not in removed


def test_gateways_of_everybody_are_closed_to_addresses_of_people(home, post):
    add(home)
    with home.app.app_context(), unit_of_work() as session:
        now = home.clock.now()
        other = User(name="other", folded="other", created_at=now)
        session.add(other)
        session.flush()
        theirs = "https://10.0.0.7:5001"
        session.add(
            Gateway(
                owner_id=other.id,
                broker="ibkr",
                address=theirs,
                login_address="https://login.example:5002",
                created_at=now,
            )
        )
    assert home.program.post(TEST).json["taken"] == 1
    assert {("10.0.0.7", 5001), ("login.example", 5002), ("127.0.0.1", 5000)} <= set(post.closed)


def test_an_address_that_is_allowed_no_longer_is_not_used(home, post):
    add(home)
    of = home.app.extensions[EXTENSION]
    with home.app.app_context(), unit_of_work() as session:
        row = session.scalars(select(Target)).one()
        row.sealed = of.sealer.seal(f"target:{row.id}:sealed", f"json://127.0.0.1/{CANARY}")
    assert home.program.get(TARGETS).json["items"][0]["readable"] is False
    assert home.program.post(TEST).status_code == 409
    assert post.sent == []


def test_what_a_target_raises_goes_nowhere(home, post, caplog):
    caplog.set_level(logging.DEBUG)
    add(home)
    home.connected()
    post.works = False
    need(home)
    answer = home.program.post(TEST)
    assert answer.json["message"] == "No target took the test message."
    assert CANARY not in caplog.text + answer.get_data(as_text=True)
    assert caplog.text.count("could not be sent") == 1


def someone(user_id):
    return Identity(user_id=user_id, name="other", kind=Kind.SESSION)


def test_another_person_has_targets_of_their_own(home, post):
    add(home)
    with home.app.app_context(), unit_of_work() as session:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        other = User(name="other", folded="other", created_at=now)
        session.add(other)
        session.flush()
        number = other.id
    of = home.app.extensions[EXTENSION]
    home.app.extensions[EXTENSION] = replace(of, identify=lambda _: someone(number))
    assert home.program.get(TARGETS).json["items"] == []
    assert add(home).status_code == 201
    home.app.extensions[EXTENSION] = of
    (mine,) = home.program.get(TARGETS).json["items"]
    home.app.extensions[EXTENSION] = replace(of, identify=lambda _: someone(number))
    assert home.program.delete(f"{TARGETS}/{mine['id']}").status_code == 404


def test_those_of_the_environment_are_the_first_users(tmp_path, post):
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_NOTIFY_URLS": OTHER}
    for desk in make_desk(environ, send=lambda _title, _body: 1):
        equip(desk.app, post)
        add(desk)
        assert desk.program.post(TEST).json["targets"] == 2
        desk.turn(60)
        page = desk.program.get("/settings", headers=HTML).get_data(as_text=True)
        assert "1 of them set by FOLIOSYNC_NOTIFY_URLS" in page
        with desk.app.app_context(), unit_of_work() as session:
            session.add(User(name="other", folded="other", created_at=desk.clock.now()))
            session.flush()
        of = desk.app.extensions[EXTENSION]
        desk.app.extensions[EXTENSION] = replace(of, identify=lambda _: someone(2))
        assert desk.program.post(TEST).status_code == 409


def test_a_lost_key_asks_for_the_address_again(home, post, caplog):
    add(home)
    url = home.connected()
    settings = home.app.extensions[EXTENSION].settings
    settings.sealing_file.unlink()
    again = create_app(settings, clock=home.clock)
    equip(again, post)
    prepare_database(again)
    program = again.test_client(use_cookies=False)
    (target,) = program.get(TARGETS).json["items"]
    assert target["readable"] is False
    page = program.get("/settings", headers=HTML).get_data(as_text=True)
    assert "cannot be read any more: remove it, and enter it again" in page
    assert program.post(TEST).status_code == 409
    assert program.get(url, headers=HTML).status_code == 200
    assert program.post(TARGETS, json={"address": ADDRESS}).status_code == 201
    assert program.post(TEST).json["taken"] == 1
    with again.app_context():
        db.session.remove()
        db.engine.dispose()
    again.extensions[EXTENSION].stop()
    assert len(KeyFile(settings.sealing_file).read()) == 1


def test_a_swapped_address_is_not_used(home, post):
    add(home)
    add(home, OTHER)
    file = home.app.extensions[EXTENSION].settings.sqlite_file
    with closing(sqlite3.connect(file)) as opened, opened:
        (one, first), (two, second) = opened.execute("SELECT id, sealed FROM target").fetchall()
        opened.execute("UPDATE target SET sealed = ? WHERE id = ?", (second, one))
        opened.execute("UPDATE target SET sealed = ? WHERE id = ?", (first, two))
    assert home.program.post(TEST).status_code == 409
    assert post.sent == []
    items = home.program.get(TARGETS).json["items"]
    assert [each["readable"] for each in items] == [False, False]
