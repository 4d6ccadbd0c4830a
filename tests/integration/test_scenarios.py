"""Every trouble by name: the right code, the holdings as they were, and the recovery."""

from __future__ import annotations

import pytest

from brokers.ibkr.simulator.scenarios import SCENARIOS
from portfolio.connections.queries import broker_codes

WARNINGS = {"signed_in_elsewhere", "no_market_data", "certificate_stock", "currency_guessed"}
WARNINGS |= {"lists_disagree"}
TROUBLES = [name for name, of in SCENARIOS.items() if of.leads_to not in WARNINGS | {"ready"}]
ABSTRACT = {"broker_error", "temporary", "needs_user", "refused"}


def calm_again(desk):
    desk.simulator.play("calm")
    desk.turn(1000)


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_is_named_leaves_the_holdings_and_heals(desk, name):
    url = desk.connected()
    before = desk.holdings(url)
    expected = desk.simulator.play(name).leads_to
    desk.turn(400)
    answer = desk.sync(url)
    error = answer.json["error"]
    assert error["code"] == expected, answer.json
    needs_user = broker_codes().get(expected, True)
    assert answer.status_code == (409 if needs_user else 503)
    assert error["message"]
    assert error["remedy"]
    after = desk.holdings(url)
    assert [row["quantity"] for row in after["holdings"]] == [
        row["quantity"] for row in before["holdings"]
    ]
    assert after["totals"] == before["totals"]
    page = desk.program.get(url, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "Everything below is as it was read" in page
    calm_again(desk)
    assert desk.sync(url).json["run"]["status"] == "succeeded"


def diagnosis(desk):
    return desk.program.get("/ibkr/test-connection").json


# The doctor looks at one page of one account; these show only when a whole account is read.
ONLY_A_SYNC = {"repeated-page", "ledger-without-total", "moving-cash"}
ONLY_A_SYNC |= {name for name in TROUBLES if SCENARIOS[name].leads_to == "sync_rejected"}


@pytest.mark.parametrize("name", [name for name in TROUBLES if name not in ONLY_A_SYNC])
def test_the_doctor_names_the_broken_link(desk, name):
    desk.connected()
    expected = desk.simulator.play(name).leads_to
    desk.turn(400)
    found = diagnosis(desk)
    assert (found["connected"], found["code"]) == (False, expected)
    broken = [check for check in found["checks"] if check["ok"] is False]
    assert len(broken) == 1
    assert broken[0]["remedy"]
    calm_again(desk)
    assert diagnosis(desk)["connected"]


@pytest.mark.parametrize("name", [n for n, of in SCENARIOS.items() if of.leads_to in WARNINGS])
def test_a_warning_is_no_failure(desk, name):
    url = desk.connected()
    expected = desk.simulator.play(name).leads_to
    run = desk.sync(url).json["run"]
    assert run["status"] == "succeeded"
    assert run["warnings"] == [expected]


@pytest.mark.parametrize("name", [n for n, of in SCENARIOS.items() if of.leads_to == "ready"])
def test_oddities_and_truths_go_through(desk, name):
    url = desk.connected()
    desk.simulator.play(name)
    desk.turn(10)
    run = desk.sync(url).json["run"]
    if run["status"] == "rejected":
        # A liquidation waits for a second look, ten minutes later.
        desk.turn(700)
        run = desk.sync(url).json["run"]
    assert run["status"] == "succeeded", run
    expected = {"sold": 1, "liquidated": 230}.get(name, 0)
    assert run["closed"] == expected


@pytest.mark.parametrize("before", ["liquidated", "sold", "list-empty"])
def test_whatever_was_played_before_each_can_be_played_and_again(desk, before):
    for name in SCENARIOS:
        for played in (before, name, name):
            desk.simulator.play(played)
            held = [row.conid for row in desk.simulator.state.accounts["U1234567"].held]
            assert len(held) == len(set(held)), (before, name)


def test_every_broker_code_has_a_scenario():
    shown = {of.leads_to for of in SCENARIOS.values()}
    # The gateway knows its user by itself: its adapter needs no secrets.
    assert set(broker_codes()) - ABSTRACT - {"credentials_missing"} <= shown


def test_one_of_every_class_is_kept(desk):
    desk.simulator.play("every-class")
    url = desk.account()
    desk.turn()
    answer = desk.program.post(f"{url}/connect/ibkr", json={"account_id": "U5550000"})
    assert answer.status_code == 201
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    rows = {row["instrument"]["symbol"]: row for row in desk.holdings(url)["holdings"]}
    kinds = {symbol: row["instrument"]["kind"] for symbol, row in rows.items()}
    assert kinds["NEW"] == "other"
    assert set(kinds.values()) == {
        *("bond", "bill", "fund", "future_option", "warrant", "structured", "cfd", "crypto"),
        *("commodity", "event", "index", "other"),
    }
    assert "EUR.USD" not in rows
    assert "GONE" not in rows
    assert rows["BTC"]["quantity"] == "0.12345678"
    assert rows["SIE W"]["instrument"]["multiplier"] == "0.1"
    assert rows["ES"]["instrument"]["right"] == "put"
    assert rows["IBDE40"]["counts_in_value"] is False
    assert rows["T 4 1/8 2033"]["cost"] == "10120"
