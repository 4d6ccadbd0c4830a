"""An account that is connected and was never read: what it holds is not known, and never 0."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from sqlalchemy import select

from brokers.ibkr.simulator.data import Cash
from portfolio.accounts.models import Account, AccountTotals
from portfolio.accounts.queries.totals import stamp
from portfolio.db.session import read_only
from tests.integration.conftest import MAIN
from tests.integration.test_by_hand import VWCE
from tests.integration.test_pages import cost

HTML = {"Accept": "text/html"}
API = "/api/v1/portfolios/1"
KIDS = "U7654321"
SUMS = (
    *("market_value", "cash", "accrued_interest", "accrued_dividends"),
    *("net_liquidation", "unrealized_pnl", "broker_net_liquidation"),
)
WITHOUT = "without what the broker holds now: never read yet"
DOLLARS = {"currency": "USD", "amount": "5"}


def totals(desk, name="A"):
    return desk.program.get(f"{API}/accounts/{name}/holdings").json["totals"]


def known(desk, name="A"):
    """Which sums of an account are known."""
    of = totals(desk, name)
    return {key: of[key] for key in SUMS if of[key] is not None}


def portfolio(desk):
    return desk.program.get(API).json


def days(desk, name="A"):
    return [
        of["net_liquidation"]
        for of in desk.program.get(f"{API}/accounts/{name}/values").json["items"]
    ]


def words(desk, path="/portfolio/1/accounts/A", **headers):
    """A page as it reads."""
    answer = desk.program.get(path, headers=HTML | headers)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text))


def is_stored(desk, name="A"):
    """Whether the totals of an account are stored as it is now, and need no working out."""
    with desk.app.app_context(), read_only() as session:
        account = session.scalars(select(Account).where(Account.name == name)).one()
        row = session.scalars(select(AccountTotals).filter_by(account_id=account.id)).one()
        return row.state == stamp(account, account.portfolio.owner.rates_revision)


def linked(desk, **more):
    url = desk.account()
    desk.turn()
    assert desk.connect(url, **more).status_code == 201
    return url


def test_no_figure_of_it_is_known_and_each_says_why(anywhere):
    linked(anywhere)
    assert (known(anywhere), totals(anywhere)["incomplete"]) == ({}, [WITHOUT])
    assert (totals(anywhere)["by_kind"], totals(anywhere)["by_currency"]) == ({}, {})
    assert is_stored(anywhere)
    page = words(anywhere)
    assert page.count("— never read yet") == 5
    assert WITHOUT in page
    assert "0.00" not in page
    for said in ("Holdings · 0", "Nothing is held here", "No cash.", "stale", "0 currencies"):
        assert said not in page
    assert "What is held here is not known: never read yet. Sync brings it." in page
    # To what a filter finds it has nothing to say.
    assert "Nothing matches." in words(anywhere, "/portfolio/1/accounts/A?text=spy")
    assert cost(anywhere, "/portfolio/1/accounts/A") <= 6


def test_a_portfolio_is_without_it(anywhere):
    linked(anywhere)
    of = portfolio(anywhere)
    assert (of["net_liquidation"], of["incomplete"]) == (None, ["without A: never read yet"])
    anywhere.account("B")
    anywhere.program.post(f"{API}/accounts/B/cash", json=DOLLARS)
    of = portfolio(anywhere)
    assert (of["net_liquidation"], of["incomplete"]) == ("5", ["without A: never read yet"])
    # What is counted is not old, and what is not counted is not included.
    assert of["stale"] is False
    for path in ("/", "/portfolio/1"):
        page = words(anywhere, path)
        assert "5.00 USD" in page
        assert "without A: never read yet" in page
        assert "includes" not in page
        assert "stale" not in page
        assert "0.00" not in page.replace("5.00", "")
    assert f"connected · {MAIN} · never read yet" in page


def test_its_day_has_no_value_until_it_is_read(anywhere):
    url = anywhere.account()
    # Kept by hand, with nothing in it: that is 0.
    assert days(anywhere) == ["0"]
    anywhere.turn()
    anywhere.connect(url)
    assert days(anywhere) == [None]
    # Whatever renews it: a rate of the owner, another currency of the account.
    rate = {"from": "EUR", "to": "USD", "rate": "1.1"}
    assert anywhere.program.post("/api/v1/rates", json=rate).status_code == 201
    path = f"{API}/accounts/A"
    assert anywhere.program.patch(path, json={"currency": "EUR"}).status_code == 200
    assert (days(anywhere), known(anywhere)) == ([None], {})
    assert "not known that day" in words(anywhere, f"{url}/values")
    anywhere.sync(url)
    assert days(anywhere) == [totals(anywhere)["net_liquidation"]]
    assert days(anywhere)[0] is not None


def test_the_first_read_brings_all_of_it(anywhere):
    url = linked(anywhere)
    anywhere.sync(url)
    assert set(known(anywhere)) == set(SUMS)
    assert (totals(anywhere)["incomplete"], is_stored(anywhere)) == ([], True)
    assert portfolio(anywhere)["incomplete"] == []
    assert "never read yet" not in words(anywhere)


def test_an_account_that_was_read_and_is_empty_is_worth_nothing(anywhere):
    account = anywhere.simulator.state.accounts[MAIN]
    account.held.clear()
    account.cash = {"USD": Cash(balance=Decimal(0))}
    url = linked(anywhere)
    anywhere.sync(url)
    assert {totals(anywhere)[key] for key in SUMS} == {"0"}
    assert (totals(anywhere)["incomplete"], is_stored(anywhere)) == ([], True)
    assert days(anywhere) == ["0"]
    page = words(anywhere)
    assert "Net liquidation 0.00 USD" in page
    assert "Nothing is held here." in page


def test_what_was_sold_is_not_said_to_be_still_to_come(anywhere):
    url = anywhere.connected()
    account = anywhere.simulator.state.accounts[MAIN]
    before = list(account.held)
    anywhere.simulator.play("liquidated")
    anywhere.sync(url)
    assert "Nothing is held here now: 230 no longer held." in words(anywhere)
    anywhere.sync(url)
    page = words(anywhere)
    assert "Nothing is held here. Add a holding" in page
    assert "here yet" not in page
    account.held.extend(before)
    anywhere.sync(url)
    assert "Nothing is held here" not in words(anywhere)


def test_what_is_kept_by_hand_counts_and_is_said_to_be_a_part(anywhere):
    url = anywhere.account()
    anywhere.program.post(f"{API}/accounts/A/holdings", json={**VWCE, "currency": "USD"})
    anywhere.turn()
    anywhere.connect(url)
    of = totals(anywhere)
    value = of["net_liquidation"]
    assert known(anywhere) == dict.fromkeys(("market_value", "net_liquidation"), value) | {
        "unrealized_pnl": of["unrealized_pnl"]
    }
    assert of["incomplete"] == [WITHOUT]
    whole = portfolio(anywhere)
    assert (whole["net_liquidation"], whole["incomplete"]) == (value, [f"A: {WITHOUT}"])
    page = words(anywhere)
    assert "Holdings · 1" in page
    assert "% of cost" in page
    assert "Cash — never read yet" in page
    assert f"A: {WITHOUT}" in words(anywhere, "/portfolio/1")
    # Money by hand as well.
    anywhere.program.post(f"{API}/accounts/A/cash", json=DOLLARS)
    assert (totals(anywhere)["cash"], totals(anywhere)["incomplete"]) == ("5", [WITHOUT])


def test_a_row_without_a_price_is_named_beside_it(anywhere):
    anywhere.account()
    body = {**VWCE, "currency": "USD", "price": None}
    anywhere.program.post(f"{API}/accounts/A/holdings", json=body)
    linked(anywhere)
    assert known(anywhere) == {}
    assert portfolio(anywhere)["incomplete"] == [
        "A: without 1 holding: no price",
        "without A: never read yet",
    ]


def test_a_portfolio_is_complete_where_only_a_profit_is_not_known(anywhere):
    """It says none; a list without what things had cost made each total of it look like a part."""
    anywhere.account()
    body = {**VWCE, "currency": "USD", "average_price": None}
    anywhere.program.post(f"{API}/accounts/A/holdings", json=body)
    profit = "P&L without 1 holding: cost or price not known"
    assert totals(anywhere)["incomplete"] == [profit]
    assert profit.replace("&", "&amp;") in words(anywhere)
    assert portfolio(anywhere)["incomplete"] == []
    for url in ("/", "/portfolio/1"):
        assert "P&amp;L without" not in words(anywhere, url)
    # What the value is without is said there as before.
    body |= {"symbol": "NONE", "price": None}
    anywhere.program.post(f"{API}/accounts/A/holdings", json=body)
    assert portfolio(anywhere)["incomplete"] == ["A: without 1 holding: no price"]
    assert "A: without 1 holding: no price" in words(anywhere, "/portfolio/1")


def test_nothing_needs_no_rate(anywhere):
    anywhere.account()
    made = anywhere.program.post(f"{API}/accounts", json={"name": "Z", "currency": "CHF"})
    assert made.status_code == 201
    anywhere.program.post(f"{API}/accounts/A/cash", json=DOLLARS)
    of = portfolio(anywhere)
    assert (of["net_liquidation"], of["incomplete"]) == ("5", [])
    assert "no rate" not in words(anywhere, "/portfolio/1")
    # Bought on credit: the whole is nothing, and its parts are something.
    stock = {**VWCE, "currency": "CHF", "quantity": "2", "price": "50"}
    anywhere.program.post(f"{API}/accounts/Z/holdings", json=stock)
    debt = {"currency": "CHF", "amount": "-100"}
    cash = anywhere.program.post(f"{API}/accounts/Z/cash", json=debt).json
    of = portfolio(anywhere)
    apart = "allocation without Z: no rate for CHF"
    assert (of["net_liquidation"], of["incomplete"]) == ("5", [apart])
    assert of["by_kind"] == {"cash": "5"}
    for url in ("/", "/portfolio/1"):
        assert apart in words(anywhere, url)
    path = f"{API}/accounts/Z/cash/{cash['id']}"
    assert anywhere.program.patch(path, json={"amount": "-90"}).status_code == 200
    of = portfolio(anywhere)
    assert (of["net_liquidation"], of["incomplete"]) == ("5", ["without Z: no rate for CHF"])
    rate = {"from": "CHF", "to": "USD", "rate": "2"}
    assert anywhere.program.post("/api/v1/rates", json=rate).status_code == 201
    of = portfolio(anywhere)
    assert (of["net_liquidation"], of["incomplete"]) == ("25", [])
    assert of["by_kind"] == {"etf": "200", "cash": "-175"}


def test_of_what_was_never_read_nothing_is_no_value_in_whichever_currency(anywhere):
    made = anywhere.program.post("/api/v1/portfolios", json={"name": "P", "base_currency": "EUR"})
    assert made.status_code == 201
    linked(anywhere)
    of = portfolio(anywhere)
    assert (of["net_liquidation"], of["incomplete"]) == (None, ["without A: never read yet"])
    anywhere.sync("/portfolio/1/accounts/A")
    assert portfolio(anywhere)["net_liquidation"] is not None


@pytest.mark.parametrize("holdings", ["keep", "close"])
def test_kept_by_hand_again_nothing_is_nothing(anywhere, holdings):
    url = linked(anywhere)
    done = anywhere.program.post(f"{url}/disconnect", json={"holdings": holdings})
    assert done.status_code == 200
    assert totals(anywhere)["net_liquidation"] == "0"
    assert (totals(anywhere)["incomplete"], is_stored(anywhere)) == ([], True)
    assert days(anywhere) == ["0"]
    assert "Nothing is held here." in words(anywhere)


def test_what_was_kept_counts_when_it_is_connected_again(anywhere):
    url = anywhere.connected()
    value = totals(anywhere)["net_liquidation"]
    anywhere.program.post(f"{url}/disconnect", json={"holdings": "keep"})
    linked(anywhere)
    assert (totals(anywhere)["net_liquidation"], totals(anywhere)["incomplete"]) == (
        value,
        [WITHOUT],
    )
    # The agreement of that time says nothing about now.
    page = words(anywhere)
    assert "never read yet" in page
    for said in ("agree", "235 added"):
        assert said not in page
        assert said not in words(anywhere, "/connections")
    anywhere.sync(url)
    assert (totals(anywhere)["incomplete"], is_stored(anywhere)) == ([], True)
    assert totals(anywhere)["net_liquidation"] == value


@pytest.mark.parametrize("trouble", ["empty-positions", "gateway-down"])
def test_how_a_former_connection_ended_is_not_how_this_one_is(anywhere, trouble):
    url = anywhere.connected()
    anywhere.simulator.play(trouble)
    assert anywhere.sync(url).status_code in {409, 503}
    state = anywhere.program.get("/api/v1/connections").json["items"][0]["state"]
    assert state in {"not_applied", "waiting"}
    anywhere.program.post(f"{url}/disconnect", json={})
    anywhere.simulator.play("calm")
    # The gateway is rested after a failure.
    anywhere.turn(120)
    assert anywhere.connect(url).status_code == 201
    assert anywhere.program.get("/api/v1/connections").json["items"][0]["state"] == "ready"
    page = words(anywhere)
    assert "never read yet" in page
    for said in ("Not applied", "Failed to connect", "Look at the sync"):
        assert said not in page


def test_a_difference_that_a_former_connection_saw_is_not_seen_twice(anywhere):
    url = anywhere.connected()
    anywhere.simulator.play("books-differ")
    assert anywhere.sync(url).json["run"]["reconciliation"]["status"] == "differs"
    anywhere.program.post(f"{url}/disconnect", json={})
    linked(anywhere)
    for warnings in ([], ["not_reconciled"]):
        run = anywhere.sync(url).json["run"]
        assert (run["reconciliation"]["status"], run["warnings"]) == ("differs", warnings)
    anywhere.simulator.play("calm")
    assert anywhere.sync(url).json["run"]["warnings"] == []


def test_a_run_of_another_broker_account_taken_back_ends_no_alarm(anywhere):
    url = anywhere.connected()
    anywhere.simulator.sell(MAIN, "SPY")
    former = anywhere.sync(url).json["run"]["id"]
    anywhere.program.post(f"{url}/disconnect", json={})
    anywhere.simulator.play("books-differ")
    assert anywhere.connect(url, account_id=KIDS).status_code == 201
    warnings = [anywhere.sync(url).json["run"]["warnings"] for _ in range(2)]
    assert warnings == [[], ["not_reconciled"]]
    anywhere.turn()
    assert anywhere.program.post(f"/api/v1/runs/{former}/undo").status_code == 200
    assert anywhere.sync(url).json["run"]["warnings"] == ["not_reconciled"]
    anywhere.simulator.play("calm")
    assert anywhere.sync(url).json["run"]["warnings"] == []


def test_closed_holdings_are_not_what_it_holds_now(anywhere):
    url = anywhere.connected()
    anywhere.simulator.sell(MAIN, "SPY")
    anywhere.sync(url)
    anywhere.program.post(f"{url}/disconnect", json={"holdings": "close"})
    assert totals(anywhere)["net_liquidation"] == "0"
    linked(anywhere)
    assert known(anywhere) == {}
    assert "no longer held" not in words(anywhere)


def test_the_first_sync_taken_back_leaves_it_unknown(anywhere):
    url = linked(anywhere)
    run = anywhere.sync(url).json["run"]
    undone = anywhere.program.post(f"/api/v1/runs/{run['id']}/undo")
    assert undone.status_code == 200
    assert (known(anywhere), is_stored(anywhere), days(anywhere)) == ({}, True, [None])
    page = words(anywhere)
    assert "What was held here before the first sync is not known." in page
    assert "Nothing is held here" not in page


@pytest.mark.parametrize("broker_account", [MAIN, KIDS])
def test_a_run_of_a_former_connection_taken_back_leaves_it_unknown(anywhere, broker_account):
    url = anywhere.connected()
    anywhere.simulator.sell(MAIN, "SPY")
    run = anywhere.sync(url).json["run"]
    anywhere.program.post(f"{url}/disconnect", json={})
    assert anywhere.connect(url, account_id=broker_account).status_code == 201
    assert anywhere.program.post(f"/api/v1/runs/{run['id']}/undo").status_code == 200
    assert totals(anywhere)["incomplete"] == [WITHOUT]
    account = anywhere.program.get(f"{API}/accounts/A").json
    assert (account["synced_at"], account["stale"]) == (None, True)
    # Only the next sync of the same broker account would bring the run again.
    assert account["connection"]["paused"] == (broker_account == MAIN)
    assert anywhere.sync(url).status_code == 200
    assert totals(anywhere)["incomplete"] == []


def test_a_run_of_another_broker_account_taken_back_leaves_the_time_of_the_read(anywhere):
    url = anywhere.connected()
    anywhere.simulator.sell(MAIN, "SPY")
    run = anywhere.sync(url).json["run"]
    anywhere.program.post(f"{url}/disconnect", json={})
    assert anywhere.connect(url, account_id=KIDS).status_code == 201
    first = anywhere.sync(url).json["run"]
    before = anywhere.program.get(f"{API}/accounts/A").json
    undone = anywhere.program.post(f"/api/v1/runs/{run['id']}/undo")
    assert undone.status_code == 200
    assert anywhere.program.get(f"{API}/accounts/A").json == before
    # Before its own first run nothing is known of it, whatever was read of the other one.
    assert anywhere.program.post(f"/api/v1/runs/{first['id']}/undo").status_code == 200
    assert totals(anywhere)["incomplete"] == [WITHOUT]
    assert anywhere.program.get(f"{API}/accounts/A").json["synced_at"] is None
    assert anywhere.sync(url).status_code == 200
    assert totals(anywhere)["incomplete"] == []


def test_while_the_first_sync_is_under_way_nothing_is_0(desk):
    url = linked(desk)
    runner = desk.app.extensions["foliosync"].runner
    begun, original, runner._defer = [], runner._defer, lambda task: begun.append(task)
    headers = {"Prefer": "respond-async"}
    assert desk.program.post(f"{url}/sync", headers=headers).status_code == 202
    runner._defer = original
    page = words(desk)
    assert "syncing since" in page
    assert "What is held here is shown when the sync is over." in page
    assert "0.00" not in page
    desk.turn()
    with desk.app.app_context():
        begun[0]()
    assert set(known(desk)) == set(SUMS)
