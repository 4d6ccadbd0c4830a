"""Guessing: counted per user, per address and in all, in the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from portfolio.app import create_app
from portfolio.db.base import db
from portfolio.errors import TooManyRequests
from portfolio.settings import Settings
from portfolio.users.passwords import Passwords
from portfolio.users.throttle import attempt, network_of
from tests.integration.conftest import CHEAP, guarded_by, make_desk
from tests.integration.users.people import ANNA, BEN, PASSWORD, Browser, person

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WRONG = "wrong wrong wrong"


@pytest.fixture
def people(guarded):
    person(guarded.app)
    person(guarded.app, BEN)
    return guarded


def tries(browser, times, name=ANNA, password=WRONG):
    return [browser.sign_in(name, password).status_code for _ in range(times)]


def count(app):
    with app.app_context(), db.engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM login_attempt")).scalar_one()


def test_after_ten_failures_even_the_right_password_waits(people):
    anna = Browser(people.app)
    assert tries(anna, 10) == [422] * 10
    people.turn(100)
    refused = anna.sign_in()
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "200"
    assert "There were too many tries that failed." in refused.get_data(as_text=True)
    # From elsewhere as well, in whichever case: it is the user that is guessed at.
    assert Browser(people.app, address="192.0.2.1").sign_in("ANNA").status_code == 429
    people.turn(200)
    assert anna.sign_in().status_code == 303
    assert count(people.app) == 0


def test_an_address_that_guesses_at_many_waits_as_well(people):
    thief = Browser(people.app, address="192.0.2.1")
    assert [tries(thief, 1, f"user{n}") for n in range(10)] == [[422]] * 10
    assert thief.sign_in().status_code == 429
    assert Browser(people.app, address="192.0.2.2").sign_in().status_code == 303


def test_a_good_password_does_not_clear_what_failed_before(alone):
    person(alone.app, BEN)
    thief = Browser(alone.app, address="192.0.2.1")
    tries(thief, 9)
    assert thief.sign_in(BEN).status_code == 303
    other = Browser(alone.app, address="192.0.2.1")
    tries(other, 1)
    assert Browser(alone.app, address="192.0.2.1").sign_in(BEN).status_code == 429


def test_who_types_the_right_password_is_never_counted(alone):
    person(alone.app, BEN)
    for _ in range(12):
        assert Browser(alone.app).sign_in().status_code == 303


def test_the_old_password_is_guessed_no_faster_where_it_is_to_be_changed(alone):
    person(alone.app, BEN)
    anna = Browser(alone.app)
    anna.sign_in()
    page = "/settings/account"
    form = {"current": WRONG, "new": "another long password"}
    codes = [anna.post(f"{page}/password", page, **form).status_code for _ in range(11)]
    assert codes == [422] * 10 + [429]
    assert Browser(alone.app, address="192.0.2.1").sign_in().status_code == 429


@pytest.fixture
def inside(people):
    with people.app.app_context():
        yield people


def failed(subject, address, now=NOW):
    with attempt(subject, address, now):
        pass


def test_a_thousand_failures_in_all_are_enough(inside):
    with db.engine.begin() as connection:
        row = "INSERT INTO login_attempt (subject, address, at) VALUES (:s, :a, :at)"
        rows = [{"s": f"s{n}", "a": f"a{n}", "at": NOW.isoformat(" ")} for n in range(999)]
        connection.execute(text(row), rows)
    failed("x", "a")
    with pytest.raises(TooManyRequests) as caught:
        failed("y", "b")
    assert caught.value.retry_at == NOW + timedelta(minutes=5)
    failed("y", "b", NOW + timedelta(minutes=5))
    assert count(inside.app) == 1


def test_a_clock_that_was_put_back_locks_nobody_out(inside):
    for _ in range(10):
        failed("x", "a", NOW + timedelta(days=1))
    failed("x", "a")


def test_what_is_not_a_user_is_counted_by_its_address(inside):
    for number in range(10):
        failed("", f"192.0.2.{number}")
        failed("", "192.0.2.99")
    failed("", "192.0.2.100")
    with pytest.raises(TooManyRequests):
        failed("", "192.0.2.99")


def test_a_name_that_was_typed_is_not_stored(inside):
    failed("user my password by mistake", "a")
    with db.engine.connect() as connection:
        row = connection.execute(text("SELECT subject FROM login_attempt")).scalar_one()
    assert "password" not in row


def test_many_at_once_are_no_way_around(inside, database_url, tmp_path):
    """Twenty tries at the same time, in two applications on one database."""
    other = create_app(Settings.load(guarded_by(database_url, tmp_path)), passwords=CHEAP)

    def one(number):
        app = inside.app if number % 2 else other
        with app.app_context():
            try:
                failed("x", f"a{number}")
            except TooManyRequests:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(20))) == 10
    with other.app_context():
        db.engine.dispose()


def test_the_count_survives_a_restart(environ):
    for desk in make_desk(environ, passwords=CHEAP):
        person(desk.app)
        tries(Browser(desk.app), 10)
    for desk in make_desk(environ, passwords=CHEAP):
        assert Browser(desk.app).sign_in().status_code == 429


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:51234", "192.0.2.7"),
        ("[2001:db8:1:2::9]:51234", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("unknown:51234", "unknown"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
        ("x" * 99, "x" * 60),
    ],
)
def test_one_person_has_one_network(address, network):
    assert network_of(address) == network


def test_an_unknown_name_costs_as_much_as_a_known_one(environ, monkeypatch):
    hasher, made = Passwords(passes=1, kibibytes=8), []
    verify = type(hasher._hasher).verify
    monkeypatch.setattr(
        type(hasher._hasher), "verify", lambda *of: made.append(of[1][:30]) or verify(*of)
    )
    for desk in make_desk(environ, passwords=hasher):
        person(desk.app)
        for name, password in ((ANNA, WRONG), ("nobody", WRONG), (ANNA, "x" * 999), ("\0", "")):
            before = len(made)
            Browser(desk.app).sign_in(name, password)
            assert len(made) == before + 1
            # The same parameters, so the same time.
            assert made[-1].startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert PASSWORD not in str(made)
