"""Told, not only shown: one message when a person is needed, and one when it is well again."""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import event, select, update

from portfolio.accounts.models import Account
from portfolio.app import create_app, prepare_database
from portfolio.connections.models import Connection, Messenger, Told
from portfolio.connections.telling import CLAIM, tell
from portfolio.db.base import db
from portfolio.db.session import unit_of_work
from portfolio.errors import StorageFailed
from tests.integration.conftest import MAIN, Desk, make_desk

CANARY = "canary-4711"
URLS = f"json://bot:{CANARY}@127.0.0.1:9/{CANARY}, ntfy://{CANARY}"
P = "/api/v1/portfolios"
TEST = "/api/v1/notifications/test"


@dataclass
class Post:
    """A sender that keeps what it sends, as long as it works."""

    works: bool = True
    sent: list[tuple[str, str]] = field(default_factory=list)
    tried: int = 0

    def __call__(self, title: str, body: str) -> int:
        self.tried += 1
        assert not db.session.registry.has() or not db.session().in_transaction()
        if self.works:
            self.sent.append((title, body))
        return 2 if self.works else 0

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.sent]


@dataclass
class Office:
    """A desk whose owner wants to be told."""

    desk: Desk
    post: Post

    def tell(self, seconds: float = 61) -> None:
        self.desk.turn(seconds)
        with self.desk.app.app_context():
            tell()

    def attention(self, **codes: str | None) -> None:
        """What accounts need a person for, as syncs of theirs would store it."""
        with self.desk.app.app_context(), unit_of_work() as session:
            for name, code in codes.items():
                named = update(Account).where(Account.name == name)
                session.execute(named.values(attention_code=code))

    def rows(self) -> dict[str, str]:
        with self.desk.app.app_context():
            return dict(list(db.session.execute(select(Told.subject, Told.code))))


def office(tmp_path, url=None, urls=URLS):
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_NOTIFY_URLS": urls}
    if url is not None:
        environ["FOLIOSYNC_DATABASE_URL"] = url
    post = Post()
    for desk in make_desk(environ, send=post):
        yield Office(desk=desk, post=post)


@pytest.fixture
def told(tmp_path):
    yield from office(tmp_path)


@pytest.fixture
def told_anywhere(tmp_path, database_url):
    yield from office(tmp_path, database_url)


def test_a_lost_sign_in_is_told_once_and_its_return_once(told_anywhere):
    desk, post = told_anywhere.desk, told_anywhere.post
    url = desk.connected()
    told_anywhere.tell()
    assert post.sent == []
    desk.simulator.sign_out()
    assert desk.sync(url).status_code == 409
    for _ in range(3):
        told_anywhere.tell()
    assert post.titles == ["Foliosync needs you: sign in again"]
    assert "“A”" in post.sent[0][1]
    desk.sync(url)
    told_anywhere.tell()
    desk.simulator.sign_in()
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    for _ in range(3):
        told_anywhere.tell()
    assert post.titles[1:] == ["Foliosync: well again"]
    desk.turn(600)
    desk.sync(url)
    desk.simulator.sign_out()
    desk.sync(url)
    told_anywhere.tell()
    assert len(post.sent) == 3


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_database_that_fails_is_one_of_the_troubles_we_know(told, number):
    """Who runs the task says it in a line then, without what the database said."""
    told.desk.connected()
    told.attention(A="sync_rejected")
    left = [number]

    def failing(*_statement):
        left[0] -= 1
        if left[0] == 0:
            raise sqlite3.OperationalError("disk I/O error")

    with told.desk.app.app_context():
        engine = db.engine
    event.listen(engine, "do_execute", failing)
    try:
        with pytest.raises(StorageFailed):
            told.tell()
    finally:
        event.remove(engine, "do_execute", failing)
    told.tell()
    assert told.post.titles == ["Foliosync needs you: a sync was not applied"]


def test_a_restart_repeats_nothing(told, tmp_path):
    url = told.desk.connected()
    told.attention(A="sync_rejected")
    told.tell()
    of = told.desk.app.extensions["foliosync"]
    again = create_app(of.settings, clock=told.desk.clock, send=told.post)
    prepare_database(again)
    told.desk.turn(3600)
    with again.app_context():
        tell()
        db.session.remove()
        db.engine.dispose()
    again.extensions["foliosync"].stop()
    assert len(told.post.sent) == 1
    assert url


