from __future__ import annotations

import json
import re
from decimal import Decimal
from html import unescape

import pytest
from sqlalchemy import text

from portfolio.db.base import db
from portfolio.sync import services

MAIN = "U1234567"


def rows(desk, table):
    with desk.app.app_context():
        return db.session.execute(text(f"SELECT * FROM {table} ORDER BY 1")).all()


def test_the_whole_story_over_json(desk):
    url = desk.account()
    listed = desk.program.get("/ibkr/accounts").json["accounts"]
    assert listed[0] == {
        "id": MAIN,
        "name": "Main",
        "currency": "USD",
        "type": "INDIVIDUAL",
        "is_paper": False,
        "is_open": True,
        "gateway_id": 1,
        "connected_to": None,
    }
    desk.turn()
    made = desk.connect(url, username="second")
    assert made.status_code == 201
    assert made.json["mode"] == "connected"
    assert made.json["connection"]["broker_account"] == MAIN
    assert made.json["connection"]["username"] == "second"

    done = desk.sync(url)
    assert done.status_code == 200
    run = done.json["run"]
    assert (run["status"], run["reason"]) == ("succeeded", None)
    assert (run["added"], run["changed"], run["closed"], run["unchanged"]) == (235, 0, 0, 0)
    assert run["reconciliation"] == {
        "status": "agrees",
        "difference": "0",
        "tolerance": run["reconciliation"]["tolerance"],
        "currency": "USD",
        "likely_cause": None,
    }

    held = desk.holdings(url)
    assert held["totals"]["net_liquidation"] == held["totals"]["broker_net_liquidation"]
    assert held["next_cursor"] == "50"

    desk.turn()
    desk.simulator.sell(MAIN, "SPY")
    again = desk.sync(url).json["run"]
    assert (again["closed"], again["changed"]) == (1, 1)
    assert again["unchanged"] == 233

    desk.turn()
    ended = desk.program.post(f"{url}/disconnect", json={})
    assert ended.status_code == 200
    assert (ended.json["mode"], ended.json["connection"]) == ("manual", None)
    assert len(rows(desk, "holding")) == 230
    assert desk.sync(url).json["error"]["code"] == "not_connected"


def test_another_user_name_of_a_connection_is_noted_and_nothing_else_changes(anywhere):
    """It was answered with 200 and kept nowhere: one had to disconnect for it."""
    url = anywhere.connected()
    before = anywhere.program.get(f"/api/v1{url.replace('/portfolio', '/portfolios')}").json
    assert before["connection"]["username"] is None
    for sent, kept in (("jdoe-api", "jdoe-api"), (None, "jdoe-api"), ("other", "other")):
        done = anywhere.connect(url, **({"username": sent} if sent else {}))
        assert (done.status_code, done.json["connection"]["username"]) == (200, kept)
    before["connection"]["username"] = "other"
    assert done.json == before
    assert f"· {kept}" in anywhere.program.get(url, headers={"Accept": "text/html"}).text


def noted(desk):
    (found,) = desk.program.get("/api/v1/connections").json["items"]
    return found["username"]


def test_the_user_name_of_a_connection_is_changed_and_removed_over_json(anywhere):
    url = anywhere.connected()
    (found,) = anywhere.program.get("/api/v1/connections").json["items"]
    at = f"/api/v1/connections/{found['id']}"
    for sent, kept in ((" jdoe-api ", "jdoe-api"), ("", None), ("x" * 100, "x" * 100)):
        changed = anywhere.program.patch(at, json={"username": sent}).json
        assert changed == {**found, "username": kept}
    assert anywhere.program.patch(at, json={"sync_enabled": True}).json["username"] == kept
    # Nothing of a request is done of which a part is refused.
    for wrong in ("x" * 101, "a\0b", "a\u202eb", 5):
        body = {"username": wrong, "paused": True, "gateway_id": 99}
        refused = anywhere.program.patch(at, json=body)
        assert (refused.status_code, list(refused.json["error"]["fields"])) == (422, ["username"])
    assert anywhere.program.get("/api/v1/connections").json["items"] == [
        {**found, "username": kept}
    ]
    assert anywhere.program.patch(at, json={"username": None}).json == found
    assert anywhere.sync(url).json["run"]["status"] == "succeeded"


