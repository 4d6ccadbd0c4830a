"""The simulated gateway answers what a real one does where a reader goes wrong, and by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from werkzeug.test import Client

from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.pages import NEEDED
from brokers.ibkr.simulator.scenarios import SCENARIOS
from brokers.testing.clock import FakeClock
from portfolio.clock import SystemClock

MAIN = "U1234567"
API = "/v1/api"


@pytest.fixture
def gateway():
    return Client(Simulator(FakeClock(), limits=False))


def control(gateway, action, **values):
    return gateway.post(f"/simulator/{action}", data=values).status_code


def rows_of(gateway):
    gateway.get(f"{API}/portfolio/accounts")
    found = [gateway.get(f"{API}/portfolio/{MAIN}/positions/0") for _ in range(2)][-1].json
    return {row["contractDesc"]: row for row in found}


def held(gateway):
    return {symbol: row["position"] for symbol, row in rows_of(gateway).items()}


def test_people_log_in_on_its_page():
    gateway = Client(Simulator(FakeClock(), signed_in=False, limits=False))
    found = gateway.get("/")
    assert (found.status_code, found.location.startswith("/sso/Login")) == (302, True)
    assert "<form" in gateway.get(found.location).text
    assert gateway.get(f"{API}/portfolio/accounts").status_code == 401
    assert "Client login succeeds" in gateway.post("/sso/Dispatcher").text
    assert gateway.get(f"{API}/portfolio/accounts").status_code == 200
    assert gateway.get("/sso/other").status_code == 404


def test_what_it_does_not_know_leads_away(gateway):
    found = gateway.get("/somewhere/else")
    assert (found.status_code, found.location) == (302, "https://broker.invalid/somewhere/else")


def test_accounts_come_first_and_only_those_there_are(gateway):
    early = gateway.get(f"{API}/portfolio/{MAIN}/positions/0")
    assert (early.status_code, "query /accounts first" in early.json["error"]) == (400, True)
    gateway.get(f"{API}/portfolio/accounts")
    other = gateway.get(f"{API}/portfolio/U9999999/positions/0")
    assert (other.status_code, "not valid" in other.json["error"]) == (400, True)
    many = ",".join(map(str, range(1000)))
    assert gateway.get(f"{API}/trsrv/secdef?conids={many}").status_code == 400


def test_on_its_page_one_signs_out_and_in_and_sells(gateway):
    before = held(gateway)
    symbol = next(iter(before))
    assert control(gateway, "sign-out") == 303
    assert gateway.get(f"{API}/portfolio/accounts").status_code == 401
    assert control(gateway, "sign-in") == 303
    assert control(gateway, "sell", account=MAIN, symbol=symbol) == 303
    assert symbol not in held(gateway)


def test_on_its_page_one_buys_more_and_moves_prices(gateway):
    before = rows_of(gateway)
    shares = [of for of, row in before.items() if row["assetClass"] == "STK"]
    assert control(gateway, "buy", account=MAIN, every=10) == 303
    bought = rows_of(gateway)
    assert {of: row["position"] - before[of]["position"] for of, row in bought.items()} == {
        of: of in shares[::10] for of in before
    }
    assert control(gateway, "move", percent="1.5") == 303
    assert {of: row["mktPrice"] for of, row in rows_of(gateway).items()} == {
        of: pytest.approx(row["mktPrice"] * 1.015, abs=1e-6) for of, row in bought.items()
    }


@pytest.mark.parametrize(
    ("action", "values", "status"),
    [
        ("buy", {"account": "U1", "every": "20"}, 400),
        ("buy", {"account": MAIN, "every": "0"}, 400),
        ("buy", {"account": MAIN, "every": "-1"}, 400),
        ("move", {"percent": "some"}, 400),
        ("move", {"percent": "NaN"}, 400),
        ("move", {"percent": "-100"}, 400),
        ("move", {"percent": "1e9"}, 400),
        ("sell", {"account": "U1", "symbol": "X"}, 400),
        ("sell", {"account": MAIN, "symbol": "X", "quantity": "many"}, 400),
        ("sell", {"account": MAIN, "symbol": "SPY", "quantity": "-1"}, 400),
        ("sell", {"account": MAIN, "symbol": "SPY", "quantity": "Infinity"}, 400),
        ("play", {"scenario": "none"}, 400),
        ("turn", {"minutes": "-1"}, 400),
        ("turn", {"minutes": "soon"}, 400),
        ("turn", {}, 400),
        ("explode", {}, 404),
    ],
)
def test_a_wrong_action_is_refused_and_changes_nothing(gateway, action, values, status):
    before = rows_of(gateway)
    answer = gateway.post(f"/simulator/{action}", data=values)
    assert answer.status_code == status
    assert rows_of(gateway) == before
    # People read it: what to write, and the way back.
    if status == 400:
        assert (NEEDED[action] in answer.text, 'href="/simulator"' in answer.text) == (True, True)
        assert not re.search(r"class|invalid|literal|\[", answer.text.split("</h1>")[1])


@pytest.mark.parametrize("name", ["sold", "split"])
def test_what_was_sold_is_not_sold_once_more(name):
    """What a trouble needs is bought first where everything was sold: nothing is given away."""
    simulator = Simulator(FakeClock())
    simulator.play("liquidated")
    account = simulator.state.accounts[MAIN]

    def worth():
        return account.cash["USD"].balance + sum(row.value for row in account.held)

    before = worth()
    simulator.play(name)
    assert worth() == before


@pytest.mark.parametrize("unread", [True, False])
def test_the_list_of_troubles_may_be_read_in_part(unread):
    reading, writing = os.pipe()
    if unread:
        os.close(reading)
    command = [sys.executable, "-m", "brokers.ibkr.simulator", "--list"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141 if unread else 0, "")
    if not unread:
        with os.fdopen(reading) as listed:
            assert len(listed.readlines()) == len(SCENARIOS)


def test_its_page_turns_no_clock_that_cannot_be_turned(gateway):
    """The demo has the computer's own: its form could only fail."""
    assert "Turn the clock" in gateway.get("/simulator").text
    assert "Turn the clock" not in Client(Simulator(SystemClock())).get("/simulator").text


