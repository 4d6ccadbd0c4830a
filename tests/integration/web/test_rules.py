"""Each route says who may reach it, and nobody reaches a route that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brokers.ibkr.simulator import Simulator
from brokers.testing.clock import FakeClock
from portfolio.app import create_app
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
            assert "portfolio_id" in route.arguments, route


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
