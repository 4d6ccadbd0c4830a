"""Tokens of programs: shown once, scoped, ended at once, and for nothing but the JSON."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from portfolio.db.base import db
from portfolio.db.session import unit_of_work
from portfolio.users.models import ApiToken
from portfolio.users.services import add_user, disable, locked_user, set_password
from portfolio.users.signin import proven
from portfolio.users.tokens import SCOPES, Wanted, create
from tests.integration.users.people import PASSWORD, Browser, person

P = "/api/v1/portfolios"
PAGE = "/settings/tokens"
CHALLENGE = 'Bearer realm="Foliosync", error="invalid_token"'


def token(desk, *scopes, user=1, days=None, name=None):
    wanted = Wanted(name=name or " ".join(scopes), scopes=scopes, days=days)
    with desk.app.app_context(), unit_of_work() as session:
        return create(session, user, wanted, desk.clock.now(), lambda n: f"{user}{name}" + "x" * n)


def bearer(secret, **more):
    return {"headers": {"Authorization": f"Bearer {secret}", **more}}


def test_a_token_is_made_on_the_page_shown_once_and_revoked(guarded):
    person(guarded.app)
    browser = Browser(guarded.app)
    browser.sign_in()
    made = browser.post(PAGE, PAGE, name="cron", scopes="sync", days="30", password=PASSWORD)
    (secret,) = re.findall(r"fls_[\w-]{32}", made.text)
    assert secret not in browser.get(PAGE).text
    assert "until" in browser.get(PAGE).text
    program = guarded.program
    assert program.get(P, **bearer(secret)).json["error"]["code"] == "forbidden"
    assert browser.post(f"{PAGE}/1/revoke", PAGE).status_code == 303
    assert program.get(P, **bearer(secret)).status_code == 401


def test_a_stolen_login_makes_no_token_and_its_tries_are_counted(guarded):
    person(guarded.app)
    browser = Browser(guarded.app)
    browser.sign_in()
    forms = [{}, *[{"password": f"a guess {n}"} for n in range(10)]]
    made = [browser.post(PAGE, PAGE, name="cron", scopes="read", **form) for form in forms]
    assert [of.status_code for of in made] == [422] * 10 + [429]
    assert "This is not the password." in made[0].text
    assert "No program has one." in browser.get(PAGE).text


def test_a_login_that_is_ended_meanwhile_makes_no_token(guarded, monkeypatch):
    anna, browser = person(guarded.app), Browser(guarded.app)
    browser.sign_in()

    def late(*given):
        user = proven(*given)
        with unit_of_work() as session:
            disable(session, locked_user(session, anna), guarded.clock.now())
        return user

    monkeypatch.setattr("portfolio.users.views.tokens.proven", late)
    made = browser.post(PAGE, PAGE, name="cron", scopes="read", password=PASSWORD)
    assert (made.status_code, made.headers["Location"]) == (303, "/login")
    with guarded.app.app_context():
        assert db.session.scalars(select(ApiToken)).all() == []


def test_without_logins_no_password_is_asked_for(desk):
    assert 'name="password"' not in desk.program.get(PAGE, headers={"Accept": "text/html"}).text
    made = desk.program.post(PAGE, data={"name": "cron", "scopes": "read"})
    assert (made.status_code, "fls_" in made.text) == (200, True)


def test_a_change_of_the_password_ends_tokens_where_that_is_wanted(guarded):
    anna, ben = person(guarded.app), person(guarded.app, "Ben")
    mine, theirs = token(guarded, "read", user=anna), token(guarded, "read", user=ben)
    page, browser = "/settings/account", Browser(guarded.app)
    browser.sign_in()
    assert "Also end all tokens" in browser.get(page).text
    second, third = "another long password", "yet another password"
    browser.post(f"{page}/password", page, current=PASSWORD, new=second)
    assert guarded.program.get(P, **bearer(mine)).status_code == 200
    browser.post(f"{page}/password", page, current=second, new=third, end_tokens="yes")
    assert guarded.program.get(P, **bearer(mine)).status_code == 401
    assert guarded.program.get(P, **bearer(theirs)).status_code == 200
    assert "Also end all tokens" not in browser.get(page).text


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "scopes": "read"},
        {"name": "x"},
        {"name": "x", "scopes": "admin"},
        {"name": "twice", "scopes": "read"},
    ],
)
def test_what_cannot_be_is_said_beside_its_field(desk, form):
    token(desk, "read", name="twice")
    refused = desk.program.post(PAGE, data=form)
    assert refused.status_code == 422
    assert "fls_" not in refused.text


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_opens_its_own_and_nothing_else(desk, scope):
    url = desk.account()
    sent = bearer(token(desk, scope))
    answers = {
        "read": desk.program.get(P, **sent),
        "sync": desk.program.post(f"{url}/sync", **sent),
        "write": desk.program.post(P, json={"name": "Q", "base_currency": "EUR"}, **sent),
    }
    for needed, answer in answers.items():
        if needed == scope:
            assert answer.status_code in (200, 201, 409), needed
        else:
            assert answer.status_code == 403, needed
            assert f"“{needed}”" in answer.json["error"]["message"]


def test_a_refused_token_says_what_to_do(desk):
    sent = bearer(token(desk, "sync"))
    lacks = desk.program.get(P, **sent).json["error"]
    assert lacks["message"] == "This token lacks the scope “read”; nothing was changed."
    assert lacks["remedy"] == "Make one that has it on the page API tokens of Settings."
    none = desk.program.get("/settings", **sent).json["error"]
    assert none["message"] == "No token opens this: it is for people who are signed in."
    assert none["remedy"] == "Use a route of /api/v1 that the page API lists, or a browser."


def test_what_everybody_may_see_looks_at_no_token_and_a_login_is_not_for_programs(guarded):
    person(guarded.app)
    assert guarded.program.get("/healthz", **bearer("fls_wrong")).status_code == 200
    assert guarded.program.get("/login", **bearer("fls_wrong")).status_code == 401
    assert guarded.program.get("/login", **bearer(token(guarded, "read"))).status_code == 403


@pytest.mark.parametrize("path", ["/", "/settings", PAGE, "/rates", "/api", "/portfolio/1/edit"])
def test_a_token_opens_no_page_and_makes_no_token(desk, path):
    desk.account()
    sent = bearer(token(desk, *SCOPES), Accept="text/html")
    for call in (desk.program.get, desk.program.post):
        answer = call(path, **sent)
        assert answer.status_code in (403, 405), path
        assert answer.json["error"]["code"] in {"forbidden", "method_not_allowed"}


def test_a_documented_route_is_json_to_a_token_whatever_it_accepts(desk):
    url = desk.account()
    sent = bearer(token(desk, "write"), Accept="text/html")
    answer = desk.program.post(f"{url}/disconnect", json={}, **sent)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "not_connected")
    assert "Authorization" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/api/v1/gateways", "/api/v1/notifications/test"])
def test_no_token_changes_a_setting(desk, path):
    sent = bearer(token(desk, *SCOPES))
    assert (
        desk.program.post(path, json={"url": "https://localhost:5009"}, **sent).status_code == 403
    )


@pytest.mark.parametrize("secret", ["", "x", "fls_x", "a b", "a=b", "\x7f"])
def test_a_bad_token_is_refused_and_says_how_to_come(desk, secret):
    answer = desk.program.get(P, **bearer(secret))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == CHALLENGE
    assert answer.json["error"]["code"] == "login_required"
    assert desk.program.get(P).status_code == 200


def test_bad_tokens_are_counted_and_good_ones_go_on(desk):
    good = token(desk, "read")
    statuses = [desk.program.get(P, **bearer(f"fls_{n}")).status_code for n in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert desk.program.get(P, **bearer(good)).status_code == 200
    guessed = desk.program.get(P, **bearer("fls_x"))
    assert int(guessed.headers["Retry-After"]) > 0


def test_it_ends_by_its_time_and_with_its_user(guarded):
    anna, ben = person(guarded.app), person(guarded.app, "Ben")
    short, theirs = token(guarded, "read", user=anna, days=1), token(guarded, "read", user=ben)
    assert guarded.program.get(P, **bearer(short)).status_code == 200
    assert guarded.program.get(P).status_code == 401
    guarded.turn(timedelta(days=1).total_seconds())
    assert guarded.program.get(P, **bearer(short)).status_code == 401
    assert guarded.program.get(P, **bearer(theirs)).status_code == 200
    with guarded.app.app_context(), unit_of_work() as session:
        disable(session, locked_user(session, ben), guarded.clock.now())
    assert guarded.program.get(P, **bearer(theirs)).status_code == 401
    # Not even once they may sign in again.
    with guarded.app.app_context(), unit_of_work() as session:
        set_password(session, locked_user(session, ben), "x")
    assert guarded.program.get(P, **bearer(theirs)).status_code == 401


def test_a_token_acts_for_its_user_only(desk):
    desk.account()
    with desk.app.app_context(), unit_of_work() as session:
        ben = add_user(session, "Cleo", desk.clock.now()).id
    sent = bearer(token(desk, "read", user=ben))
    assert desk.program.get(P, **sent).json["items"] == []
    assert desk.program.get(f"{P}/1", **sent).status_code == 404


def test_its_use_is_noted_once_a_day(desk):
    sent = bearer(token(desk, "read"))

    def used():
        with desk.app.app_context():
            return db.session.scalars(select(ApiToken.last_used_on)).one()

    assert used() is None
    desk.program.get(P, **sent)
    first = used()
    assert first == desk.clock.now().date()
    desk.turn(24 * 3600)
    desk.program.get(P, **sent)
    assert used() == first + timedelta(days=1)


def test_only_a_hash_is_stored(desk):
    secret = token(desk, "read")
    with desk.app.app_context():
        row = db.session.scalars(select(ApiToken)).one()
        assert secret not in str(vars(row))
    assert len(row.token_hash) == 64


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://other.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ],
)
def test_a_cookie_does_not_drive_the_api_from_elsewhere(guarded, headers):
    person(guarded.app)
    browser = Browser(guarded.app)
    browser.sign_in()
    body = {"name": "P", "base_currency": "USD"}
    refused = browser.client.post(P, json=body, headers=headers)
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "forbidden")
    # Not even with our own origin, unless it has the token of our forms.
    same = {"Origin": "http://localhost"}
    assert browser.client.post(P, json=body, headers=same).status_code == 403
    sent = {**same, "X-Form-Token": browser.token("/")}
    assert browser.client.post(P, json=body, headers=sent).status_code == 201


def test_a_token_needs_no_form_token_and_another_site_is_refused_all_the_same(guarded):
    person(guarded.app)
    secret, body = token(guarded, "write"), {"name": "P", "base_currency": "USD"}
    own = bearer(secret, Origin="http://localhost")
    assert guarded.program.post(P, json=body, **own).status_code == 201
    other = bearer(secret, Origin="https://other.example")
    assert guarded.program.post(P, json=body, **other).status_code == 403


def test_the_document_says_who_may_ask(desk):
    says_who_may_ask(desk, {})


def test_with_logins_the_document_asks_for_one(guarded):
    person(guarded.app)
    says_who_may_ask(guarded, {"login": []})


def says_who_may_ask(desk, anybody):
    document = desk.program.get("/api/openapi.json", **bearer(token(desk, "read"))).json
    sync = document["paths"]["/portfolio/{portfolio_id}/accounts/{account_name}/sync"]["post"]
    assert sync["security"] == [{"token": ["sync"]}, anybody]
    assert {"401", "403", "429"} <= set(sync["responses"])
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    gateway = document["paths"]["/api/v1/gateways"]["post"]
    assert gateway["security"] == [anybody]