def test_what_could_not_be_sent_is_tried_again_with_pauses_and_logged_once(told, caplog):
    caplog.set_level(logging.INFO, "portfolio")
    told.desk.connected()
    told.attention(A="sync_rejected")
    told.post.works = False
    tries = []
    for _ in range(4 * 60 * 3):
        before = told.post.tried
        told.tell(15)
        tries.append(told.post.tried - before)
    # After 1, 2, 4, 8, 16, 32 and 60 minutes, and so on each hour.
    assert sum(tries) == 8
    assert told.rows() == {}
    told.post.works = True
    for _ in range(5):
        told.tell(3601)
    assert told.post.titles == ["Foliosync needs you: a sync was not applied"]
    ours = [r.getMessage() for r in caplog.records if r.name.endswith("telling")]
    assert ours == [
        "a message could not be sent; it is tried again with growing pauses",
        "a message was sent, after 8 attempts in vain",
    ]


def test_what_heals_before_it_could_be_sent_is_not_told(told):
    told.desk.connected()
    told.attention(A="sync_rejected")
    told.post.works = False
    told.tell()
    told.attention(A=None)
    told.post.works = True
    told.tell(3600)
    assert told.post.sent == []


def test_a_well_again_that_could_not_be_sent_is_not_lost(told):
    told.desk.connected()
    told.attention(A="sync_rejected")
    told.tell()
    told.attention(A=None)
    told.post.works = False
    told.tell()
    told.post.works = True
    told.tell(3600)
    told.tell(3600)
    assert told.post.titles[1:] == ["Foliosync: well again"]
    assert told.rows() == {}


def test_a_sender_that_raises_is_a_message_that_was_not_sent(told, caplog):
    told.desk.connected()
    told.attention(A="sync_rejected")

    def broken(title: str, body: str) -> int:
        raise RuntimeError(f"no way to {URLS}")

    app = told.desk.app
    whole = app.extensions["foliosync"]
    app.extensions["foliosync"] = replace(whole, send=broken)
    told.tell()
    assert CANARY not in caplog.text
    app.extensions["foliosync"] = whole
    told.tell(121)
    assert len(told.post.sent) == 1


def second(desk, name="B"):
    """Another account through the same gateway."""
    desk.program.post(f"{P}/1/accounts", json={"name": name, "currency": "USD"})
    desk.turn()
    url = f"/portfolio/1/accounts/{name}"
    assert desk.program.post(f"{url}/connect/ibkr", json={"account_id": "U7654321"}).json
    return url


def test_several_needs_at_once_are_one_message_and_soon_after_the_next(told):
    told.desk.connected()
    second(told.desk)
    told.attention(A="sync_rejected", B="not_reconciled")
    told.tell()
    ((title, body),) = told.post.sent
    assert title == "Foliosync needs you"
    assert ("“A”" in body, "“B”" in body) == (True, True)
    told.attention(A=None)
    told.tell(15)
    told.attention(B=None)
    told.tell(15)
    assert len(told.post.sent) == 1
    told.tell(60)
    ((title, body),) = told.post.sent[1:]
    assert title == "Foliosync: well again"
    assert body.count("is well again.") == 2


def test_who_disconnects_is_not_told_of_it(told):
    url = told.desk.connected()
    told.attention(A="not_authenticated")
    told.tell()
    assert told.rows() == {"gateway:1": "not_authenticated"}
    told.desk.program.post(f"{url}/disconnect")
    told.tell()
    assert told.rows() == {}
    assert len(told.post.sent) == 1


def test_without_targets_nothing_is_sent_nor_written(tmp_path):
    for made in office(tmp_path, urls=""):
        made.desk.connected()
        made.attention(A="sync_rejected")
        made.tell()
        assert (made.post.tried, made.rows()) == (0, {})


def test_two_processes_never_send_the_same(told_anywhere):
    desk, post = told_anywhere.desk, told_anywhere.post
    desk.connected()
    told_anywhere.attention(A="sync_rejected")
    desk.turn(61)
    start = threading.Barrier(6)

    def process() -> None:
        start.wait()
        with desk.app.app_context():
            tell()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(process) for _ in range(6)]:
            done.result()
    assert post.tried == 1


def test_a_process_that_died_while_it_sent_is_waited_for_only_so_long(told):
    told.desk.connected()
    told.attention(A="sync_rejected")
    with told.desk.app.app_context(), unit_of_work() as session:
        claimed = told.desk.clock.now() + CLAIM
        session.execute(update(Messenger).values(until=claimed))
    told.tell(CLAIM.total_seconds() - 1)
    assert told.post.tried == 0
    told.tell(2)
    assert len(told.post.sent) == 1


