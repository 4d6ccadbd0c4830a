"""Connecting an account that holds something: the preview, what is replaced, what counts twice."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from portfolio.db.base import db
from tests.integration.test_fooled import rewrite

HTML = {"Accept": "text/html"}
P = "/api/v1/portfolios/1/accounts"
A = f"{P}/A"
MAIN, KIDS = "U1234567", "U7654321"


@pytest.fixture
def kept(desk):
    """An account that holds SPY (with notes), something of its own, and dollars, by hand."""
    url = desk.account()
    for symbol, kind, notes in (("SPY", "etf", "for Ada"), ("GOLD BAR", "commodity", None)):
        body = {"symbol": symbol, "kind": kind, "currency": "USD", "quantity": "5", "price": "10"}
        made = desk.program.post(f"{A}/holdings", json={**body, "notes": notes})
        assert made.status_code == 201, made.json
    assert (
        desk.program.post(f"{A}/cash", json={"currency": "USD", "amount": "7"}).status_code == 201
    )
    desk.turn()
    return desk, url


def held(desk):
    page = desk.program.get(f"{A}/holdings?limit=500").json
    plain = [row for row in page["holdings"] if row["instrument"]["kind"] != "option"]
    return page, {(row["instrument"]["symbol"], row["source"]): row for row in plain}


def warnings(desk):
    return desk.program.get(A).json["warnings"]


def form(desk, url, **values):
    return desk.program.post(f"{url}/connect/ibkr", data=values, headers=HTML)


def test_a_browser_is_shown_what_the_first_sync_will_do(kept):
    desk, url = kept
    page = form(desk, url, account_id="U1234567", username="")
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    assert "235 added" in re.sub(r"<[^>]+>", "", text)
    ticked = re.findall(r'name="(replace_\w+)" value="(\d+)"( checked)?', text)
    assert ticked == [
        ("replace_holdings", "1", " checked"),
        ("replace_cash", "1", " checked"),
        ("replace_holdings", "2", ""),
    ]
    assert "keep my notes" in text
    assert desk.program.get("/api/v1/connections").json["items"] == []
    desk.turn()
    chosen = {"account_id": "U1234567", "looked_at": "on", "replace_holdings": "1"}
    done = form(desk, url, **chosen)
    assert (done.status_code, done.location) == (303, url)


@pytest.mark.parametrize("name", ["SPY", 40 * "LONG"])
def test_what_is_ticked_is_what_would_count_twice(desk, name):
    """Longer than a symbol is kept here, it is cut."""

    def rename(body):
        for row in body if isinstance(body, list) else body["secdef"]:
            if (row.get("ticker"), row.get("assetClass")) == ("SPY", "STK"):
                row["ticker"] = name

    url = desk.account()
    for path in ("/positions", "/secdef"):
        rewrite(desk, path, rename)
    body = {"symbol": name[:100], "kind": "etf", "currency": "USD", "quantity": "5"}
    assert desk.program.post(f"{A}/holdings", json=body).status_code == 201
    desk.turn()
    page = form(desk, url, account_id=MAIN, username="").get_data(as_text=True)
    assert 'name="replace_holdings" value="1" checked' in page
    desk.turn()
    assert desk.connect(url, manual_holdings="keep").status_code == 201
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    _, rows = held(desk)
    assert rows[body["symbol"], "manual"]["duplicate_of"] == rows[body["symbol"], "ibkr"]["id"]


def test_what_is_ticked_is_replaced_with_its_notes_and_the_rest_is_said(kept):
    desk, url = kept
    chosen = {"account_id": "U1234567", "replace_holdings": [1], "replace_cash": []}
    assert desk.program.post(f"{url}/connect/ibkr", json=chosen).status_code == 201
    run = desk.sync(url).json["run"]
    assert (run["added"], run["closed"]) == (235, 1)
    _, rows = held(desk)
    assert ("SPY", "manual") not in rows
    assert rows["SPY", "ibkr"]["notes"] == "for Ada"
    assert rows["GOLD BAR", "manual"]["duplicate_of"] is None
    # The dollars by hand look like those of the broker: nobody has looked at them yet.
    assert warnings(desk) == ["possible_duplicates"]
    shown = desk.program.get(url, headers=HTML).get_data(as_text=True)
    assert "Possibly counted twice" in shown
    settled = desk.program.patch(f"{A}/cash/1", json={"duplicate_of": None})
    assert settled.status_code == 200
    assert warnings(desk) == []
    desk.sync(url)
    assert warnings(desk) == []


def test_replacing_is_undone_with_its_run(kept):
    desk, url = kept
    desk.program.post(f"{url}/connect/ibkr", json={"account_id": "U1234567"})
    run = desk.sync(url).json["run"]
    assert (run["added"], run["closed"]) == (235, 2)
    assert warnings(desk) == []
    undone = desk.program.post(f"/api/v1/runs/{run['id']}/undo")
    assert undone.status_code == 200, undone.json
    page, rows = held(desk)
    assert set(rows) == {("SPY", "manual"), ("GOLD BAR", "manual")}
    assert rows["SPY", "manual"]["notes"] == "for Ada"
    assert [(row["currency"], row["amount"]) for row in page["cash"]] == [("USD", "7")]


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        ("keep", {"SPY", "GOLD BAR"}),
        ("replace_duplicates", {"GOLD BAR"}),
        ("replace_all", set()),
    ],
)
def test_a_program_says_how(kept, choice, left):
    desk, url = kept
    body = {"account_id": "U1234567", "manual_holdings": choice}
    assert desk.program.post(f"{url}/connect/ibkr", json=body).status_code == 201
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    _, rows = held(desk)
    assert {symbol for symbol, source in rows if source == "manual"} == left
    assert warnings(desk) == (["possible_duplicates"] if choice == "keep" else [])
    if choice == "keep":
        twin = rows["SPY", "manual"]
        assert twin["duplicate_of"] == rows["SPY", "ibkr"]["id"]
        settled = desk.program.patch(f"{A}/holdings/{twin['id']}", json={"duplicate_of": None})
        assert (settled.status_code, settled.json["duplicate_of"]) == (200, None)
        wrong = desk.program.patch(f"{A}/holdings/{twin['id']}", json={"duplicate_of": "3"})
        assert list(wrong.json["error"]["fields"]) == ["duplicate_of"]


def test_a_second_sync_replaces_nothing_more(kept):
    desk, url = kept
    desk.program.post(f"{url}/connect/ibkr", json={"account_id": "U1234567"})
    desk.sync(url)
    body = {"symbol": "SPY", "kind": "etf", "currency": "USD", "quantity": "1", "price": "1"}
    desk.program.post(f"{A}/holdings", json=body)
    assert desk.sync(url).json["run"]["closed"] == 0
    _, rows = held(desk)
    assert ("SPY", "manual") in rows


def test_rows_left_in_another_account_are_said_there(desk):
    url = desk.connected()
    desk.program.post(f"{url}/disconnect", json={})
    other = desk.account("B")
    desk.turn()
    assert desk.connect(other).status_code == 201
    desk.sync(other)
    assert warnings(desk) == ["possible_duplicates"]
    portfolio = "/api/v1/portfolios/1"
    assert desk.program.get(portfolio).json["possible_duplicates"] == ["A"]
    for path in ("/", "/portfolio/1"):
        shown = desk.program.get(path, headers=HTML).get_data(as_text=True)
        assert "something of A may count twice" in shown
    assert desk.program.get("/api/v1/portfolios/1/accounts/B").json["warnings"] == []
    page = desk.program.get(url, headers=HTML).get_data(as_text=True)
    assert "here or in another account" in page
    # Twice the same rows in one place is no such thing.
    desk.program.post(f"{other}/disconnect", json={"holdings": "close"})
    desk.turn()
    desk.connect(url)
    desk.sync(url)
    assert warnings(desk) == []
    assert desk.program.get(portfolio).json["possible_duplicates"] == []


def test_disconnecting_says_what_leaves(desk):
    url = desk.connected()
    page = desk.program.get(f"{url}/edit", headers=HTML).get_data(as_text=True)
    assert "It brought 230 holdings" in page
    assert "and 222 more" in page
    assert "CHF, EUR, GBP, JPY, USD" in page


def test_cash_that_came_after_the_choice_is_not_replaced(kept):
    """SQLite gives the id of the last row again, unless it is told never to."""
    desk, url = kept
    chosen = {"account_id": "U1234567", "replace_holdings": [], "replace_cash": [1]}
    assert desk.program.post(f"{url}/connect/ibkr", json=chosen).status_code == 201
    assert desk.program.delete(f"{A}/cash/1").status_code == 204
    body = {"currency": "GBP", "amount": "9"}
    assert desk.program.post(f"{A}/cash", json=body).status_code == 201
    assert desk.sync(url).json["run"]["closed"] == 0
    page, _ = held(desk)
    assert ("GBP", "manual") in {(row["currency"], row["source"]) for row in page["cash"]}


def marked(desk):
    """Where something may count twice: the account that has it, and the broker's that it is of."""
    found = set()
    for table in ("holding", "cash_balance"):
        query = f"SELECT DISTINCT name, source_account FROM {table} JOIN account"
        query += " ON account.id = account_id WHERE twin = 'likely'"
        with desk.app.app_context():
            found |= {(table, *row) for row in db.session.execute(text(query))}
    return found


