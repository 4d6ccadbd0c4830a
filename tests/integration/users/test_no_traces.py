"""Passwords, codes, logins and tokens are looked for in all that is said and stored."""

from __future__ import annotations

import json
import logging
import re

from portfolio.pages.diagnostics import bundle
from tests.integration.users.people import COOKIE, Browser, person
from tests.integration.users.test_second_step import code, recovery, step, turn_on

PAGES = ("/", "/settings", "/settings/account", "/connections", "/api", "/rates")


def everything(desk, browser, caplog):
    """What stands in the log, in the files, on the pages, and in what is given to others."""
    file = desk.app.extensions["foliosync"].settings.sqlite_file
    stored = [file, file.with_name(f"{file.name}-wal")]
    yield "the log", caplog.text
    yield from ((each.name, each.read_bytes().decode("latin-1")) for each in stored)
    yield from ((page, browser.get(page).get_data(as_text=True)) for page in PAGES)
    with desk.app.test_request_context():
        yield "diagnostics", json.dumps(bundle(desk.app))


def test_what_proves_somebody_stands_nowhere_in_plain(alone, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy.engine", "sqlalchemy.pool", "werkzeug"):
        caplog.set_level(logging.DEBUG, logger=name)
    password, wrong = "a canary sings at noon", "a canary sings at night"
    monkeypatch.setattr("tests.integration.users.test_second_step.PASSWORD", password)
    person(alone.app, password=password)
    browser = Browser(alone.app)
    assert browser.sign_in(password=wrong).status_code == 422
    assert browser.sign_in(password=password).status_code == 303
    key, page = turn_on(alone, browser)
    codes = recovery(page)
    alone.turn(60)
    other = Browser(alone.app)
    other.sign_in(password=password)
    typed = code(alone, key)
    assert step(other, typed).status_code == 303
    sent = {"name": "cron", "scopes": "sync", "password": password}
    made = other.post("/settings/tokens", "/settings/tokens", **sent)
    token = re.search(r"fls_([\w-]+)", made.get_data(as_text=True))[1]
    assert len(codes) == 10
    assert len(token) >= 32
    secrets = (password, wrong, key, *codes, token, browser.cookie(COOKIE), other.cookie(COOKIE))
    for where, text in everything(alone, other, caplog):
        assert [secret for secret in secrets if secret and secret in text] == [], where