def test_no_amount_no_account_number_and_no_address_leaves_or_is_logged(told, caplog):
    caplog.set_level(logging.DEBUG)
    desk = told.desk
    url = desk.connected()
    desk.program.patch(f"{P}/1/accounts/A", json={"name": f"Mine {MAIN} x", "notes": "n"})
    secret = {CANARY, MAIN}
    holdings = desk.holdings(f"/portfolio/1/accounts/Mine {MAIN} x")
    figures = {row["market_value"] for row in holdings["holdings"]}
    figures |= {row["amount"] for row in holdings["cash"]} | {holdings["totals"]["cash"]}
    secret |= {each for each in figures if each and len(each) > 3}
    assert len(secret) > 20
    for code in ("not_authenticated", "certificate_changed", "broker_account_missing", None):
        told.attention(**{f"Mine {MAIN} x": code})
        told.tell()
    for code in ("sync_rejected", "not_reconciled", "not_a_gateway", "address_not_allowed"):
        told.attention(**{f"Mine {MAIN} x": code})
        told.tell()
    assert desk.program.post(TEST).status_code == 200
    said = "\n".join([*(f"{title}\n{body}" for title, body in told.post.sent), caplog.text])
    assert len(told.post.sent) >= 8
    assert [each for each in secret if each in said] == []
    assert "“Mine … x”" in said
    assert url


def test_each_place_a_message_names_is_there(told):
    told.desk.connected()
    told.attention(A="sync_rejected")
    told.tell()
    told.attention(A="not_authenticated")
    told.tell()
    bodies = "\n".join(body for _, body in told.post.sent)
    places = set(re.findall(r"open (/\S*)\.", bodies))
    assert len(places) == 2
    for place in places:
        assert told.desk.program.get(place, headers={"Accept": "text/html"}).status_code == 200


def test_a_sign_in_that_comes_and_goes_is_told_once(told):
    url = told.desk.connected()
    for _ in range(5):
        told.desk.simulator.sign_out()
        told.desk.sync(url)
        told.tell()
        told.desk.simulator.sign_in()
        told.desk.sync(url)
        told.tell()
    assert told.post.titles == [
        "Foliosync needs you: sign in again",
        "Foliosync: well again",
    ]
    told.desk.simulator.sign_out()
    for _ in range(5):
        told.desk.sync(url)
        told.tell(301)
    assert told.post.titles[2:] == ["Foliosync needs you: sign in again"]


def test_what_is_paused_does_not_keep_its_gateway_in_trouble(told):
    told.desk.connected()
    second(told.desk)
    told.attention(A="not_authenticated", B="not_authenticated")
    told.tell()
    with told.desk.app.app_context(), unit_of_work() as session:
        broker_account = Connection.broker_account == "U7654321"
        session.execute(update(Connection).where(broker_account).values(sync_enabled=False))
    told.attention(A=None)
    told.tell()
    assert told.post.titles[1:] == ["Foliosync: well again"]


def test_a_test_message_says_who_took_it(told):
    program = told.desk.program
    answer = program.post(TEST)
    assert answer.json == {
        "targets": 2,
        "taken": 2,
        "message": "The test message was sent to 2 targets.",
        "remedy": None,
    }
    told.desk.turn(5)
    told.post.works = False
    answer = program.post(TEST).json
    assert (answer["taken"], answer["message"]) == (0, "No target took the test message.")
    assert "FOLIOSYNC_NOTIFY_URLS" in answer["remedy"]


def test_test_messages_rest_between_each_other(told):
    assert told.desk.program.post(TEST).status_code == 200
    again = told.desk.program.post(TEST)
    assert (again.status_code, again.json["error"]["code"]) == (429, "too_many_requests")
    assert again.headers["Retry-After"] == "5"
    assert told.post.titles == ["Foliosync: test"]
    told.desk.turn(5)
    assert told.desk.program.post(TEST).status_code == 200


def test_without_targets_there_is_nobody_to_test(desk):
    answer = desk.program.post(TEST)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "conflict")
    page = desk.program.get("/settings", headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "Send a test message" not in page
    assert "Add an address to be told" in page


def test_the_settings_page_tests_and_shows_no_address(told):
    browser, html = told.desk.program, {"Accept": "text/html"}
    page = browser.get("/settings", headers=html).get_data(as_text=True)
    assert "<strong>2 targets</strong>" in page
    token = re.search(r'name="form_token" value="([^"]+)"', page)[1]
    headers = {**html, "Origin": "http://localhost"}
    path = "/settings/notifications/test"
    assert browser.post(path, headers=headers).status_code == 403
    sent = browser.post(path, data={"form_token": token}, headers=headers, follow_redirects=True)
    after = sent.get_data(as_text=True)
    assert "The test message was sent to 2 targets." in after
    assert CANARY not in page + after
    again = browser.post(path, data={"form_token": token}, headers=headers)
    assert again.status_code == 429
    assert "Try again in a few seconds." in again.get_data(as_text=True)
