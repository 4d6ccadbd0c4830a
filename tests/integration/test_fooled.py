"""Answers and histories made to fool a sync: each must end in the truth or be said."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from brokers.ibkr.simulator.data import Cash
from portfolio.connections import services
from portfolio.db.base import db

MAIN, KIDS = "U1234567", "U7654321"
QUOTES = ("mktPrice", "mktValue", "unrealizedPnl")


def rewrite(desk, fragment, change):
    """Change each good answer whose path has the fragment."""

    def changed(path, reply):
        if fragment in path and reply.status == 200:
            change(reply.body)
        return reply

    desk.simulator.state.rewrites.append(changed)


def without_price(desk, which, symbol):
    conid = str(desk.simulator.state.accounts[which].find(symbol).conid)

    def drop(body):
        for row in body if isinstance(body, list) else []:
            if str(row["conid"]) == conid:
                row.update(dict.fromkeys(QUOTES))

    rewrite(desk, "/positions/", drop)


def api(url):
    return f"/api/v1{url.replace('/portfolio', '/portfolios')}"


def worth(desk, url):
    return desk.holdings(url)["totals"]["net_liquidation"]


def undo(desk, run):
    return desk.program.post(f"/api/v1/runs/{run['id']}/undo")


def one(desk, sql):
    with desk.app.app_context():
        return db.session.execute(text(sql)).scalar_one()


def of_kids(desk):
    url = desk.account()
    desk.turn()
    assert desk.connect(url, account_id=KIDS).status_code == 201
    return url


def test_an_option_with_other_terms_is_no_twin_and_stays(desk):
    url = desk.account()
    desk.turn()
    option = {"symbol": "NVDA", "kind": "option", "currency": "USD", "multiplier": "100"}
    terms = {"expiry": "2028-01-21", "strike": "150", "right": "put"}
    body = {**option, **terms, "quantity": "7", "price": "10"}
    assert desk.program.post(f"{api(url)}/holdings", json=body).status_code == 201
    desk.connect(url)
    desk.sync(url)
    kept = "SELECT count(*) FROM holding WHERE source = 'manual' AND closed_at IS NULL"
    assert one(desk, kept) == 1


def test_a_true_sale_passes_though_another_holding_has_no_price(desk):
    url = of_kids(desk)
    without_price(desk, KIDS, "NKE")
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    for symbol, sold in (("VWCE", "80"), ("EIMI", "130"), ("ALV", "4"), ("SAP", "5")):
        desk.simulator.sell(KIDS, symbol, Decimal(sold))
    desk.turn(1800)
    first = desk.sync(url).json["run"]
    desk.turn(1800)
    second = desk.sync(url).json["run"]
    # Books that cannot tell: held back once, believed when it is seen again.
    assert (first["status"], second["status"]) == ("rejected", "succeeded")
    held = {row["instrument"]["symbol"]: row["quantity"] for row in desk.holdings(url)["holdings"]}
    assert (held["VWCE"], held["EIMI"]) == ("8.25", "10")


def test_what_is_sold_in_one_model_is_not_sold_where_the_row_of_the_other_is_missing(desk):
    url, sold, lost = of_kids(desk), [], []
    conid = str(desk.simulator.state.accounts[KIDS].find("VWCE").conid)

    def under_models(body):
        rows = list(body) if isinstance(body, list) else []
        for row in (row for row in rows if str(row["conid"]) == conid):
            if sold:
                body.append({**row, "model": "Income", "position": 0})
            row["model"] = "Growth"
            if lost:
                body.remove(row)

    rewrite(desk, "/positions/", under_models)
    desk.sync(url)
    held = next(r for r in desk.holdings(url)["holdings"] if r["instrument"]["symbol"] == "VWCE")
    sold.append(True)
    lost.append(True)
    desk.turn()
    run = desk.sync(url).json["run"]
    assert (run["status"], run["reason"]) == ("rejected", "removal")
    assert held["quantity"] in {row["quantity"] for row in desk.holdings(url)["holdings"]}
    # The row is back, and then all of it is sold: the other list is asked, and does not have it.
    lost.clear()
    desk.turn()
    assert desk.sync(url).json["run"]["closed"] == 0
    desk.simulator.sell(KIDS, "VWCE")
    desk.turn()
    run = desk.sync(url).json["run"]
    assert (run["status"], run["closed"]) == ("succeeded", 1)


def test_a_sale_passes_though_the_books_differ_elsewhere_for_good(desk):
    url = of_kids(desk)

    def more(body):
        # Something in dollars that the positions do not have.
        if isinstance(body, dict) and "USD" in body:
            for of, rate in (("USD", 1), ("BASE", Decimal("0.92234"))):
                for name in ("stockmarketvalue", "netliquidationvalue"):
                    body[of][name] += 50 * rate

    rewrite(desk, "/ledger", more)
    desk.sync(url)
    before = worth(desk, url)
    # More than half of the account, in euros.
    desk.simulator.sell(KIDS, "VWCE")
    first = desk.sync(url).json["run"]
    assert (first["closed"], first["warnings"][0]) == (0, "removal_unconfirmed")
    desk.turn(1800)
    second = desk.sync(url).json["run"]
    assert (second["closed"], second["warnings"]) == (1, ["not_reconciled"])
    assert worth(desk, url) == before


@pytest.mark.parametrize("lists_currencies", [True, False])
def test_books_that_are_empty_beside_holdings_take_no_cash_away(desk, lists_currencies):
    url = desk.connected()
    before = worth(desk, url)

    def nothing(body):
        if not isinstance(body, dict) or "BASE" not in body:
            return
        for name in list(body):
            if name != "BASE" and not lists_currencies:
                del body[name]
                continue
            zero = {of for of, value in body[name].items() if isinstance(value, Decimal)}
            body[name].update(dict.fromkeys(zero - {"exchangerate"}, Decimal(0)))

    rewrite(desk, "/ledger", nothing)
    run = desk.sync(url).json["run"]
    assert (run["status"], run["reason"], worth(desk, url)) == ("rejected", "cash", before)
    desk.simulator.state.rewrites.clear()
    run = desk.sync(url).json["run"]
    assert (run["reconciliation"]["status"], worth(desk, url)) == ("agrees", before)


def test_cash_may_go_beside_many_yen_of_which_the_rate_has_seven_decimals(desk):
    account = desk.simulator.state.accounts[KIDS]
    account.held, account.base = [], "USD"
    amounts = {"USD": 100, "JPY": 30_000_000, "CHF": 5}
    account.cash = {of: Cash(balance=Decimal(amount)) for of, amount in amounts.items()}

    def rounded(body):
        if isinstance(body, dict) and "JPY" in body:
            known = body["JPY"]["exchangerate"]
            body["JPY"]["exchangerate"] = round(known + Decimal("4.9E-8"), 7)
            for name in ("cashbalance", "netliquidationvalue"):
                body["BASE"][name] += body["JPY"][name] * Decimal("4.9E-8")

    rewrite(desk, "/ledger", rounded)
    url = of_kids(desk)
    run = desk.sync(url).json["run"]
    assert run["reconciliation"]["status"] == "agrees", run
    del account.cash["CHF"]
    assert desk.sync(url).json["run"]["closed"] == 1
    # What is missing in more than the last digit is said.
    account.cash["CHF"] = Cash(balance=Decimal(5))
    assert desk.sync(url).json["run"]["added"] == 1
    rewrite(desk, "/ledger", lambda body: body.pop("CHF") if "CHF" in body else None)
    assert desk.sync(url).json["run"]["reason"] == "cash"


def test_a_base_that_only_one_of_two_answers_has_brings_no_wrong_rate(desk):
    url = desk.connected()
    before, known = worth(desk, url), "SELECT count(*) FROM rate WHERE to_currency = 'EUR'"

    def euro(body):
        for row in body if isinstance(body, list) else []:
            row["currency"] = "EUR"

    rewrite(desk, "/portfolio/accounts", euro)
    answer = desk.sync(url)
    assert answer.json["error"]["code"] == "bad_answer"
    assert (worth(desk, url), one(desk, known)) == (before, 0)
    # The books follow: then it is the base, whatever it was before.
    account = desk.simulator.state.accounts[MAIN]
    account.cash = {"EUR": account.cash["EUR"]}
    account.held = [row for row in account.held if row.currency == "EUR"]
    account.base = "EUR"
    run = desk.sync(url).json["run"]
    assert run["status"] == "succeeded", run


def test_a_rate_that_jumps_is_never_shown_as_agreeing(desk):
    url = desk.connected()

    def jump(body):
        if isinstance(body, dict) and "EUR" in body:
            body["EUR"]["exchangerate"] = Decimal("1.7")

    before = worth(desk, url)
    rewrite(desk, "/ledger", jump)
    for _ in range(2):
        desk.turn(3700)
        run = desk.sync(url).json["run"]
        agrees = run["reconciliation"]["status"] == "agrees"
        assert not agrees or worth(desk, url) == before
    desk.simulator.state.rewrites.clear()
    desk.turn(3700)
    assert desk.sync(url).json["run"]["reconciliation"]["status"] == "agrees"
    assert worth(desk, url) == before


def test_applying_anyway_does_not_take_over_a_rate_that_jumped(desk):
    url = desk.connected()
    desk.simulator.play("empty-positions")

    def jump(body):
        if isinstance(body, dict) and "JPY" in body:
            body["JPY"]["exchangerate"] = Decimal("1.05")

    rewrite(desk, "/ledger", jump)
    run = desk.sync(url).json["run"]
    assert run["status"] == "rejected"
    assert desk.program.post(f"/api/v1/runs/{run['id']}/apply").status_code == 200
    assert Decimal(one(desk, "SELECT value FROM rate WHERE from_currency = 'JPY'")) < 1


def test_what_the_first_run_replaced_is_replaced_again_after_its_undo(desk):
    url = desk.account()
    desk.turn()
    body = {"symbol": "SPY", "kind": "etf", "currency": "USD", "quantity": "440"}
    body |= {"price": "656.25"}
    assert desk.program.post(f"{api(url)}/holdings", json=body).status_code == 201
    cash = {"currency": "USD", "amount": "5000"}
    assert desk.program.post(f"{api(url)}/cash", json=cash).status_code == 201
    by_hand = worth(desk, url)
    desk.connect(url)
    run = desk.sync(url).json["run"]
    synced = worth(desk, url)
    assert undo(desk, run).status_code == 200
    assert worth(desk, url) == by_hand
    desk.sync(url)
    assert worth(desk, url) == synced


def test_an_undo_taken_back_brings_everything_back_and_goes_on(desk):
    url = desk.connected()
    before = desk.holdings(url)["totals"]
    run = desk.program.get(f"{api(url)}/runs").json["items"][0]
    desk.turn()
    taken_back = undo(desk, run).json["run"]
    assert worth(desk, url) is None
    desk.turn()
    assert undo(desk, taken_back).status_code == 200
    after = desk.holdings(url)["totals"]
    same = ("net_liquidation", "accrued_dividends", "unrealized_pnl")
    assert [after[name] for name in same] == [before[name] for name in same]
    items = desk.program.get(f"{api(url)}/runs").json["items"]
    assert [item["status"] for item in items] == ["succeeded", "undone", "succeeded"]
    account = desk.program.get(api(url)).json
    assert account["connection"]["paused"] is False
    assert account["synced_at"] is not None


def test_undos_of_undos_hold_by_turns(desk):
    url = desk.connected()
    first, held = desk.program.get(api(url)).json["synced_at"], worth(desk, url)
    desk.turn(3600)
    desk.simulator.state.accounts[MAIN].find("SPY").quantity += 10
    last = desk.sync(url).json["run"]
    second, grown = desk.program.get(api(url)).json["synced_at"], worth(desk, url)
    states = [(first, True), (second, False)] * 2
    for number, (read_at, paused) in enumerate(states):
        desk.turn(3600)
        last = undo(desk, last).json["run"]
        account = desk.program.get(api(url)).json
        assert (account["synced_at"], account["connection"]["paused"]) == (read_at, paused)
        items = desk.program.get(f"{api(url)}/runs").json["items"][: number + 2]
        holds = [item["status"] for item in items]
        assert holds == (["succeeded", "undone"] * 3)[: number + 2]
    assert held != grown == worth(desk, url)
    desk.turn(3600)
    assert desk.sync(url).json["run"]["changed"] == 0


def test_taking_back_a_split_keeps_the_value(desk):
    url = desk.connected()
    before = desk.holdings(url)["totals"]
    row = desk.simulator.state.accounts[MAIN].find("NVDA")
    row.quantity, row.price, row.average = row.quantity * 4, row.price / 4, row.average / 4
    assert undo(desk, desk.sync(url).json["run"]).status_code == 200
    assert desk.holdings(url)["totals"]["net_liquidation"] == before["net_liquidation"]


def test_a_field_that_a_later_run_moved_is_not_taken_back(desk):
    url = desk.connected()
    row = desk.simulator.state.accounts[MAIN].find("AAPL")

    def unknown(body):
        for item in body if isinstance(body, list) else []:
            if item["conid"] == row.conid:
                item["avgPrice"] = None

    rewrite(desk, "/positions/", unknown)
    # The average of another quantity is not known: the old one does not hold any more.
    row.quantity += 1
    first = desk.sync(url).json["run"]
    desk.simulator.state.rewrites.clear()
    row.average = Decimal(250)
    second = desk.sync(url).json["run"]
    assert (first["changed"], second["changed"]) == (1, 1)
    refused = undo(desk, first)
    assert refused.status_code == 409
    assert "later run" in refused.json["error"]["remedy"]
    assert undo(desk, second).status_code == 200


def test_the_schedule_rests_until_nothing_is_taken_back_any_more(anywhere):
    desk, url = anywhere, anywhere.connected()
    cash = desk.simulator.state.accounts[MAIN].cash["USD"]

    def moved(amount):
        desk.turn(3600)
        cash.balance = Decimal(amount)
        return desk.sync(url).json["run"]

    def after(run):
        """What was said of the schedule before an undo, and whether it rests after it."""
        page = desk.program.get(f"{url}/syncs/{run['id']}", headers={"Accept": "text/html"}).text
        desk.turn(60)
        made = undo(desk, run).json["run"]
        is_paused = desk.program.get(api(url)).json["connection"]["paused"]
        assert f"Automatic sync {'pauses' if is_paused else 'goes on'}" in page
        return made, is_paused

    second, third = moved(1), moved(2)
    undone, rests = after(third)
    assert rests
    before, rests = after(second)
    assert rests
    # The next sync would bring the third one again, which stays taken back.
    assert after(before)[1]
    assert not after(undone)[1]
    # A sync that has read since makes former undos a matter of the past.
    undone, rests = after(third)
    assert rests
    last = moved(3)
    undone, rests = after(last)
    assert rests
    assert not after(undone)[1]


def test_cash_that_later_runs_moved_to_and_fro_is_not_taken_back(anywhere):
    url = anywhere.connected()
    cash = anywhere.simulator.state.accounts[MAIN].cash["USD"]
    made = []
    for amount in (7000, 9000, 7000):
        cash.balance = Decimal(amount)
        made.append(anywhere.sync(url).json["run"])
    held = "SELECT amount FROM cash_balance WHERE currency = 'USD'"
    refused = undo(anywhere, made[0])
    assert refused.status_code == 409
    assert refused.json["error"]["message"].startswith("USD has changed since (amount)")
    # In their order, the newest first, they are.
    assert [undo(anywhere, run).status_code for run in reversed(made)] == [200] * 3
    assert Decimal(one(anywhere, held)) == Decimal("-18402.77")


def test_a_lean_answer_does_not_rename_what_is_known(desk):
    url = desk.connected()
    before = worth(desk, url)
    conid = desk.simulator.state.accounts[MAIN].find("VWCE").conid
    terms = ("currency", "ticker", "name", "fullName", "type", "assetClass", "multiplier")

    def lean(body):
        for row in body if isinstance(body, list) else []:
            if isinstance(row, dict) and str(row.get("conid")) == str(conid):
                for name in terms:
                    row.pop(name, None)
        if isinstance(body, dict) and "secdef" in body:
            body["secdef"] = [row for row in body["secdef"] if row["conid"] != conid]

    rewrite(desk, "/", lean)
    desk.sync(url)
    assert worth(desk, url) == before
    known = "SELECT currency FROM instrument WHERE symbol = 'VWCE'"
    assert one(desk, known) == "EUR"


def test_what_one_account_lacks_is_taken_from_another_that_knows_it(anywhere):
    desk = anywhere
    url, other = desk.connected(), desk.account("B")
    assert desk.connect(other, account_id=KIDS).status_code == 201
    assert desk.sync(other).status_code == 200
    before = worth(desk, url)
    held = desk.simulator.state.accounts
    bought = replace(held[MAIN].find("SPY"), quantity=Decimal(2))
    held[KIDS].held.append(bought)

    def lean(body):
        rows = body if isinstance(body, list) else body.get("secdef", [])
        for row in rows:
            if row.get("conid") == bought.conid and row.get("acctId", KIDS) == KIDS:
                row.update(dict.fromkeys(("ticker", "type", "name", "fullName", "currency")))

    rewrite(desk, "/positions/", lean)
    rewrite(desk, "/trsrv/secdef", lean)
    run = desk.sync(other).json["run"]
    assert (run["added"], run["reconciliation"]["status"]) == (1, "agrees")
    of = "SELECT kind || ' ' || currency FROM instrument WHERE symbol = 'SPY' AND kind != 'option'"
    assert (one(desk, of), worth(desk, url)) == ("etf USD", before)
    desk.simulator.state.rewrites.clear()
    assert [desk.sync(each).json["run"]["changed"] for each in (url, other)] == [0, 0]


def test_who_links_an_account_second_does_not_take_the_first_for_theirs(desk, monkeypatch):
    url, plain = desk.account(), services.reaching
    desk.turn()

    def slowly(*args, **more):
        monkeypatch.setattr(services, "reaching", plain)
        assert desk.connect(url, account_id=KIDS).status_code == 201
        return plain(*args, **more)

    monkeypatch.setattr(services, "reaching", slowly)
    refused = desk.connect(url)
    assert (refused.status_code, KIDS in refused.json["error"]["message"]) == (409, True)
    assert desk.connect(url, account_id=KIDS).status_code == 200


def test_six_at_once_make_one_run_at_a_time(anywhere):
    desk = anywhere
    url = desk.connected()
    for _ in range(3):
        desk.turn(60)
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: desk.program.post(f"{url}/sync"), range(6)))
        assert {answer.status_code for answer in answers} <= {200, 202}
    assert one(desk, "SELECT count(*) FROM sync_run WHERE status = 'failed'") == 0


def test_one_of_four_who_take_a_run_back_at_once_does(anywhere):
    desk = anywhere
    url = desk.connected()
    desk.simulator.sell(MAIN, "SPY")
    run = desk.sync(url).json["run"]
    with ThreadPoolExecutor(4) as pool:
        codes = sorted(pool.map(lambda _: undo(desk, run).status_code, range(4)))
    assert codes == [200, 409, 409, 409]


@pytest.mark.parametrize("path", ["/api/v1/runs/%00", "/api/v1/runs/a%00b/changes"])
def test_a_name_with_a_nul_is_simply_unknown(anywhere, path):
    assert anywhere.program.get(path).status_code == 404
    anywhere.connected()
    named = anywhere.program.post(
        "/portfolio/1/accounts/A/connect/ibkr", json={"account_id": MAIN, "username": "a\0b"}
    )
    assert named.status_code == 422
    assert "username" in named.json["error"]["fields"]


def test_the_card_tells_the_newest_cause_whole(desk):
    url = desk.connected()
    desk.simulator.play("signed-out")
    desk.sync(url)
    desk.simulator.play("maintenance")
    desk.turn(60)
    desk.sync(url)
    page = desk.program.get(url, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "broker_maintenance" in page
    assert "not_authenticated" not in page
    line = desk.program.get("/api/v1/connections").json["items"][0]
    assert (line["state"], line["code"]) == ("waiting", "broker_maintenance")
    desk.simulator.play("calm")
    desk.turn(600)
    assert desk.sync(url).json["run"]["status"] == "succeeded"


def test_what_waits_for_a_person_is_not_forgotten_when_a_later_run_dies(desk):
    url = desk.connected()
    desk.simulator.play("another-user")
    desk.turn(60)
    assert desk.sync(url).json["error"]["code"] == "broker_account_missing"
    newest = "(SELECT id FROM sync_run ORDER BY started_at DESC LIMIT 1)"
    with desk.app.app_context():
        died = f"UPDATE sync_run SET status = 'interrupted', error = NULL WHERE id = {newest}"
        db.session.execute(text(died))
        db.session.commit()
    line = desk.program.get("/api/v1/connections").json["items"][0]
    assert (line["state"], line["code"]) == ("needs_you", "broker_account_missing")
    page = desk.program.get(url, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "Something waited for you" in page
    desk.simulator.play("calm")
    desk.turn(60)
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    assert desk.program.get("/api/v1/connections").json["items"][0]["state"] == "ready"


HOUSE = {"symbol": "HOUSE", "kind": "other", "currency": "USD", "quantity": "1"}


def symbols(desk, url):
    page = desk.program.get(f"{api(url)}/holdings?limit=500").json
    return {row["instrument"]["symbol"] for row in page["holdings"]}


def with_a_house_replaced(desk):
    """An account whose first run closed a row kept by hand; returns its URL and that run."""
    url = desk.account()
    assert desk.program.post(f"{api(url)}/holdings", json=HOUSE).status_code == 201
    desk.turn()
    assert desk.connect(url, manual_holdings="replace_all").status_code == 201
    run = desk.sync(url).json["run"]
    assert "HOUSE" not in symbols(desk, url)
    return url, run


def test_a_choice_for_one_connection_is_none_for_the_next(desk):
    url, run = with_a_house_replaced(desk)
    desk.program.post(f"{url}/disconnect", json={})
    desk.turn()
    desk.connect(url, account_id=KIDS, manual_holdings="keep")
    assert undo(desk, run).status_code == 200
    assert desk.sync(url).status_code == 200
    assert "HOUSE" in symbols(desk, url)


def test_what_was_replaced_is_not_replaced_again_once_a_person_adds_it_anew(desk):
    url, run = with_a_house_replaced(desk)
    taken_back = undo(desk, run).json["run"]
    assert undo(desk, taken_back).status_code == 200
    assert desk.program.post(f"{api(url)}/holdings", json=HOUSE).status_code == 201
    assert desk.sync(url).status_code == 200
    assert "HOUSE" in symbols(desk, url)


def test_a_sale_is_not_taken_back_with_the_figures_of_a_later_purchase(desk):
    url = of_kids(desk)
    desk.sync(url)
    account = desk.simulator.state.accounts[KIDS]
    former = replace(account.find("NKE"))
    desk.simulator.sell(KIDS, "NKE")
    sale = desk.sync(url).json["run"]
    account.held.append(replace(former, quantity=Decimal(99), average=Decimal(5)))
    purchase = desk.sync(url).json["run"]
    assert undo(desk, purchase).status_code == 200
    assert undo(desk, sale).status_code == 409
    assert "NKE" not in symbols(desk, url)


def test_a_price_from_before_a_sale_is_not_taken_back_after_the_next_purchase(desk):
    url = of_kids(desk)
    desk.sync(url)
    account = desk.simulator.state.accounts[KIDS]
    account.find("NKE").average += 1
    first = desk.sync(url).json["run"]
    assert first["changed"] == 1
    former = replace(account.find("NKE"))
    desk.simulator.sell(KIDS, "NKE")
    desk.sync(url)
    # At the same price: what is stored is as the first of these runs left it, and yet another's.
    account.held.append(former)
    purchase = desk.sync(url).json["run"]
    assert purchase["added"] == 1
    refused = undo(desk, first)
    assert refused.status_code == 409
    assert "NKE has changed since (average price)" in refused.json["error"]["message"]


def test_a_clock_put_back_does_not_keep_a_dead_run_alive(anywhere):
    desk = anywhere
    url = desk.connected()
    runner = desk.app.extensions["foliosync"].runner
    original, runner._defer = runner._defer, lambda _: None
    dead = desk.program.post(f"{url}/sync", headers={"Prefer": "respond-async"}).json["run"]
    runner._defer = original
    desk.clock._start -= timedelta(hours=1)
    again = desk.sync(url).json["run"]
    assert again["status"] == "succeeded"
    assert desk.program.get(f"/api/v1/runs/{dead['id']}").json["status"] == "interrupted"


@pytest.mark.parametrize("account", [MAIN, "U5550000"])
def test_a_lean_answer_takes_nothing_away_that_is_known(desk, account):
    desk.simulator.play("every-class")
    url = desk.account()
    desk.turn()
    assert desk.connect(url, account_id=account).status_code == 201
    assert desk.sync(url).status_code == 200
    before = desk.holdings(url)["holdings"]
    left_out = ("ticker", "fullName", "name", "type", "multiplier", "avgPrice")

    def lean(body):
        for row in body if isinstance(body, list) else []:
            row.update(dict.fromkeys(left_out))

    rewrite(desk, "/positions/", lean)
    rewrite(desk, "/trsrv/secdef", lambda body: body.update(secdef=[]))
    desk.turn(31 * 24 * 3600)
    run = desk.sync(url).json["run"]
    assert (run["status"], run["changed"]) == ("succeeded", 0)
    held = ("quantity", "average_price", "instrument")
    after = desk.holdings(url)["holdings"]
    assert [[row[of] for of in held] for row in after] == [
        [row[of] for of in held] for row in before
    ]
    # What is said again counts, though a multiplier of another size than before.
    desk.simulator.state.rewrites.clear()
    derivative = next(row for row in desk.simulator.state.accounts[account].held if row.expiry)
    derivative.multiplier *= 2
    run = desk.sync(url).json["run"]
    made = desk.program.get(f"/api/v1/runs/{run['id']}/changes").json["items"]
    assert [each["field"] for each in made] == ["multiplier"]
