"""The documentation of the API is what the program does: every example is run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from brokers.testing.network import CERTIFICATE
from portfolio.app import create_app
from portfolio.settings import Settings
from portfolio.web.apidocs import as_markdown, chapters
from portfolio.web.openapi import document
from tests.integration.conftest import make_desk

ROOT = Path(__file__).parents[3]
DAILY = (ROOT / "tests" / "data" / "ecb" / "daily.xml").read_bytes()
P = "/api/v1/portfolios"


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    return document(create_app(Settings.load({"FOLIOSYNC_DATA_DIR": str(folder)})))


def test_the_page_and_the_document_are_the_same(described, desk):
    written = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert written.endswith(as_markdown(described)), "run: foliosync api"
    page = desk.program.get("/api", headers={"Accept": "text/html"}).get_data(as_text=True)
    for chapter in chapters(described):
        for operation in chapter.operations:
            assert operation.path in page
    assert "`duplicate_of` (null)" in written
    assert "()" not in as_markdown(described)
    # What is code in a sentence looks like it.
    assert "<code>text</code> is the beginning of a symbol" in page
    assert "`" not in page


def test_each_route_says_which_token_opens_it_and_each_subject_is_there_once(described):
    found = chapters(described)
    titles = [chapter.title for chapter in found]
    assert sorted(titles) == sorted(set(titles))
    scopes = {(of.method, of.path): of.scope for chapter in found for of in chapter.operations}
    assert scopes["GET", "/api/v1/gateways"] == "read"
    assert scopes["POST", "/api/v1/gateways"] is None
    assert scopes["POST", P] == "write"
    closed = [line for line in as_markdown(described).splitlines() if "No token opens it." in line]
    assert len(closed) == list(scopes.values()).count(None)


def test_each_route_names_every_status_of_success(described):
    found = [of for chapter in chapters(described) for of in chapter.operations]
    said = {(of.method, of.path): of.statuses for of in found}
    account = "/portfolio/{portfolio_id}/accounts/{account_name}"
    assert said["GET", P] == "200"
    assert said["POST", f"{account}/sync"] == "200 or 202 (under way; see Location)"
    assert said["POST", f"{account}/connect/ibkr"].startswith("201 or 200 (linked already; ")


def operations(desk):
    for chapter in chapters(document(desk.app)):
        yield from chapter.operations


def prepared(desk, linked):
    """Portfolio 1 with the account “IBKR Main”, which holds something by hand."""
    program = desk.program
    program.post(P, json={"name": "Start", "base_currency": "USD"})
    program.post(f"{P}/1/accounts", json={"name": "IBKR Main", "currency": "USD"})
    held = {"symbol": "A", "kind": "stock", "currency": "USD", "quantity": "1"}
    assert program.post(f"{P}/1/accounts/IBKR Main/holdings", json=held).json["id"] == "1"
    program.post(f"{P}/1/accounts/IBKR Main/cash", json={"currency": "USD", "amount": "1"})
    program.post("/api/v1/rates", json={"from": "CHF", "to": "EUR", "rate": "1.1"})
    if linked:
        desk.turn()
        url = "/portfolio/1/accounts/IBKR Main"
        assert desk.connect(url).status_code == 201
        return desk.sync(url).json["run"]["id"]
    return ""


def needs_link(operation):
    linked = "runs" in operation.path or "connections/" in operation.path
    return linked or operation.path.endswith(("/sync", "/disconnect"))


def needs_decision(operation):
    return operation.path.endswith(("/undo", "/apply"))


def run_to_decide(desk, operation):
    """A run that changed something, or one that was not believed."""
    url = "/portfolio/1/accounts/IBKR Main"
    desk.turn()
    if desk.connect(url).status_code == 201:
        desk.sync(url)
    if operation.path.endswith("/apply"):
        desk.simulator.play("empty-positions")
    else:
        desk.simulator.sell("U1234567", "SPY")
    return desk.sync(url).json["run"]["id"]


def a_target(desk):
    return desk.program.get("/api/v1/notifications/targets").json["items"][0]["id"]


def test_every_example_works_as_it_says(tmp_path):
    makers, failures, count = [], [], 0
    for linked in (False, True):
        environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path / str(linked))}
        environ["FOLIOSYNC_NOTIFY_URLS"] = "ntfy://topic"
        maker = make_desk(environ, send=lambda title, body: 1)
        makers.append(maker)
        desk = next(maker)
        run_id = prepared(desk, linked)
        runtime = desk.app.extensions["foliosync"]
        desk.app.extensions["foliosync"] = replace(runtime, fetch_rates=lambda: DAILY)
        # What removes things comes last, and parts before wholes, so that each finds its own.
        order = sorted(
            operations(desk),
            key=lambda of: (of.method == "DELETE", -len(of.path) if of.method == "DELETE" else 0),
        )
        for operation in [of for of in order if needs_link(of) == linked]:
            body = operation.example
            if body and "fingerprint" in body:
                body = {"fingerprint": CERTIFICATE.fingerprint}
            desk.turn()
            run = run_to_decide(desk, operation) if needs_decision(operation) else run_id
            path = operation.example_path.replace("RUN", run)
            if "TARGET" in path:
                path = path.replace("TARGET", a_target(desk))
            given = {} if body is None else {"json": body}
            answer = desk.program.open(path, method=operation.method, **given)
            count += 1
            if path.endswith("/connect/ibkr"):
                # Only an account that is not linked can be deleted further on.
                desk.program.post(path.replace("/connect/ibkr", "/disconnect"))
            if answer.status_code != operation.status:
                failures.append((operation.method, path, answer.get_data(as_text=True)[:200]))
    for maker in makers:
        next(maker, None)
    assert failures == []
    assert count == len(list(operations(desk)))