def test_the_user_name_of_a_connection_is_changed_on_its_edit_page(desk):
    url, html = desk.account(), {"Accept": "text/html"}
    assert 'name="username"' not in desk.program.get(f"{url}/edit", headers=html).text
    by_hand = desk.program.post(f"{url}/edit", data={"username": "x"}, headers=html)
    assert by_hand.status_code == 409
    desk.turn()
    desk.connect(url, username="first")

    def opened(page):
        of_account, of_user = re.findall(r'name="opened" value="([^"]*)"', page)
        assert of_account == of_user
        return unescape(of_user)

    def send(name, showed):
        form = {"opened": showed, "username": name}
        return desk.program.post(f"{url}/edit", data=form, headers=html)

    page = desk.program.get(f"{url}/edit", headers=html).text
    assert 'value="first"' in page
    saved = send(" second ", opened(page))
    assert (saved.status_code, saved.location) == (303, f"{url}/edit#external-connections")
    assert noted(desk) == "second"
    # What another tab has saved meanwhile is said first; the form of the account is as it was.
    late = send("third", opened(page))
    assert late.status_code == 422
    assert "it is “second” by now" in late.text
    assert 'value="third"' in late.text
    assert 'name="name" type="text" value="A"' in late.text
    wrong = send("a\u202eb", opened(late.text))
    assert (wrong.status_code, noted(desk)) == (422, "second")
    assert "No control characters" in wrong.text
    # Who saves again has seen it. The form of the account leaves it alone.
    assert (send("third", opened(late.text)).status_code, noted(desk)) == (303, "third")
    form = {"opened": opened(wrong.text), "name": "B", "currency": "USD", "notes": ""}
    moved = desk.program.post(f"{url}/edit", data=form, headers=html)
    assert (moved.status_code, noted(desk)) == (303, "third")
    url = moved.location
    page = desk.program.get(f"{url}/edit", headers=html).text
    assert (send("", opened(page)).status_code, noted(desk)) == (303, None)