def each_of(name, broker_account):
    return {(table, name, broker_account) for table in ("holding", "cash_balance")}


def read_into(desk, url, broker_account):
    desk.turn(60)
    assert desk.connect(url, account_id=broker_account).status_code == 201
    linked = marked(desk)
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    return linked


def left(desk, *urls):
    for url in urls:
        assert desk.program.post(f"{url}/disconnect", json={}).status_code == 200


def test_what_a_connection_brings_is_not_the_copy_to_remove(anywhere):
    desk, a = anywhere, anywhere.connected()
    left(desk, a)
    b = desk.account("B")
    read_into(desk, b, MAIN)
    assert marked(desk) == each_of("A", MAIN)
    left(desk, b)
    # The rows of A are the older ones; from here on they are not changed by hand.
    assert read_into(desk, a, MAIN) == each_of("B", MAIN)
    assert marked(desk) == each_of("B", MAIN)
    assert warnings(desk) == []
    found = desk.program.get("/api/v1/portfolios/1/accounts/B/holdings").json["holdings"][0]
    assert found["duplicate_of"] is not None
    stale = f"/api/v1/portfolios/1/accounts/B/holdings/{found['id']}"
    assert desk.program.delete(stale).status_code == 204


def test_of_two_connected_accounts_the_one_that_brings_it_counts(desk):
    a, b = desk.connected(), desk.account("B")
    read_into(desk, b, KIDS)
    left(desk, a, b)
    read_into(desk, a, KIDS)
    read_into(desk, b, MAIN)
    assert marked(desk) == each_of("A", MAIN) | each_of("B", KIDS)
    left(desk, a, b)
    read_into(desk, a, MAIN)
    read_into(desk, b, KIDS)
    assert marked(desk) == each_of("A", KIDS) | each_of("B", MAIN)


