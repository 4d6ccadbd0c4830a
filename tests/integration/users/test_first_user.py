"""The first start with logins: a code makes the local owner the first user."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy import text

from portfolio.app import prepare_database
from portfolio.db.base import db
from portfolio.users.identify import LocalOwner
from portfolio.web.runtime import EXTENSION
from tests.integration.users.people import ANNA, PASSWORD, Browser, code_of, person


def first(browser, code, name=ANNA, password=PASSWORD):
    return browser.post("/login/first", "/login/first", code=code, name=name, password=password)


def problems(answer):
    page = answer.get_data(as_text=True)
    return dict(re.findall(r'id="d-(\w+)" class="problem">([^<]+)<', page))


def test_the_local_owner_becomes_the_first_user_with_all_that_is_stored(guarded):
    runtime = guarded.app.extensions[EXTENSION]
    guarded.app.extensions[EXTENSION] = replace(runtime, identify=LocalOwner())
    guarded.account()
    guarded.app.extensions[EXTENSION] = runtime
    anna, code = Browser(guarded.app), code_of(guarded.app)
    assert re.fullmatch(r"([A-Z2-9]{5}-){5}[A-Z2-9]{5}", code)
    door = anna.get("/login").get_data(as_text=True)
    assert 'Nobody is set up yet: <a href="/login/first">enter the code' in door
    answer = first(anna, code.lower().replace("-", " "))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    page = anna.get("/").get_data(as_text=True)
    assert "You are signed in." in page
    assert "/portfolio/1" in page
    assert anna.get("/login/first").status_code == 404
    assert code_of(guarded.app) is None
    # The next start makes no second owner.
    prepare_database(guarded.app)
    with guarded.app.app_context(), db.engine.connect() as connection:
        names = connection.execute(text('SELECT name FROM "user"')).scalars().all()
    assert names == [ANNA]


def test_a_code_counts_once(guarded):
    code = code_of(guarded.app)
    browsers = [Browser(guarded.app) for _ in range(2)]
    tokens = [browser.token("/login/first") for browser in browsers]
    form = {"code": code, "name": ANNA, "password": PASSWORD}
    sent = [
        browser.open("/login/first", "POST", data={**form, "form_token": token}).status_code
        for browser, token in zip(browsers, tokens, strict=True)
    ]
    assert sent == [303, 404]


def test_only_the_newest_code_counts_and_for_an_hour(plain):
    old, new, anna = code_of(plain.app), code_of(plain.app), Browser(plain.app)
    assert "foliosync user code" in problems(first(anna, old))["code"]
    plain.turn(3600)
    assert list(problems(first(anna, new))) == ["code"]
    assert first(anna, code_of(plain.app)).status_code == 303


def test_the_code_is_stored_as_a_digest(plain):
    code = code_of(plain.app)
    with plain.app.app_context(), db.engine.connect() as connection:
        stored = connection.execute(text("SELECT code_hash FROM setup_code")).scalar_one()
    assert code.replace("-", "") not in stored


def test_the_code_is_not_guessed_at_will(plain):
    code = code_of(plain.app)
    for number in range(10):
        guess = first(Browser(plain.app, address=f"192.0.2.{number}"), "wrong")
        assert guess.status_code == 422
    assert first(Browser(plain.app), code).status_code == 429


REFUSED = [
    ("", PASSWORD, "name"),
    (" Anna", PASSWORD, "name"),
    ("An\u202ena", PASSWORD, "name"),
    ("~1", PASSWORD, "name"),
    ("\ufdfa" * 100, PASSWORD, "name"),
    (ANNA, "short", "password"),
    (ANNA, "x" * 257, "password"),
    ("A long user name", "a LONG user name", "password"),
    (ANNA, "with a \u200e mark in it", "password"),
]


def test_a_name_or_a_password_that_cannot_be_leaves_the_code_valid(plain):
    code, anna = code_of(plain.app), Browser(plain.app)
    for name, password, field in REFUSED:
        answer = first(anna, code, name, password)
        assert (answer.status_code, list(problems(answer))) == (422, [field]), (name, password)
        assert password not in answer.get_data(as_text=True)
    assert first(anna, code).status_code == 303


def test_a_password_is_the_same_however_it_is_composed(plain):
    anna = Browser(plain.app)
    first(anna, code_of(plain.app), password="une clé très sûre")
    decomposed = "une cle\u0301 tre\u0300s su\u0302re"
    assert Browser(plain.app).sign_in(password=decomposed).status_code == 303


def test_there_is_no_code_without_logins(desk):
    assert code_of(desk.app) is None


def test_nobody_is_asked_for_a_code_once_somebody_has_a_password(plain):
    person(plain.app)
    assert code_of(plain.app) is None
    assert "/login/first" not in Browser(plain.app).get("/login").get_data(as_text=True)