def test_who_states_the_cash_after_a_disconnect_states_what_was_accrued_too(desk):
    url = desk.connected()
    before = desk.holdings(url)
    (dollars,) = (row for row in before["cash"] if row["currency"] == "USD")
    desk.turn()
    assert desk.program.post(f"{url}/disconnect", json={}).status_code == 200
    one = f"{url}/cash/{dollars['id']}"
    form = desk.program.get(one, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "what the broker has told of them no longer counts" in form
    assert desk.program.post(one, data={"amount": "100"}).status_code == 303
    after = desk.holdings(url)
    (dollars,) = (row for row in after["cash"] if row["currency"] == "USD")
    assert dollars["amount"] == "100"
    moved = {
        name: Decimal(after["totals"][name]) - Decimal(before["totals"][name])
        for name in ("cash", "accrued_interest", "accrued_dividends", "net_liquidation")
    }
    assert (moved["accrued_interest"], moved["accrued_dividends"]) == (
        Decimal("41.17"),
        Decimal("-1104.6"),
    )
    assert moved["cash"] == Decimal("100") - Decimal("-18402.77")
    assert moved["net_liquidation"] == sum(moved.values()) - moved["net_liquidation"]
    form = desk.program.get(one, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "no longer counts" not in form


def test_the_same_snapshot_writes_nothing_but_run_times_and_daily_value(desk):
    url = desk.connected()
    tables = ("instrument", "instrument_identifier", "cash_balance", "rate", "change")
    before = {table: rows(desk, table) for table in tables}
    with desk.app.app_context():
        query = text("SELECT id, quantity, price, market_value, notes FROM holding ORDER BY 1")
        held = db.session.execute(query).all()
        revision = db.session.execute(text("SELECT revision FROM account")).scalar()
    run = desk.sync(url).json["run"]
    assert (run["added"], run["changed"], run["closed"], run["repriced"]) == (0, 0, 0, 0)
    assert run["unchanged"] == 235
    assert {table: rows(desk, table) for table in tables} == before
    with desk.app.app_context():
        assert db.session.execute(query).all() == held
        assert db.session.execute(text("SELECT revision FROM account")).scalar() == revision
    assert len(rows(desk, "daily_value")) == 1
    assert len(rows(desk, "sync_run")) == 2


def test_prices_move_without_a_journal(desk):
    url = desk.connected()
    changes = len(rows(desk, "change"))
    desk.simulator.reprice(Decimal("1.01"))
    run = desk.sync(url).json["run"]
    assert (run["changed"], run["repriced"]) == (0, 230)
    assert len(rows(desk, "change")) == changes


def test_every_digit_arrives(desk):
    spy = desk.simulator.state.accounts[MAIN].find("SPY")
    spy.quantity = Decimal("0.12345678")
    spy.price = Decimal("12345678.901234567")
    url = desk.connected()
    page = desk.program.get(
        f"/api/v1{url.replace('/portfolio', '/portfolios')}/holdings?limit=500"
    )
    found = [row for row in page.json["holdings"] if row["instrument"]["symbol"] == "SPY"]
    quantities = {row["quantity"]: row["price"] for row in found}
    assert quantities["0.12345678"] == "12345678.901234567"


@pytest.mark.parametrize(
    "where", ["/ledger", "/positions/1", "/positions/3", "/portfolio/accounts"]
)
@pytest.mark.parametrize("answer", [{"status": 500}, {"body": b"<html>"}, {"status": 401}])
def test_a_failed_sync_leaves_the_holdings_and_the_next_one_heals(desk, where, answer):
    url = desk.connected()
    before = desk.holdings(url)
    desk.simulator.sell(MAIN, "SPY")
    desk.simulator.fail_next(where, **answer)
    failed = desk.sync(url)
    assert failed.status_code in (409, 503)
    assert failed.json["run"]["status"] == "failed"
    assert failed.json["error"]["code"] == failed.json["run"]["reason"]
    after = desk.holdings(url)
    assert after["holdings"] == before["holdings"]
    assert after["synced_at"] == before["synced_at"]
    assert desk.sync(url).json["run"]["closed"] == 1


def test_an_empty_answer_for_a_full_account_is_not_believed(desk):
    url = desk.connected()
    desk.simulator.fail_next("/positions/0", body=b"[]", times=2)
    desk.simulator.fail_next("/portfolio2/", body=b"[]")
    answer = desk.sync(url)
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "sync_rejected"
    assert (answer.json["run"]["status"], answer.json["run"]["reason"]) == ("rejected", "emptied")
    assert len(desk.holdings(url)["holdings"]) == 50
    assert desk.sync(url).json["run"]["status"] == "succeeded"


def test_a_holding_missing_in_one_read_only_is_not_believed(desk):
    url = desk.connected()
    page = [{"conid": 900000 + 13 * i, "position": 1} for i in range(2)]
    desk.simulator.fail_next("/positions/2", body=json.dumps(page).encode())
    answer = desk.sync(url)
    assert answer.json["run"]["status"] in ("rejected", "failed")
    assert desk.sync(url).json["run"]["status"] == "succeeded"


def test_a_true_liquidation_goes_through(desk):
    url = desk.connected()
    account = desk.simulator.state.accounts[MAIN]
    for row in list(account.held):
        desk.simulator.sell(MAIN, row.ticker)
    run = desk.sync(url).json["run"]
    assert (run["status"], run["closed"]) == ("succeeded", 230)
    assert desk.holdings(url)["holdings"] == []


def test_connecting_is_tested_before_it_is_saved(desk):
    url = desk.account()
    desk.simulator.sign_out()
    refused = desk.connect(url)
    assert refused.status_code == 409
    assert refused.json["error"]["message"].startswith("Not authenticated with IBKR")
    assert rows(desk, "connection") == []
    desk.simulator.sign_in()
    desk.turn()
    assert desk.connect(url).status_code == 201


def test_connecting_twice_changes_nothing_and_elsewhere_conflicts(desk):
    url = desk.connected()
    assert desk.connect(url).status_code == 200
    other = desk.account("B")
    assert desk.connect(other).json["error"]["code"] == "conflict"
    again = desk.program.post(f"{url}/connect/ibkr", json={"account_id": "U7654321"})
    assert (again.status_code, again.json["error"]["code"]) == (409, "conflict")
    missing = desk.program.post(f"{other}/connect/ibkr", json={"account_id": "U5555555"})
    assert missing.json["error"]["code"] == "broker_account_missing"


@pytest.mark.parametrize("holds", [False, True])
def test_connecting_as_the_wrong_user_says_who_is_signed_in(desk, holds):
    """What is required: “usually the wrong user (spouse, paper); says who is signed in”."""
    url, html = desk.account(), {"Accept": "text/html"}
    if holds:
        # A page then shows first what the first sync would do.
        cash = {"currency": "USD", "amount": "1"}
        made = desk.program.post("/api/v1/portfolios/1/accounts/A/cash", json=cash)
        assert made.status_code == 201
    desk.simulator.play("another-user")
    said = f"The account {MAIN} is not in the list of the signed-in user, spouse7 (live)."
    refused = desk.connect(url)
    assert (refused.status_code, refused.json["error"]["message"]) == (409, said)
    desk.turn()
    form = {"account_id": MAIN}
    page = desk.program.post(f"{url}/connect/ibkr", data=form, headers=html, follow_redirects=True)
    assert said in page.get_data(as_text=True)
    desk.simulator.play("calm")
    desk.turn()
    assert desk.connect(url).status_code == 201


def test_disconnect_can_close_and_reconnecting_finds_the_same_rows(desk):
    url = desk.connected()
    with desk.app.app_context():
        db.session.execute(text("UPDATE holding SET notes = 'mine' WHERE id = 1"))
        db.session.commit()
    desk.program.post(f"{url}/disconnect", json={"holdings": "close"})
    held = desk.holdings(url)
    assert (held["holdings"], held["cash"]) == ([], [])
    desk.turn()
    assert desk.connect(url).status_code == 201
    run = desk.sync(url).json["run"]
    assert run["added"] == 235
    assert len(rows(desk, "holding")) == 230
    assert rows(desk, "holding")[0].notes == "mine"


def test_quotes_that_nobody_renews_any_more_have_their_time(desk):
    url = desk.connected()
    read = desk.program.get("/api/v1/portfolios/1/accounts/A").json["synced_at"]
    assert {row.quoted_at for row in rows(desk, "holding")} == {None}
    desk.turn()
    desk.program.post(f"{url}/disconnect", json={})
    stamped = {str(row.quoted_at)[:19] for row in rows(desk, "holding") if row.price is not None}
    assert stamped == {read[:19].replace("T", " ")}
    # Those of this account are read again, and have a quote as old as that read.
    assert desk.connect(url).status_code == 201
    assert desk.sync(url).status_code == 200
    assert {row.quoted_at for row in rows(desk, "holding")} == {None}


def read_line(desk):
    """How a portfolio says when it was read, or nothing."""
    page = desk.program.get("/portfolio/1", headers={"Accept": "text/html"}).get_data(as_text=True)
    return (re.findall(r"accounts?, read [^<]*, (\w+ \w+ ago|just now)", page) or [""])[0]


def test_a_portfolio_was_read_when_what_it_is_the_sum_of_was(desk):
    url, other = desk.connected(), desk.account("B")
    assert desk.connect(other, account_id="U7654321").status_code == 201
    desk.turn(240)
    assert desk.sync(other).status_code == 200
    assert read_line(desk) == "4 min ago"
    # Without a rate, an account is not in the sum.
    account = "/api/v1/portfolios/1/accounts/A"
    for currency, told in (("XAG", "just now"), ("USD", "4 min ago")):
        assert desk.program.patch(account, json={"currency": currency}).status_code == 200
        assert read_line(desk) == told
    # What was disconnected is read no more.
    desk.program.post(f"{url}/disconnect", json={"holdings": "close"})
    assert read_line(desk) == "just now"
    desk.turn(120)
    assert read_line(desk) == "2 min ago"
    desk.program.post(f"{other}/disconnect", json={})
    assert read_line(desk) == ""
    desk.turn()
    assert desk.connect(other, account_id="U7654321").status_code == 201
    assert desk.sync(other).status_code == 200
    assert read_line(desk) == "just now"


def test_kept_rows_of_another_broker_account_are_not_touched(desk):
    url = desk.connected()
    desk.program.post(f"{url}/disconnect", json={})
    desk.turn()
    desk.program.post(f"{url}/connect/ibkr", json={"account_id": "U7654321"})
    run = desk.sync(url).json["run"]
    assert (run["status"], run["closed"]) == ("succeeded", 0)
    assert len(rows(desk, "holding")) == 237


def test_a_penalty_is_stored_and_survives_a_restart(desk):
    url = desk.connected()
    desk.simulator.fail_next("/ledger", status=429)
    answer = desk.sync(url)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 890
    # As all times of JSON are: a client parses one form.
    assert re.fullmatch(r"[-0-9]{10}T[:0-9]{8}\.\d{3}Z", answer.json["error"]["retry_at"])
    assert rows(desk, "gateway")[0].silent_until is not None
    sent = len(desk.simulator.requests)
    assert desk.sync(url).json["error"]["code"] == "rate_limited"
    assert len(desk.simulator.requests) == sent
    desk.turn(16 * 60)
    assert desk.sync(url).json["run"]["status"] == "succeeded"


def test_a_run_under_way_is_answered_with_the_same_run(desk):
    url = desk.connected()
    runner = desk.app.extensions["foliosync"].runner
    held = []
    original, runner._defer = runner._defer, lambda task: held.append(task)
    started = desk.program.post(f"{url}/sync", headers={"Prefer": "respond-async"})
    assert started.status_code == 202
    assert started.json["run"]["status"] == "running"
    assert started.headers["Location"].endswith(started.json["run"]["id"])
    second = desk.program.post(f"{url}/sync")
    assert (second.status_code, second.json["run"]["id"]) == (202, started.json["run"]["id"])
    runner._defer = original
    with desk.app.app_context():
        held[0]()
    done = desk.program.get(started.headers["Location"]).json
    assert done["status"] == "succeeded"


@pytest.mark.parametrize("waits", [True, False])
def test_disconnecting_raises_the_fence_before_a_run_that_waits_or_reads(desk, monkeypatch, waits):
    url = desk.connected()
    runner, store = desk.app.extensions["foliosync"].runner, services.store
    held = []
    original, runner._defer = runner._defer, lambda task: held.append(task)
    run = desk.program.post(f"{url}/sync", headers={"Prefer": "respond-async"}).json["run"]
    runner._defer = original
    desk.simulator.sell(MAIN, "SPY")

    def disconnect():
        assert desk.program.post(f"{url}/disconnect", json={}).status_code == 200

    def stored(*args):
        disconnect()
        store(*args)

    if waits:
        disconnect()
    else:
        monkeypatch.setattr(services, "store", stored)
    desk.turn()
    asked = len(desk.simulator.requests)
    with desk.app.app_context():
        held[0]()
    # Where it has only waited, the account is not even read once more.
    assert (len(desk.simulator.requests) == asked) is waits
    assert desk.program.get(f"/api/v1/runs/{run['id']}").json["status"] == "interrupted"
    assert len([r for r in rows(desk, "holding") if r.closed_at is None]) == 230


def test_a_dead_run_is_interrupted_by_the_next_one(desk):
    url = desk.connected()
    runner = desk.app.extensions["foliosync"].runner
    original, runner._defer = runner._defer, lambda task: None
    dead = desk.program.post(f"{url}/sync", headers={"Prefer": "respond-async"}).json["run"]
    runner._defer = original
    desk.turn(300)
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    assert desk.program.get(f"/api/v1/runs/{dead['id']}").json["status"] == "interrupted"


def test_a_changed_certificate_stops_the_sync_until_a_person_accepts_it(desk):
    from dataclasses import replace

    url = desk.connected()
    desk.network.shown = replace(desk.network.shown, fingerprint="cd" * 32)
    refused = desk.sync(url)
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "certificate_changed")
    found = desk.program.get("/ibkr/test-connection").json
    assert (found["connected"], found["code"]) == (False, "certificate_changed")
    wrong = desk.program.post("/api/v1/gateways/1/certificate", json={"fingerprint": "ee" * 32})
    assert wrong.status_code == 409
    body = {"fingerprint": ":".join(["CD"] * 32)}
    assert desk.program.post("/api/v1/gateways/1/certificate", json=body).status_code == 200


def test_testing_the_connection_links_and_pins_nothing(desk):
    desk.account()
    found = desk.program.get("/ibkr/test-connection").json
    assert (found["connected"], found["code"]) == (True, "ready")
    assert found["message"] == "Connected to Interactive Brokers"
    assert found["session"]["user"] == "demo42"
    assert rows(desk, "gateway")[0].certificate_pem is None
    assert rows(desk, "connection") == []
