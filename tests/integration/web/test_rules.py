"""Each route says who may reach it, and nobody reaches a route that does not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from brokers.ibkr.simulator import Simulator
from brokers.testing.clock import FakeClock
from portfolio.app import create_app
from portfolio.errors import StorageLost
from portfolio.settings import Settings
from portfolio.web.rules import RULES, Rule
from portfolio.web.runtime import EXTENSION


@pytest.fixture
def every_route(tmp_path):
    settings = Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path)}, demo=True)
    return create_app(settings, demo=Simulator(FakeClock())).url_map


def test_each_route_has_a_rule_and_each_rule_a_route(every_route):
    assert {rule.endpoint for rule in every_route.iter_rules()} == set(RULES)


def test_what_others_may_be_allowed_to_see_changes_nothing_and_is_in_a_portfolio(every_route):
    for route in every_route.iter_rules():
        if RULES[route.endpoint] is Rule.SHARED:
            assert route.methods - {"HEAD", "OPTIONS"} == {"GET"}, route
            assert route.arguments & {"portfolio_id", "run_id"}, route


def anonymous(desk):
    runtime = replace(desk.app.extensions[EXTENSION], identify=lambda session: None)
    desk.app.extensions[EXTENSION] = runtime
    return desk.program


def test_a_route_without_a_rule_is_reached_by_nobody(desk, monkeypatch):
    monkeypatch.delitem(RULES, "accounts_api.list_portfolios")
    answer = desk.program.get("/api/v1/portfolios")
    error = answer.json["error"]
    assert (answer.status_code, error["code"]) == (403, "forbidden")
    assert error["message"] == "Nobody may reach this route: it has no rule."
    assert error["remedy"] == (
        "This is a fault of the program. Give the route a rule in portfolio/web/rules.py."
    )


def test_a_program_is_told_that_nobody_is_signed_in(desk):
    answer = anonymous(desk).get("/api/v1/portfolios")
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "login_required")
    assert answer.json["error"]["remedy"] == "Sign in, then try again. Nothing was changed."
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/favicon.ico", "/static/icon.svg"])
def test_what_shows_nothing_of_anybody_needs_no_login(desk, path):
    assert anonymous(desk).get(path, buffered=True).status_code in (200, 303)


@pytest.mark.parametrize("path", ["/api", "/api/openapi.json", "/nothing", "/api/v1/nothing"])
def test_the_documents_and_what_is_not_there_need_a_login(desk, path):
    assert anonymous(desk).get(path).status_code == 401


def broken(session):
    raise AssertionError("nobody needs to know who asks")


@pytest.mark.parametrize("path", ["/healthz", "/static/icon.svg"])
def test_what_anybody_may_have_is_given_without_a_look_into_the_database(desk, path):
    runtime = replace(desk.app.extensions[EXTENSION], identify=broken)
    desk.app.extensions[EXTENSION] = runtime
    assert desk.program.get(path, buffered=True).status_code == 200


def lost(session):
    raise StorageLost("The connection to the database was lost.")


def test_where_nobody_can_be_known_a_page_says_why(desk):
    runtime = replace(desk.app.extensions[EXTENSION], identify=lost)
    desk.app.extensions[EXTENSION] = runtime
    page = desk.program.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "The connection to the database was lost." in page.get_data(as_text=True)


def test_every_other_route_asks_for_a_login(desk):
    client = anonymous(desk)
    for route in desk.app.url_map.iter_rules():
        path = re.sub("<int:[a-z_]+>", "1", re.sub("<[a-z_]+>", "x", route.rule))
        for method in route.methods - {"OPTIONS"}:
            told = client.open(path, method=method)
            led = client.open(path, method=method, headers={"Accept": "text/html"})
            if RULES[route.endpoint] is not Rule.OPEN:
                assert (told.status_code, led.status_code) == (401, 303), (method, path)
                assert led.headers["Location"].startswith("/login")
                assert "Set-Cookie" not in told.headers
