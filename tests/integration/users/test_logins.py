"""Signing in and out: what a login is, how it ends, and what it is bound to."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from time import monotonic

import pytest
from sqlalchemy import text

from portfolio.app import create_app
from portfolio.db.base import db
from portfolio.db.session import BUSY_TIMEOUT_MS
from portfolio.settings import Settings
from portfolio.users.passwords import Passwords
from portfolio.web.runtime import EXTENSION
from tests.integration.conftest import CHEAP, guarded_by, make_desk
from tests.integration.users.people import ANNA, BEN, COOKIE, PASSWORD, Browser, person, untimed


@pytest.fixture
def anna(guarded):
    person(guarded.app)
    return Browser(guarded.app)


def stored(desk, statement):
    with desk.app.app_context(), db.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def test_somebody_signs_in_and_out_and_the_old_cookie_is_worth_nothing(guarded, anna):
    assert not anna.is_in
    assert anna.sign_in().status_code == 303
    assert anna.is_in
    page = anna.get("/").get_data(as_text=True)
    assert "Sign out" in page
    assert ">Anna<" in page
    replayed = anna.cookie()
    assert anna.post("/logout", "/").headers["Location"] == "/login"
    assert anna.cookie() is None
    anna.client.set_cookie(COOKIE, replayed)
    assert not anna.is_in


def test_the_api_s_page_is_offered_to_whoever_may_see_it(guarded, anna, desk):
    link = '<a href="/api">API</a>'
    for path in ("/login", "/login/first", "/nothing"):
        assert link not in anna.get(path).get_data(as_text=True), path
    anna.sign_in()
    for path in ("/", "/nothing"):
        assert link in anna.get(path).get_data(as_text=True), path
    # Where nobody has to sign in, it is there for everybody.
    assert link in desk.program.get("/nothing", headers={"Accept": "text/html"}).text


def test_a_wrong_password_and_an_unknown_name_look_the_same(guarded, anna):
    answers = [
        anna.sign_in(name=name, password="wrong wrong wrong") for name in (ANNA, "nobody", "\x00")
    ]
    texts = [re.sub(r'value="[^"]*"', "", answer.get_data(as_text=True)) for answer in answers]
    assert {answer.status_code for answer in answers} == {422}
    assert "The user name or the password is wrong." in texts[0]
    assert len(set(texts)) == 1
    assert not anna.is_in


def test_names_are_found_in_whichever_case(alone):
    anna = Browser(alone.app)
    assert anna.sign_in(name="aNNA").status_code == 303


def test_what_a_cookie_holds_is_not_what_is_stored(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    secret = anna.cookie()
    assert len(secret) >= 43
    rows = stored(alone, "SELECT * FROM login_session")
    assert len(rows) == 1
    assert secret not in str(rows)
    assert PASSWORD not in str(stored(alone, 'SELECT * FROM "user"'))


def test_each_login_has_a_new_id_whatever_the_browser_brings(alone):
    anna = Browser(alone.app)
    anna.client.set_cookie(COOKIE, "chosen-by-an-attacker")
    anna.sign_in()
    first = anna.cookie()
    anna.post("/logout", "/")
    anna.sign_in()
    assert len({first, anna.cookie(), "chosen-by-an-attacker"}) == 3


def test_a_page_does_not_wait_for_a_long_write_to_note_that_somebody_was_there(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    seen, patience = "SELECT seen_at FROM login_session", "PRAGMA busy_timeout"
    before = stored(alone, seen)
    alone.turn(61)
    with alone.app.app_context():
        file = db.engine.url.database
    with closing(sqlite3.connect(file, isolation_level=None)) as writing:
        writing.execute("BEGIN IMMEDIATE")
        began = monotonic()
        assert anna.is_in
        # It would be ten seconds.
        assert monotonic() - began < BUSY_TIMEOUT_MS / 2_000
        assert stored(alone, seen) == before
        # Who writes something else waits as long as ever.
        assert stored(alone, patience) == [(BUSY_TIMEOUT_MS,)]
    assert anna.is_in
    assert stored(alone, seen) != before


@pytest.mark.parametrize(
    ("https", "name"), [(False, "foliosync_login"), (True, "__Host-foliosync_login")]
)
def test_the_cookie_is_for_our_pages_only(alone, https, name):
    anna = Browser(alone.app, https=https)
    lines = anna.sign_in().headers.getlist("Set-Cookie")
    (line,) = [line for line in lines if line.startswith(f"{name}=")]
    for part in ("HttpOnly", "Path=/", "SameSite=Strict", "Max-Age=604800"):
        assert part in line
    assert ("Secure" in line) is https
    assert "Domain" not in line
    assert anna.is_in


def test_behind_https_a_cookie_of_the_plain_name_signs_nobody_in(alone):
    plain, safe = Browser(alone.app), Browser(alone.app, https=True)
    plain.sign_in()
    safe.client.set_cookie(COOKIE, plain.cookie(), secure=True)
    assert not safe.is_in


def test_a_login_ends_eight_hours_after_the_last_request(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    for _ in range(3):
        alone.turn(7.9 * 3600)
        assert anna.is_in
    alone.turn(8 * 3600)
    assert not anna.is_in


def test_a_login_ends_after_seven_days_in_any_case(guarded, anna):
    anna.sign_in()
    for _ in range(23):
        guarded.turn(7 * 3600)
        assert anna.is_in
    guarded.turn(7 * 3600)
    assert not anna.is_in
    anna.sign_in()
    assert stored(guarded, "SELECT count(*) FROM login_session") == [(1,)]


def test_reading_writes_at_most_once_a_minute(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    seen = "SELECT seen_at FROM login_session"
    before = stored(alone, seen)
    alone.turn(59)
    anna.get("/")
    assert stored(alone, seen) == before
    alone.turn(1)
    anna.get("/")
    assert stored(alone, seen) != before


def test_limits_are_settings(environ):
    more = {"FOLIOSYNC_LOGIN_IDLE": "5", "FOLIOSYNC_LOGIN_LONGEST": "1"}
    for desk in make_desk(environ | more, passwords=CHEAP):
        person(desk.app)
        anna = Browser(desk.app)
        anna.sign_in()
        desk.turn(300)
        assert not anna.is_in
        anna.sign_in()
        for _ in range(15):
            desk.turn(240)
            inside = anna.is_in
        assert not inside


@pytest.fixture
def second(guarded, anna, database_url, tmp_path):
    """Another process on the same database."""
    settings = Settings.load(guarded_by(database_url, tmp_path))
    app = create_app(settings, clock=guarded.clock, network=guarded.network, passwords=CHEAP)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def elsewhere(app, browser):
    """The same browser at another process."""
    there = Browser(app)
    there.client.set_cookie(COOKIE, browser.cookie())
    return there


def test_a_login_of_one_process_counts_and_ends_in_the_other(guarded, anna, second):
    anna.sign_in()
    there = elsewhere(second, anna)
    assert there.is_in
    anna.post("/logout", "/")
    assert not there.is_in


def test_a_change_of_the_password_ends_every_other_login_in_every_process(guarded, anna, second):
    anna.sign_in()
    other = Browser(second)
    other.sign_in()
    before = anna.cookie()
    answer = anna.post(
        "/settings/account/password",
        "/settings/account",
        current=PASSWORD,
        new="another long password",
    )
    assert answer.status_code == 303
    assert anna.is_in
    assert anna.cookie() != before
    assert not other.is_in
    assert other.sign_in().status_code == 422
    assert other.sign_in(password="another long password").status_code == 303
    anna.client.set_cookie(COOKIE, before)
    assert not anna.is_in


REFUSED = [
    ("wrong", "another long password", "current", "This is not the password."),
    (PASSWORD, "short", "new", "at least 12 characters"),
    (PASSWORD, "x" * 257, "new", "at most 256 characters"),
    (PASSWORD, "control \x07 character", "new", "no control characters"),
]


def test_a_password_that_cannot_be_is_refused_and_nobody_signed_out(alone):
    anna, page = Browser(alone.app), "/settings/account"
    anna.sign_in()
    for current, new, field, why in REFUSED:
        answer = anna.post(f"{page}/password", page, current=current, new=new)
        shown = answer.get_data(as_text=True)
        assert answer.status_code == 422
        assert re.search(rf'id="d-{field}" class="problem">[^<]*{why}', shown)
        assert PASSWORD not in shown
    assert anna.is_in


def test_logins_are_listed_and_ended_one_by_one_or_all(guarded, anna):
    anna.sign_in()
    phone = Browser(guarded.app, address="192.0.2.7")
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604.1"
    phone.client.environ_base["HTTP_USER_AGENT"] = agent
    phone.sign_in()
    page = anna.get("/settings/account").get_data(as_text=True)
    for said in ("Safari on iPhone", "192.0.2.7", "this browser"):
        assert said in page
    (path,) = set(re.findall(r"/settings/account/logins/\d+/end", page))
    assert anna.post(path, "/settings/account").status_code == 303
    assert not phone.is_in
    assert anna.is_in
    phone.sign_in()
    anna.post("/settings/account/logins/end", "/settings/account")
    assert not phone.is_in
    assert not anna.is_in


def test_the_logins_of_somebody_else_are_not_there(guarded, anna):
    person(guarded.app, BEN)
    ben = Browser(guarded.app)
    ben.sign_in(BEN)
    anna.sign_in()
    (number,) = stored(guarded, "SELECT min(id) FROM login_session")
    foreign = anna.post(f"/settings/account/logins/{number[0]}/end", "/settings/account")
    unknown = anna.post("/settings/account/logins/99/end", "/settings/account")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert untimed(foreign.data) == untimed(unknown.data)
    assert ben.is_in


def test_a_form_of_before_the_login_or_of_another_login_is_refused(alone):
    anna = Browser(alone.app)
    before = anna.token("/login")
    anna.sign_in()
    path, form = "/portfolio/new", {"name": "P", "base_currency": "USD"}

    def send(token):
        return anna.open(path, "POST", data={**form, "form_token": token}).status_code

    first, cookies = anna.token(path), anna.client.get_cookie("foliosync").value
    assert send(before) == 403
    anna.post("/logout", path)
    anna.sign_in()
    # Even with the signed cookie that belongs to it.
    anna.client.set_cookie("foliosync", cookies)
    assert send(first) == 403
    assert send(anna.token(path)) == 303


def test_the_signed_cookie_alone_signs_nobody_in(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    anna.client.delete_cookie(COOKIE)
    assert not anna.is_in


@pytest.mark.parametrize("form", ["Origin", "nothing"])
def test_a_cookie_alone_drives_no_api(alone, form):
    anna = Browser(alone.app)
    anna.sign_in()
    program = alone.app.test_client()
    program.set_cookie(COOKIE, anna.cookie())
    headers = {"Origin": "http://localhost"} if form == "Origin" else {}
    body = {"name": "P", "base_currency": "USD"}
    assert program.post("/api/v1/portfolios", json=body, headers=headers).status_code == 403


NEXT = [
    ("/connections", "/connections"),
    ("/rates?from=EUR", "/rates?from=EUR"),
    ("//evil.example", "/"),
    ("/\\evil.example", "/"),
    ("https://evil.example/", "/"),
    ("javascript:alert(1)", "/"),
    ("/\tx", "/"),
    ("/nothing-of-ours", "/"),
    ("/logout", "/"),
    ("", "/"),
]


def test_after_the_login_only_a_page_of_ours_is_shown(alone):
    for wanted, shown in NEXT:
        anna = Browser(alone.app)
        assert anna.sign_in(next=wanted).headers["Location"] == shown
        again = anna.get("/login", query_string={"next": wanted})
        assert again.headers["Location"] == shown


def test_a_browser_is_led_to_the_login_and_back(alone):
    anna = Browser(alone.app)
    answer = anna.get("/rates?from=EUR")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/login?next=/rates?from%3DEUR"
    page = anna.get(answer.headers["Location"]).get_data(as_text=True)
    assert 'name="next" value="/rates?from=EUR"' in page
    assert anna.open("/portfolio/new", "POST").headers["Location"] == "/login"


def test_a_fragment_leads_the_whole_page_to_the_login(alone):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/connections?a=b"}
    answer = Browser(alone.app).get("/instruments/offered", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login?next=/connections?a%3Db"
    headers["HX-Current-URL"] = "http://[broken"
    answer = Browser(alone.app).get("/instruments/offered", headers=headers)
    assert answer.headers["HX-Redirect"] == "/login"


def test_a_login_is_used_by_one_person_only_and_nothing_is_cached(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    for path in ("/", "/api/v1/portfolios", "/settings/account", "/login"):
        assert anna.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/login", "/login/first", "/settings/account"])
def test_without_logins_there_are_no_such_pages(desk, path):
    assert desk.program.get(path).status_code == 404
    assert "Sign out" not in desk.program.get("/", headers={"Accept": "text/html"}).text


def test_a_hash_of_weaker_parameters_is_renewed_at_the_next_login(alone):
    of = alone.app.extensions[EXTENSION]
    stronger = Passwords(passes=2, kibibytes=16)
    alone.app.extensions[EXTENSION] = replace(of, passwords=stronger)
    hashes = 'SELECT password_hash FROM "user"'
    (before,) = stored(alone, hashes)
    Browser(alone.app).sign_in(password="wrong wrong wrong")
    assert stored(alone, hashes) == [before]
    for _ in range(2):
        anna = Browser(alone.app)
        assert anna.sign_in().status_code == 303
        assert anna.is_in
    (after,) = stored(alone, hashes)
    assert before[0].startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert after[0].startswith("$argon2id$v=19$m=16,t=2,p=1$")