@pytest.mark.parametrize("whole", [False, True])
def test_the_only_copy_left_does_not_count_twice(anywhere, whole):
    desk, a = anywhere, anywhere.connected()
    left(desk, a)
    other = "/api/v1/portfolios/2"
    desk.program.post("/api/v1/portfolios", json={"name": "Q", "base_currency": "USD"})
    desk.program.post(f"{other}/accounts", json={"name": "B", "currency": "USD"})
    b = "/portfolio/2/accounts/B"
    read_into(desk, b, MAIN)
    assert warnings(desk) == ["possible_duplicates"]
    left(desk, b)
    gone = other if whole else f"{other}/accounts/B"
    assert desk.program.delete(gone).status_code == 204
    assert (marked(desk), warnings(desk)) == (set(), [])
    assert desk.program.get("/api/v1/portfolios/1").json["possible_duplicates"] == []
    page = desk.program.get(a, headers=HTML).get_data(as_text=True)
    assert "Possibly counted twice" not in page


def test_a_whole_account_that_was_left_is_told_of_in_part(desk):
    a, b = desk.connected(), desk.account("B")
    left(desk, a)
    read_into(desk, b, MAIN)
    held_here, _ = held(desk)

    def shown():
        page = desk.program.get(a, headers=HTML).get_data(as_text=True)
        told = re.search(r"(\d+) of (\d+) are shown", page)
        cash = re.findall(r"<strong>(\w+)</strong> cash", page)
        offered = re.findall(r'action="[^"]*/(\d+)/settle"', page)
        return len(offered), cash, told and told.groups()

    currencies = [row["currency"] for row in held_here["cash"]]
    some = 50 + len(currencies)
    every = len(held_here["holdings"]) + len(currencies)
    assert shown() == (some, currencies, (str(some), str(every)))
    with desk.app.app_context():
        looked_at = "UPDATE holding SET twin = 'settled' WHERE account_id = 1 AND id > 40"
        db.session.execute(text(looked_at))
        db.session.commit()
    desk.program.patch(f"{A}/cash/{held_here['cash'][0]['id']}", json={"duplicate_of": None})
    assert shown() == (40 + len(currencies) - 1, currencies[1:], None)


def test_over_json_cash_that_counts_twice_says_so_with_its_amount(kept):
    """“The page and the API carry a `possible_duplicates` warning with the amount”."""
    desk, url = kept

    def twice(account):
        for at in (f"{P}/{account}/cash", f"{P}/{account}/holdings"):
            body = desk.program.get(at).json
            rows = body.get("cash") or body["items"]
            ids = {row["id"]: row for row in rows}
            yield {
                (row["source"], row["currency"], row["amount"]): ids.get(row["duplicate_of"])
                for row in rows
                if row["duplicate_of"] is not None
            }

    assert [*twice("A")] == [{}, {}]
    assert desk.connect(url, manual_holdings="keep").status_code == 201
    assert desk.sync(url).status_code == 200
    assert warnings(desk) == ["possible_duplicates"]
    for found in twice("A"):
        ((what, other),) = found.items()
        assert what == ("manual", "USD", "7")
        assert (other["source"], other["currency"]) == ("ibkr", "USD")
    assert desk.program.patch(f"{A}/cash/1", json={"duplicate_of": None}).status_code == 200
    assert [*twice("A")] == [{}, {}]
    # What was left in one account, and is read into another one by now, looks like that.
    assert desk.program.post(f"{url}/disconnect", json={}).status_code == 200
    other = desk.account("B")
    desk.turn()
    assert desk.connect(other).status_code == 201
    assert desk.sync(other).status_code == 200
    assert [*twice("B")] == [{}, {}]
    for found in twice("A"):
        assert {currency for _, currency, _ in found} == {"CHF", "EUR", "GBP", "JPY", "USD"}
        assert {source for source, _, _ in found} == {"ibkr"}
    left, now = (desk.program.get(f"{P}/{account}/cash").json["items"] for account in "AB")
    (swiss,) = (row["duplicate_of"] for row in left if row["currency"] == "CHF")
    assert [row["id"] for row in now if row["currency"] == "CHF"] == [swiss]