def test_another_site_cannot_use_its_page(gateway):
    answer = gateway.post("/simulator/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert gateway.get(f"{API}/portfolio/accounts").status_code == 200


def test_programs_read_and_write_json(gateway):
    assert gateway.post("/simulator/turn", json={"minutes": 1}).status_code == 303
    assert gateway.get("/simulator/state.json").json


KEYS = {
    *("position", "conid", "avgCost", "avgPrice", "currency", "description", "isLastToLoq"),
    *("marketPrice", "marketValue", "realizedPnl", "secType", "timestamp", "unrealizedPnl"),
    *("assetClass", "sector", "group", "model"),
}


def test_the_list_in_one_answer_has_all_rows_under_other_names_and_no_account():
    simulator = Simulator(FakeClock(), limits=False)
    account = simulator.state.accounts[MAIN]
    account.held.append(replace(account.held[0], model="Growth"))
    simulator.sell(MAIN, "AAPL", keep_zero_row=True)
    gateway = Client(simulator)
    gateway.get(f"{API}/portfolio/accounts")
    rows = gateway.get(f"{API}/portfolio2/{MAIN}/positions").json
    assert {frozenset(row) for row in rows} == {frozenset(KEYS)}
    assert len(rows) == len(account.held)
    assert {type(row["conid"]) for row in rows} == {int, str}
    zero = next(row for row in rows if row["description"] == "AAPL")
    assert (zero["position"], zero["avgCost"]) == (0, None)
    assert [row["model"] for row in rows if int(row["conid"]) == account.held[0].conid] == [
        "",
        "Growth",
    ]
    # A page that is asked for changes nothing, and another account is not answered.
    assert gateway.get(f"{API}/portfolio2/{MAIN}/positions?pageId=7").json == rows
    assert gateway.get(f"{API}/portfolio2/U9999999/positions").status_code == 400


def test_the_list_in_one_answer_counts_among_the_calls():
    gateway = Client(Simulator(FakeClock()))
    gateway.get(f"{API}/portfolio/accounts")
    path = f"{API}/portfolio2/{MAIN}/positions"
    assert [gateway.get(path).status_code for _ in range(10)] == [200] * 9 + [429]


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_trouble_does_to_an_account_lasts_where_it_says_so_and_nothing_else_does(name):
    simulator, before = Simulator(FakeClock()), Simulator(FakeClock()).state
    client = Client(simulator)
    simulator.play(name)
    for path in ("tickle", "portfolio/accounts", f"portfolio/{MAIN}/ledger"):
        client.get(f"{API}/{path}")
    simulator.play("calm")
    state = simulator.state
    assert (state.accounts != before.accounts) == (name in simulator.lasting)
    troubles = ("user", "signed_in", "rewrites", "faults", "transport", "delay", "penalty_until")
    troubles += ("certificate", "idle_limit", "ends_at", "always_lean")
    for field in troubles:
        assert getattr(state, field) == getattr(before, field), field
