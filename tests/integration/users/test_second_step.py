"""The second step: turned on with a code, taken at each login, and off with the password."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from pyotp import TOTP
from sqlalchemy import text

from portfolio import user_commands
from portfolio.db.base import db
from portfolio.db.keysource import GivenKeys
from portfolio.db.sealing import Sealer
from portfolio.users import second_step
from portfolio.users.second_step import WRONG as WRONG_CODE
from portfolio.web.runtime import EXTENSION
from tests.integration.users.people import ANNA, BEN, COOKIE, PASSWORD, Browser, person

ACCOUNT = "/settings/account"
WRONG = "000000"


@pytest.fixture
def anna(guarded):
    person(guarded.app)
    browser = Browser(guarded.app)
    browser.sign_in()
    return browser


def code(desk, key, shift=0):
    return TOTP(key).at(desk.clock.now() + timedelta(seconds=shift))


def hidden(page, name):
    return re.search(rf'name="{name}" value="([^"]+)"', page)[1]


def begun(browser):
    page = browser.post(f"{ACCOUNT}/totp", ACCOUNT, password=PASSWORD).get_data(as_text=True)
    key = re.search(r"<code>([A-Z2-7 ]+)</code>", page)[1].replace(" ", "")
    return key, hidden(page, "ticket")


def turn_on(desk, browser):
    """Turn it on; the key, and the page with the recovery codes."""
    key, ticket = begun(browser)
    sent = {"ticket": ticket, "code": code(desk, key)}
    answer = browser.post(f"{ACCOUNT}/totp/on", ACCOUNT, **sent)
    assert answer.status_code == 200
    return key, answer.get_data(as_text=True)


def step(browser, given):
    return browser.post("/login/code", "/login/code", code=given)


def recovery(page):
    return re.findall(r"<code>([A-Z2-9]{5}-[A-Z2-9]{5}-[A-Z2-9]{5})</code>", page)


def test_a_login_asks_for_the_code_and_lets_nobody_in_before(guarded, anna):
    key, _ = turn_on(guarded, anna)
    guarded.turn(60)
    other = Browser(guarded.app)
    answer = other.sign_in(next="/rates")
    assert answer.headers["Location"] == "/login/code?next=/rates"
    assert not other.is_in
    before = other.cookie()
    assert step(other, WRONG).status_code == 422
    done = other.post("/login/code", "/login/code", code=code(guarded, key), next="/rates")
    assert done.headers["Location"] == "/rates"
    assert other.is_in
    assert other.cookie() != before


def test_a_code_is_taken_once_and_a_step_early_or_late(guarded, anna):
    key, _ = turn_on(guarded, anna)
    guarded.turn(300)

    def tried(shift):
        browser = Browser(guarded.app)
        browser.sign_in()
        return step(browser, code(guarded, key, shift)).status_code

    assert [tried(shift) for shift in (-60, 60)] == [422, 422]
    assert [tried(-30), tried(-30)] == [303, 422]
    assert [tried(30), tried(30), tried(0)] == [303, 422, 422]


def test_the_code_that_turned_it_on_is_used(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    key, _ = turn_on(alone, anna)
    other = Browser(alone.app)
    other.sign_in()
    assert step(other, code(alone, key)).status_code == 422


def test_a_recovery_code_stands_for_a_code_once(guarded, anna):
    _, page = turn_on(guarded, anna)
    codes = recovery(page)
    assert len(set(codes)) == 10

    def tried(given):
        browser = Browser(guarded.app)
        browser.sign_in()
        return step(browser, given).status_code

    assert [tried(codes[0]), tried(codes[0])] == [303, 422]
    assert tried(codes[1].lower().replace("-", " ")) == 303
    person(guarded.app, BEN)
    ben = Browser(guarded.app)
    ben.sign_in(BEN)
    _, _ = turn_on(guarded, ben)
    other = Browser(guarded.app)
    other.sign_in(BEN)
    assert step(other, codes[2]).status_code == 422
    assert "8 recovery codes are left" in anna.get(ACCOUNT).get_data(as_text=True)


def test_turning_it_on_gives_a_new_id_and_ends_every_other_login(guarded, anna):
    other = Browser(guarded.app)
    other.sign_in()
    before = anna.cookie()
    _, page = turn_on(guarded, anna)
    assert not other.is_in
    assert anna.is_in
    assert anna.cookie() != before
    # The forms of the page with the codes belong to the new login already.
    sent = {"form_token": hidden(page, "form_token")}
    assert anna.open("/logout", "POST", data=sent).status_code == 303


def test_turning_it_off_asks_for_the_password(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    turn_on(alone, anna)
    before = anna.cookie()
    wrong = anna.post(f"{ACCOUNT}/totp/off", ACCOUNT, password="wrong wrong wrong")
    assert wrong.status_code == 422
    assert "This is not the password." in wrong.get_data(as_text=True)
    anna.post(f"{ACCOUNT}/totp/off", ACCOUNT, password=PASSWORD)
    assert anna.cookie() != before
    assert anna.is_in
    other = Browser(alone.app)
    assert other.sign_in().headers["Location"] == "/"
    with alone.app.app_context(), db.engine.connect() as connection:
        left = connection.execute(text("SELECT count(*) FROM recovery_code")).scalar_one()
    assert left == 0


def test_what_a_login_began_ends_with_it(alone, monkeypatch):
    """The password is changed while somebody else, who knew it, turns the second step off."""
    anna, thief = Browser(alone.app), Browser(alone.app)
    anna.sign_in()
    turn_on(alone, anna)
    alone.turn(60)
    thief.client.set_cookie(COOKIE, anna.cookie())
    really, new = second_step.proven, "another long password"

    def proven(*given):
        known = really(*given)
        monkeypatch.setattr(second_step, "proven", really)
        fields = {"current": PASSWORD, "new": new, "again": new}
        assert anna.post(f"{ACCOUNT}/password", ACCOUNT, **fields).status_code == 303
        return known

    monkeypatch.setattr(second_step, "proven", proven)
    answer = thief.post(f"{ACCOUNT}/totp/off", ACCOUNT, password=PASSWORD)
    assert answer.headers["Location"].startswith("/login")
    assert not thief.is_in
    assert anna.is_in
    assert "with a second step" in next(iter(user_commands.lines(alone.app)))


def test_setting_it_up_asks_for_the_password(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    wrong = anna.post(f"{ACCOUNT}/totp", ACCOUNT, password="wrong wrong wrong")
    assert wrong.status_code == 422
    assert "data:image/svg" not in wrong.get_data(as_text=True)


def test_nothing_is_on_before_a_code_was_right(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    key, ticket = begun(anna)
    answer = anna.post(f"{ACCOUNT}/totp/on", ACCOUNT, ticket=ticket, code=WRONG)
    assert answer.status_code == 422
    assert hidden(answer.get_data(as_text=True), "ticket") == ticket
    assert Browser(alone.app).sign_in().headers["Location"] == "/"
    done = anna.post(f"{ACCOUNT}/totp/on", ACCOUNT, ticket=ticket, code=code(alone, key))
    assert done.status_code == 200


@pytest.mark.parametrize("whose", ["another login", "too late", "forged"])
def test_a_key_is_for_the_login_that_asked_for_it_and_for_a_quarter_of_an_hour(alone, whose):
    anna = Browser(alone.app)
    anna.sign_in()
    key, ticket = begun(anna)
    if whose == "another login":
        anna = Browser(alone.app)
        anna.sign_in()
    elif whose == "too late":
        alone.turn(900)
    else:
        ticket = "nothing"
    sent = {"ticket": ticket, "code": code(alone, key)}
    answer = anna.post(f"{ACCOUNT}/totp/on", ACCOUNT, **sent)
    assert answer.status_code == 422
    assert "This took too long. Begin again." in answer.get_data(as_text=True)


def test_codes_are_not_guessed_at_will(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    turn_on(alone, anna)
    alone.turn(60)
    thief = Browser(alone.app, address="192.0.2.1")
    thief.sign_in()
    assert [step(thief, WRONG).status_code for _ in range(11)] == [422] * 10 + [429]
    other = Browser(alone.app, address="192.0.2.2")
    assert other.sign_in().status_code == 429


def test_the_first_step_is_over_after_five_minutes_or_when_it_was_used(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    key, _ = turn_on(alone, anna)
    alone.turn(60)
    other = Browser(alone.app)
    other.sign_in()
    page = other.token("/login/code")
    waiting = other.cookie()
    alone.turn(300)
    sent = {"form_token": page, "code": code(alone, key)}
    assert other.open("/login/code", "POST", data=sent).headers["Location"] == "/login"
    assert other.get("/login/code").headers["Location"] == "/login"
    other.sign_in()
    waiting = other.cookie()
    step(other, code(alone, key))
    replay = Browser(alone.app)
    replay.client.set_cookie(COOKIE, waiting)
    assert replay.get("/login/code").status_code == 303
    assert not replay.is_in


def test_a_new_password_ends_a_login_that_waits(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    turn_on(alone, anna)
    other = Browser(alone.app)
    other.sign_in()
    person(alone.app)
    assert other.get("/login/code").headers["Location"] == "/login"


def test_what_is_secret_is_stored_sealed_or_as_a_digest(alone):
    anna = Browser(alone.app)
    anna.sign_in()
    key, page = turn_on(alone, anna)
    with alone.app.app_context(), db.engine.connect() as connection:
        rows = [
            connection.execute(text(f"SELECT * FROM {table}")).all()
            for table in ('"user"', "recovery_code")
        ]
    assert key not in str(rows)
    assert not any(
        each in str(rows) or each.replace("-", "") in str(rows) for each in recovery(page)
    )


def test_the_operator_turns_it_off_for_who_lost_the_phone(alone, monkeypatch):
    anna = Browser(alone.app)
    anna.sign_in()
    turn_on(alone, anna)
    said = list(user_commands.lines(alone.app))
    assert "with a second step" in said[0]
    password = "another long password"
    user_commands.change_password(alone.app, ANNA, lambda _: password)
    assert anna.sign_in(password=password).headers["Location"] == "/login/code"
    user_commands.change_password(alone.app, ANNA, lambda _: password, one_step=True)
    assert anna.sign_in(password=password).headers["Location"] == "/"


class NoKeys(GivenKeys):
    """A key file that is not there."""

    def stamp(self):
        return None


def moved(desk):
    """What is sealed stands at another place than it was sealed for."""
    of = desk.app.extensions[EXTENSION].sealer
    with desk.app.app_context(), db.engine.begin() as connection:
        sealed = of.seal("user:0:totp_secret", "JBSWY3DPEHPK3PXP")
        connection.execute(text('UPDATE "user" SET totp_secret = :it'), {"it": sealed})


def with_keys(desk, keys):
    of = desk.app.extensions[EXTENSION]
    desk.app.extensions[EXTENSION] = replace(of, sealer=Sealer(keys))


LOST = {
    "key_lost": lambda desk: with_keys(desk, GivenKeys((Fernet.generate_key().decode(),))),
    "key_unavailable": lambda desk: with_keys(desk, NoKeys(())),
    "seal_broken": moved,
}


@pytest.mark.parametrize("how", LOST)
def test_without_its_key_the_codes_on_paper_still_count(alone, how):
    anna = Browser(alone.app)
    anna.sign_in()
    key, page = turn_on(alone, anna)
    cannot = "Codes of your app cannot be checked"
    assert cannot not in anna.get(ACCOUNT).text
    alone.turn(60)
    LOST[how](alone)
    again = Browser(alone.app)
    again.sign_in()
    lost = step(again, code(alone, key))
    assert lost.status_code == 422
    assert f"{cannot} now: use a recovery code" in lost.text
    assert 'name="code"' in lost.text
    assert not again.is_in
    assert WRONG_CODE in step(again, "AAAAA-AAAAA-AAAAA").text
    assert step(again, recovery(page)[0]).status_code == 303
    assert cannot in again.get(ACCOUNT).text
    off = again.post(f"{ACCOUNT}/totp/off", ACCOUNT, password=PASSWORD)
    assert off.status_code == 303
    assert cannot not in again.get(ACCOUNT).text
    assert Browser(alone.app).sign_in().headers["Location"] == "/"
