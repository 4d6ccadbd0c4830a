"""Undo, apply anyway, pause and resume: over JSON, as forms, and with their refusals."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from brokers.ibkr.simulator import answers
from portfolio.accounts.models import Account, DailyValue
from portfolio.db.base import canonical, db
from portfolio.db.session import unit_of_work
from portfolio.sync.models import RUNNING, SyncRun
from portfolio.users.identify import LocalOwner
from portfolio.web.runtime import EXTENSION
from tests.integration.test_pages import statements

MAIN, KIDS = "U1234567", "U7654321"
HTML = {"Accept": "text/html"}


def rows(desk, sql):
    with desk.app.app_context():
        return db.session.execute(text(sql)).all()


def state(desk):
    """All position fields of the account, as text."""
    return rows(
        desk,
        "SELECT instrument.symbol, quantity, average_price, closed_at IS NULL"
        " FROM holding JOIN instrument ON instrument.id = instrument_id ORDER BY holding.id",
    ), rows(desk, "SELECT currency, amount FROM cash_balance ORDER BY currency")


def decide(desk, run_id, verb):
    return desk.program.post(f"/api/v1/runs/{run_id}/{verb}")


def test_the_first_request_after_a_start_sees_what_it_has_written(anywhere):
    url = anywhere.connected()
    anywhere.simulator.sell(MAIN, "SPY")
    run = anywhere.sync(url).json["run"]
    started = replace(anywhere.app.extensions[EXTENSION], identify=LocalOwner())
    anywhere.app.extensions[EXTENSION] = started
    answer = decide(anywhere, run["id"], "undo")
    assert (answer.status_code, answer.json["run"]["origin"]) == (200, "undo")


def test_the_profit_follows_an_average_price_that_comes_back(desk):
    url = desk.connected()
    desk.simulator.state.accounts[MAIN].find("SPY").price += 1
    desk.sync(url)
    before = figures(desk, url, "SPY")
    desk.simulator.state.accounts[MAIN].find("SPY").average -= 100
    run = desk.sync(url).json["run"]
    after = figures(desk, url, "SPY")
    assert after != before
    back = decide(desk, run["id"], "undo").json["run"]
    assert figures(desk, url, "SPY") == before
    assert decide(desk, back["id"], "undo").status_code == 200
    assert figures(desk, url, "SPY") == after


def figures(desk, url, symbol):
    held = desk.holdings(url)["holdings"]
    row = next(of for of in held if of["instrument"]["symbol"] == symbol)
    names = ("quantity", "average_price", "price", "market_value", "cost", "unrealized_pnl")
    return {name: Decimal(row[name]) for name in names}


def test_terms_that_come_back_bring_the_totals_of_all_who_hold_it(anywhere):
    desk = anywhere
    held = desk.simulator.state.accounts
    held[KIDS].held = [replace(held[MAIN].find("SPY"))]
    url, other = desk.connected(), desk.account("B")
    assert desk.connect(other, account_id=KIDS).status_code == 201
    assert desk.sync(other).status_code == 200
    before = totals(desk, other)
    held[MAIN].find("SPY").asset = "CFD"
    run = desk.sync(url).json["run"]
    assert run["status"] == "succeeded", run
    assert totals(desk, other) != before
    assert decide(desk, run["id"], "undo").status_code == 200
    assert totals(desk, other) == before


def totals(desk, url):
    return desk.holdings(url)["totals"]["net_liquidation"]


def test_a_run_is_taken_back_field_by_field_and_the_schedule_pauses(anywhere):
    desk = anywhere
    url = desk.connected()
    before = state(desk)
    desk.simulator.sell(MAIN, "SPY")
    desk.simulator.sell(MAIN, "VWCE", Decimal(250))
    row = desk.simulator.state.accounts[MAIN].find("NVDA")
    row.quantity, row.price, row.average = row.quantity * 4, row.price / 4, row.average / 4
    run = desk.sync(url).json["run"]
    assert (run["changed"], run["closed"], run["origin"]) == (4, 1, "hand")
    assert state(desk) != before
    answer = decide(desk, run["id"], "undo")
    assert answer.status_code == 200, answer.json
    back = answer.json["run"]
    assert (back["status"], back["origin"], back["concerns"]) == ("succeeded", "undo", run["id"])
    assert (back["added"], back["changed"], back["decided_by"]) == (1, 4, "owner")
    assert back["reconciliation"]["likely_cause"] == "undone"
    assert state(desk) == before
    assert desk.program.get(f"/api/v1/runs/{run['id']}").json["status"] == "undone"
    account = desk.program.get("/api/v1/portfolios/1/accounts/A").json
    assert account["connection"]["paused"] is True
    page = desk.program.get(url, headers=HTML).get_data(as_text=True)
    assert "automatic sync paused" in page
    listed = desk.program.get("/connections", headers=HTML).get_data(as_text=True)
    assert 'action="/portfolio/1/accounts/A/resume"' in listed
    # A sync by hand takes it back once more, and ends the pause.
    again = desk.sync(url).json["run"]
    assert (again["changed"], again["closed"]) == (4, 1)
    assert not desk.program.get("/api/v1/connections").json["items"][0]["paused"]


def test_values_come_back_with_the_quantities(desk):
    url = desk.connected()
    worth = desk.holdings(url)["totals"]["net_liquidation"]
    desk.simulator.sell(MAIN, "SPY")
    desk.simulator.sell(MAIN, "VWCE", Decimal(250))
    run = desk.sync(url).json["run"]
    decide(desk, run["id"], "undo")
    totals = desk.holdings(url)["totals"]
    assert totals["net_liquidation"] == worth
    # The broker's own total belongs to the state that was taken back.
    assert totals["broker_net_liquidation"] is None


def test_the_first_run_can_be_taken_back_and_comes_again(desk):
    url = desk.account()
    desk.turn()
    desk.connect(url)
    run = desk.sync(url).json["run"]
    back = decide(desk, run["id"], "undo").json["run"]
    assert back["closed"] == 235
    assert (desk.holdings(url)["holdings"], desk.holdings(url)["cash"]) == ([], [])
    # They keep their quotes, with the time of the run that is taken back.
    undated = "SELECT id FROM holding WHERE price IS NOT NULL AND quoted_at IS NULL"
    assert rows(desk, undated) == []
    assert desk.holdings(url)["synced_at"] is None
    assert desk.sync(url).json["run"]["added"] == 235


def test_what_has_changed_since_cannot_be_taken_back(desk):
    url = desk.connected()
    desk.simulator.sell(MAIN, "VWCE", Decimal(10))
    first = desk.sync(url).json["run"]
    desk.simulator.sell(MAIN, "VWCE", Decimal(10))
    second = desk.sync(url).json["run"]
    held = state(desk)
    refused = decide(desk, first["id"], "undo")
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "conflict")
    assert "has changed since" in refused.json["error"]["message"]
    assert state(desk) == held
    assert decide(desk, second["id"], "undo").status_code == 200
    assert decide(desk, second["id"], "undo").status_code == 409


def test_an_undo_can_be_taken_back_where_a_later_run_stayed(anywhere):
    desk = anywhere
    url = desk.connected()
    row = desk.simulator.state.accounts[MAIN].find("NVDA")
    row.quantity, row.price, row.average = row.quantity * 4, row.price / 4, row.average / 4
    split = desk.sync(url).json["run"]
    desk.simulator.sell(MAIN, "VWCE", Decimal(10))
    desk.sync(url)
    held = state(desk)
    undone = decide(desk, split["id"], "undo").json["run"]
    assert state(desk) != held
    answer = decide(desk, undone["id"], "undo")
    assert (answer.status_code, state(desk)) == (200, held), answer.json
    # And the same again, from one to the other.
    again = decide(desk, answer.json["run"]["id"], "undo")
    assert (again.status_code, state(desk) == held) == (200, False), again.json
    assert (desk.sync(url).json["run"]["changed"], state(desk)) == (1, held)


def test_what_a_run_added_is_one_line_and_all_of_it_must_be_as_it_was_to_go(anywhere):
    desk = anywhere
    url = desk.account()
    desk.turn()
    desk.connect(url)
    first = desk.sync(url).json["run"]
    listed = desk.program.get(f"/api/v1/runs/{first['id']}/changes?limit=500").json["items"]
    assert len(listed) == first["added"]
    (line,) = [of for of in listed if of["label"] == "VWCE"]
    assert (line["field"], line["old"], line["new"]) == ("quantity", None, "1250.5")
    (average,) = rows(
        desk,
        "SELECT average_price FROM holding JOIN instrument ON instrument.id = instrument_id"
        " WHERE symbol = 'VWCE'",
    )
    terms = {"symbol": "VWCE", "kind": "etf", "currency": "EUR", "multiplier": "1"}
    assert line["beside"] == {"average_price": canonical(Decimal(average[0])), **terms}
    assert {of["beside"] for of in listed if of["subject"] == "cash"} == {None}
    page = desk.program.get(f"{url}/syncs/{first['id']}", headers=HTML).get_data(as_text=True)
    assert re.search(r"with average price [\d.,]+, kind etf, currency USD, multiplier 1<", page)
    row = desk.simulator.state.accounts[MAIN].find("VWCE")
    row.average += 1
    later = desk.sync(url).json["run"]
    assert later["changed"] == 1
    held = state(desk)
    refused = decide(desk, first["id"], "undo")
    assert (refused.status_code, state(desk)) == (409, held)
    assert "VWCE has changed since (average price)" in refused.json["error"]["message"]
    # Nor once the field is as it was: somebody may rely on what came after.
    row.average -= 1
    desk.sync(url)
    refused = decide(desk, first["id"], "undo")
    assert "VWCE has changed since (average price)" in refused.json["error"]["message"]
    assert decide(desk, later["id"], "undo").status_code == 409


def test_what_a_new_holding_came_without_must_be_missing_still_for_it_to_go(anywhere):
    desk = anywhere
    spy = desk.simulator.state.accounts[MAIN].find("SPY")
    average, spy.average = spy.average, Decimal(0)
    url = desk.account()
    desk.turn()
    desk.connect(url)
    first = desk.sync(url).json["run"]
    spy.average = average
    later = desk.sync(url).json["run"]
    held = state(desk)
    refused = decide(desk, first["id"], "undo")
    assert (refused.status_code, state(desk)) == (409, held)
    assert "SPY has changed since (average price)" in refused.json["error"]["message"]
    # A row that was closed kept its average price: closing and opening it is no change of that.
    desk.simulator.sell(MAIN, "SPY")
    sold = desk.sync(url).json["run"]
    for _ in range(2):
        back = decide(desk, sold["id"], "undo").json["run"]
        assert decide(desk, back["id"], "undo").status_code == 200
    assert decide(desk, later["id"], "undo").status_code == 409


def test_a_term_that_reads_like_the_symbol_is_shown_beside_what_was_added(desk):
    held = desk.simulator.state.accounts[MAIN].held
    for row, symbol, average in ((held[0], "USD", 9), (held[1], "700", 700)):
        row.ticker, row.average = symbol, Decimal(average)
    url = desk.connected()
    run = desk.program.get("/api/v1/portfolios/1/accounts/A/runs").json["items"][0]
    page = desk.program.get(f"{url}/syncs/{run['id']}", headers=HTML).get_data(as_text=True)
    for symbol, terms in {
        "USD": "average price 9, kind etf, currency USD, multiplier 1",
        "700": "average price 700, kind etf, currency EUR, multiplier 1",
    }.items():
        line = page.partition(f"<strong>{symbol}</strong>")[2].partition("</tr>")[0]
        assert f"with {terms}<" in line


def test_a_run_that_changed_nothing_cannot_be_taken_back(desk):
    url = desk.connected()
    run = desk.sync(url).json["run"]
    refused = decide(desk, run["id"], "undo")
    assert refused.json["error"]["message"] == "This run changed nothing."
    assert decide(desk, "nobody", "undo").status_code == 404
    assert decide(desk, run["id"], "apply").status_code == 409


def test_notes_survive_and_come_back_with_their_row(desk):
    url = desk.connected()
    with desk.app.app_context():
        db.session.execute(text("UPDATE holding SET notes = 'mine' WHERE id = 1"))
        db.session.commit()
    desk.simulator.sell(MAIN, "SPY")
    run = desk.sync(url).json["run"]
    decide(desk, run["id"], "undo")
    found = [row for row in desk.holdings(url)["holdings"] if row["notes"]]
    assert [(row["instrument"]["symbol"], row["notes"]) for row in found] == [("SPY", "mine")]


def rejected(desk, url):
    desk.simulator.play("empty-positions")
    run = desk.sync(url).json["run"]
    assert (run["status"], run["reason"]) == ("rejected", "emptied")
    assert (run["added"], run["changed"], run["closed"]) == (0, 0, 0)
    return run


def test_a_run_tells_an_option_from_its_share_and_from_another_option(anywhere):
    """Both were “NVDA” where a person had to decide, and in the record ever after."""
    desk, nvda = anywhere, "NVDA 2027-01-15 200 call"
    url = desk.connected()
    run = rejected(desk, url)
    page = desk.program.get(f"{url}/syncs/{run['id']}", headers=HTML).get_data(as_text=True)
    assert page.count(f"<strong>{nvda}</strong>") == page.count("<strong>NVDA</strong>") == 1
    for then in ("apply", "undo"):
        run = decide(desk, run["id"], then).json["run"]
        listed = desk.program.get(f"/api/v1/runs/{run['id']}/changes?limit=500").json["items"]
        told = {of["label"]: of["old"] or of["new"] for of in listed if "NVDA" in of["label"]}
        assert told == {"NVDA": "400", nvda: "-4"}
    # So does a file, and what is offered to be replaced once the account is connected again.
    desk.program.post(f"{url}/disconnect", json={"holdings": "close"})
    terms = "expiry,strike,right,multiplier\nNVDA,option,USD,1,2027-01-15,"
    csv = f"symbol,kind,currency,quantity,{terms}200,call,100\n"
    csv += "NVDA,option,USD,1,2027-01-15,200.5,put,100\n"
    api = url.replace("/portfolio/", "/api/v1/portfolios/")
    done = desk.program.post(f"{api}/import", json={"csv": csv, "apply": True}).json
    assert [row["label"] for row in done["rows"]] == [nvda, "NVDA 2027-01-15 200.5 put"]
    desk.simulator.play("calm")
    desk.turn(60)
    form = {"account_id": "U1234567"}
    shown = desk.program.post(f"{url}/connect/ibkr", data=form, headers=HTML)
    assert f"Replace 1 {nvda}" in shown.get_data(as_text=True)
    desk.program.post(f"{url}/connect/ibkr", json={**form, "manual_holdings": "keep"})
    desk.sync(url)
    page = desk.program.get(url, headers=HTML).get_data(as_text=True)
    assert f"<strong>{nvda}</strong>" in page.split("Possibly counted twice")[1]


def test_a_run_that_was_not_applied_says_what_it_would_have_done_and_can_be_applied(anywhere):
    desk = anywhere
    url = desk.connected()
    run = rejected(desk, url)
    page = desk.program.get(f"{url}/syncs/{run['id']}", headers=HTML).get_data(as_text=True)
    assert "What it would have done" in page
    assert "no longer held" in page
    assert "Apply anyway" in page
    done = decide(desk, run["id"], "apply")
    assert done.status_code == 200, done.json
    made = done.json["run"]
    assert (made["origin"], made["concerns"], made["decided_by"]) == (
        "decision",
        run["id"],
        "owner",
    )
    assert made["closed"] == 230
    assert desk.holdings(url)["holdings"] == []
    page = desk.program.get(url, headers=HTML).get_data(as_text=True)
    assert "230 no longer held" in page
    assert f"/syncs/{made['id']}" in page
    assert decide(desk, run["id"], "apply").status_code == 409
    # It was wrong: what was decided can be taken back, and the truth comes with the next sync.
    assert decide(desk, made["id"], "undo").json["run"]["added"] == 230
    desk.simulator.play("calm")
    desk.turn(60)
    assert desk.sync(url).json["run"]["status"] == "succeeded"


# What a gate saw is a sentence; beside it stand the keys of what was missing.
A_PART = re.compile(r"JSON_EXTRACT\(\w+\.evidence, \?\)|\w+\.evidence ->> \S+")


def test_no_list_reads_the_plan_of_a_run_that_was_not_applied(anywhere):
    desk = anywhere
    url = desk.connected()
    run = rejected(desk, url)
    pages = ["/", "/portfolio/1", "/connections", url, f"{url}/syncs"]
    programs = ["/api/v1/portfolios/1/accounts/A/runs?limit=500", f"/api/v1/runs/{run['id']}"]
    with statements(desk) as seen:
        *_, account, history = [desk.program.get(of, headers=HTML).text for of in pages]
        assert [desk.program.get(of).status_code for of in programs] == [200, 200]
    saw = rows(desk, f"SELECT evidence FROM sync_run WHERE id = '{run['id']}'")
    assert {"books still show value" in of for of in (account, history, str(saw))} == {True}
    of_runs = [A_PART.sub("", of) for of in seen if "sync_run" in of]
    assert of_runs
    assert [of for of in of_runs if "evidence" in of or ".kept AS" in of] == []


def test_only_the_newest_run_that_was_not_applied_keeps_what_it_would_have_done(anywhere):
    desk = anywhere
    url = desk.connected()

    def page(run):
        return desk.program.get(f"{url}/syncs/{run['id']}", headers=HTML).get_data(as_text=True)

    def stored(run):
        ((evidence, kept),) = rows(
            desk, f"SELECT evidence, kept FROM sync_run WHERE id = '{run['id']}'"
        )
        return str(evidence), kept

    first = rejected(desk, url)
    evidence, kept = stored(first)
    assert "steps" in kept
    assert len(evidence) < len(str(kept)) / 10
    desk.turn(60)
    second = rejected(desk, url)
    assert stored(first) == (evidence, None)
    assert "What it would have done" not in page(first)
    assert "look at the newest one" in page(first)
    assert "What it would have done" in page(second)
    assert decide(desk, first["id"], "apply").status_code == 409
    assert decide(desk, second["id"], "apply").status_code == 200
    assert stored(second)[1] is None


def test_what_a_run_would_have_done_is_shown_page_by_page(desk):
    url = desk.connected()
    run = rejected(desk, url)
    there, shown = f"{url}/syncs/{run['id']}", []
    here = there
    while here:
        page = desk.program.get(here, headers=HTML).get_data(as_text=True)
        assert "What it would have done" in page
        assert "Apply anyway" in page
        assert "on all their pages" in page
        shown.append(re.findall(r'<tr><th scope="row"><strong>([^<]+)', page))
        more = re.search(rf'href="({there}\?cursor=\d+)">More', page)
        here = more and more[1]
    assert [len(of) for of in shown] == [50, 50, 50, 50, 30]
    assert len({of for page in shown for of in page}) > 200
    beyond = desk.program.get(f"{there}?cursor=230", headers=HTML).get_data(as_text=True)
    assert "There are no more changes." in beyond
    assert "Apply anyway" not in beyond


def test_what_an_earlier_version_kept_with_the_evidence_is_shown(desk):
    url = desk.connected()
    run = rejected(desk, url)
    step = {"subject": "holding", "label": "WIDGET", "changes": [["quantity", "3", None]]}
    with desk.app.app_context(), unit_of_work() as session:
        row = session.get_one(SyncRun, run["id"])
        row.evidence = {**row.evidence, "steps": [step]}
        row.kept = {name: of for name, of in row.kept.items() if name != "steps"}
    page = desk.program.get(f"{url}/syncs/{run['id']}", headers=HTML).get_data(as_text=True)
    assert "WIDGET" in page
    assert decide(desk, run["id"], "apply").json["run"]["closed"] == 230


def test_what_a_run_read_of_holdings_is_applied_with_every_digit(anywhere):
    desk = anywhere
    url = desk.connected()
    before = state(desk)
    desk.simulator.play("lost-row")
    bought = desk.simulator.state.accounts[MAIN].find("AAPL")
    bought.quantity, bought.average = Decimal("1E+3"), Decimal("189.98140000000000000001")
    run = desk.sync(url).json["run"]
    assert (run["status"], run["reason"]) == ("rejected", "removal")
    assert state(desk) == before
    done = decide(desk, run["id"], "apply")
    assert done.status_code == 200, done.json
    made = done.json["run"]
    assert (made["added"], made["changed"], made["closed"]) == (0, 1, 2)
    held = desk.program.get("/api/v1/portfolios/1/accounts/A/export.json").json["holdings"]
    assert len(held) == 228
    (apple,) = (of for of in held if of["instrument"]["symbol"] == "AAPL")
    assert apple["quantity"] == "1000"
    assert apple["average_price"] == "189.98140000000000000001"
    back = decide(desk, made["id"], "undo").json["run"]
    assert (back["added"], back["changed"]) == (2, 1)
    assert state(desk) == before


def test_a_plan_is_applied_only_to_the_state_it_was_made_for_and_for_a_day(desk):
    url = desk.connected()
    run = rejected(desk, url)
    desk.clock.turn(timedelta(hours=24, minutes=1).total_seconds())
    late = decide(desk, run["id"], "apply")
    assert "more than a day old" in late.json["error"]["message"]
    newer = rejected(desk, url)
    assert "A later run" in decide(desk, run["id"], "apply").json["error"]["message"]
    desk.simulator.play("calm")
    desk.turn(60)
    desk.simulator.sell(MAIN, "SPY")
    desk.sync(url)
    assert decide(desk, newer["id"], "apply").status_code == 409
    assert len(desk.holdings(url)["holdings"]) == 50


def kept(desk):
    (found,) = rows(desk, "SELECT count(*) FROM sync_run WHERE kept IS NOT NULL")
    return found[0]


def needs(desk):
    """What an account is said to need, and whether an answer is kept to be decided upon."""
    (found,) = desk.program.get("/api/v1/connections").json["items"]
    code = desk.program.get("/api/v1/portfolios/1/accounts/A").json["attention_code"]
    return found["state"], code, kept(desk)


def test_an_undo_settles_a_run_that_was_not_applied(anywhere):
    desk = anywhere
    url = desk.connected()
    desk.simulator.sell(MAIN, "SPY")
    sold = desk.sync(url).json["run"]
    run = rejected(desk, url)
    assert needs(desk) == ("not_applied", "sync_rejected", 1)
    back = decide(desk, sold["id"], "undo").json["run"]
    assert needs(desk) == ("paused", None, 0)
    # Not even once the holdings are again those that it was read beside.
    assert decide(desk, back["id"], "undo").status_code == 200
    refused = decide(desk, run["id"], "apply").json["error"]["message"]
    assert refused == "A later run or decision has taken its place; look at the newest one."
    # A broker that still says so is not believed any more than before.
    again = rejected(desk, url)
    assert needs(desk) == ("not_applied", "sync_rejected", 1)
    assert decide(desk, again["id"], "apply").status_code == 200
    assert needs(desk) == ("ready", None, 0)


def test_nothing_is_kept_to_be_decided_upon_once_the_account_is_disconnected(anywhere):
    desk = anywhere
    url = desk.connected()
    rejected(desk, url)
    assert kept(desk) == 1
    assert desk.program.post(f"{url}/disconnect", json={}).status_code == 200
    assert kept(desk) == 0


def told_by_undo(desk, url, run_id):
    """What the page of a run says that its undo does to the schedule, and what is said then."""
    desk.turn()
    browser, at = desk.app.test_client(), f"/api/v1/runs/{run_id}/undo"
    page = desk.program.get(f"{url}/syncs/{run_id}", headers=HTML).get_data(as_text=True)
    (before,) = re.findall(r"Brings the fields above back[^.]*\.\s*(.*?)</p>", page, re.DOTALL)
    answer = browser.post(at, headers=HTML)
    page = browser.get(answer.location, headers=HTML).get_data(as_text=True)
    (after,) = re.findall(r"The run was taken back[^<]*", page)
    return " ".join(before.split()), after


def test_an_undo_says_of_the_schedule_what_becomes_of_it(desk):
    url = desk.connected()
    desk.simulator.sell(MAIN, "SPY")
    run = desk.sync(url).json["run"]
    before, after = told_by_undo(desk, url, run["id"])
    assert before.startswith("Automatic sync pauses, or the next one would make the same")
    assert after == "The run was taken back; automatic sync is paused."
    back = newest(desk)
    goes_on = "Automatic sync goes on.", "The run was taken back; automatic sync goes on."
    assert told_by_undo(desk, url, back) == goes_on
    # One that is off neither pauses nor goes on, and a manual account has none.
    at = f"/api/v1/connections/{desk.program.get('/api/v1/connections').json['items'][0]['id']}"
    desk.program.patch(at, json={"sync_enabled": False})
    assert told_by_undo(desk, url, run["id"]) == ("", "The run was taken back.")
    desk.program.post(f"{url}/disconnect", json={})
    assert told_by_undo(desk, url, newest(desk)) == ("", "The run was taken back.")
    # Nor is the schedule of another broker account concerned.
    assert desk.connect(url, account_id=KIDS).status_code == 201
    assert told_by_undo(desk, url, run["id"]) == ("", goes_on[1])


def newest(desk):
    return desk.program.get("/api/v1/portfolios/1/accounts/A/runs").json["items"][0]["id"]


def test_what_is_applied_the_next_day_leaves_what_was_known_of_the_day_before(
    anywhere, monkeypatch
):
    desk = anywhere
    url = desk.connected()
    desk.account("B")
    cash = "/api/v1/portfolios/1/accounts/B/cash"
    mine = desk.program.post(cash, json={"currency": "USD", "amount": "1000"}).json
    # Only with a rate that moved are all accounts valued anew.
    told = answers.RATES["USD"]
    monkeypatch.setitem(told, "EUR", str(Decimal(told["EUR"]) * Decimal("1.01")))
    run = rejected(desk, url)
    read_on = desk.clock.now().date()
    (before,) = values_of(desk, read_on, "A")
    desk.clock.turn(timedelta(hours=20).total_seconds())
    today = desk.clock.now().date()
    assert today > read_on
    desk.program.patch(f"{cash}/{mine['id']}", json={"amount": "2000"})
    assert decide(desk, run["id"], "apply").status_code == 200
    assert values_of(desk, read_on, "B") == [1000]
    assert values_of(desk, today, "B") == [2000]
    assert values_of(desk, read_on, "A") == [before]
    assert values_of(desk, today, "A") == [Decimal(totals(desk, url))]
    # Its rates are of the day it read them.
    assert {str(day) for (day,) in rows(desk, "SELECT DISTINCT day FROM rate")} == {str(read_on)}


def values_of(desk, day, name):
    """The values of a day of an account, as stored."""
    of = Account.name == name, DailyValue.day == day
    with desk.app.app_context():
        query = select(DailyValue.net_liquidation).join(Account).where(*of)
        return db.session.scalars(query).all()


def test_a_connection_is_paused_resumed_and_moved_over_json(desk):
    url = desk.connected()
    (found,) = desk.program.get("/api/v1/connections").json["items"]
    assert (found["state"], found["account_name"], found["paused"]) == ("ready", "A", False)
    at = f"/api/v1/connections/{found['id']}"
    paused = desk.program.patch(at, json={"paused": True, "sync_enabled": False}).json
    assert (paused["state"], paused["paused"], paused["sync_enabled"]) == ("paused", True, False)
    form = desk.program.post(f"{url}/resume", headers=HTML)
    assert (form.status_code, form.location) == (303, url)
    assert not desk.program.get("/api/v1/connections").json["items"][0]["paused"]
    wrong = desk.program.patch(at, json={"gateway_id": 99})
    assert wrong.status_code == 404
    for none in (1.5, True, "x", 0):
        refused = desk.program.patch(at, json={"gateway_id": none})
        assert (refused.status_code, list(refused.json["error"]["fields"])) == (
            422,
            ["gateway_id"],
        )
    # For JSON, this is an integer.
    assert desk.program.patch(at, json={"gateway_id": 99.0}).status_code == 404
    assert desk.program.patch("/api/v1/connections/99", json={}).status_code == 404
    # Another gateway is tried first; behind this one is the same simulator.
    desk.program.post("/api/v1/gateways", json={"url": "https://localhost:5001"})
    desk.simulator.sign_out()
    desk.turn(61)
    assert desk.program.patch(at, json={"gateway_id": 2}).status_code == 409
    desk.simulator.sign_in()
    desk.turn(61)
    assert desk.program.patch(at, json={"gateway_id": 2}).json["gateway_id"] == 2
    assert desk.program.patch(at, json={"paused": 1}).status_code == 422


@pytest.mark.parametrize("trouble", ["signed-out", "html-answer", "rate-limited"])
def test_the_history_tells_each_run_and_its_reason(desk, trouble):
    url = desk.connected()
    desk.simulator.play(trouble)
    failed = desk.sync(url).json
    desk.simulator.play("calm")
    desk.turn(1000)
    desk.sync(url)
    page = desk.program.get(f"{url}/syncs", headers=HTML).get_data(as_text=True)
    assert failed["error"]["message"].split(";")[0].replace("'", "&#39;")[:30] in page
    assert "agreed with IBKR" in page
    one = desk.program.get(f"{url}/syncs/{failed['run']['id']}", headers=HTML)
    assert one.status_code == 200
    assert failed["error"]["code"] in one.get_data(as_text=True)
    assert desk.program.get(f"{url}/syncs/none", headers=HTML).status_code == 404


def test_a_bad_answer_keeps_a_sample_without_ids_or_figures(desk):
    url = desk.connected()
    body = b'[{"conid": 12345, "position": "x", "acctId": "U1234567", "name": "ME"}]'
    desk.simulator.fail_next("/positions/0", body=body)
    run = desk.sync(url).json["run"]
    page = desk.program.get(f"{url}/syncs/{run['id']}", headers=HTML).get_data(as_text=True)
    assert "12345" not in page.split("<main")[1].split("What was answered")[-1]


def test_what_cannot_be_decided_upon_says_why(desk):
    url = desk.connected()
    run = rejected(desk, url)
    assert (
        "Only a run that was applied" in decide(desk, run["id"], "undo").json["error"]["message"]
    )
    desk.simulator.play("calm")
    desk.turn(60)
    same = desk.sync(url).json["run"]
    assert "changed nothing" in decide(desk, same["id"], "undo").json["error"]["message"]
    refused = decide(desk, same["id"], "apply").json["error"]["message"]
    assert "Only a run that was not applied" in refused
    run = rejected(desk, url)
    desk.program.post(f"{url}/disconnect", json={})
    gone = decide(desk, run["id"], "apply")
    assert (gone.status_code, gone.json["error"]["code"]) == (409, "conflict")


def test_nothing_is_decided_while_a_sync_is_under_way(desk):
    url = desk.connected()
    desk.simulator.sell(MAIN, "SPY")
    run = desk.sync(url).json["run"]
    with desk.app.app_context(), unit_of_work() as session:
        under_way = session.get_one(SyncRun, run["id"])
        session.add(
            SyncRun(
                id="f" * 32,
                account_id=under_way.account_id,
                connection_id=under_way.connection_id,
                status=RUNNING,
                started_at=desk.clock.now(),
                lease_until=desk.clock.now() + timedelta(seconds=30),
                reconciliation={},
            )
        )
    refused = decide(desk, run["id"], "undo")
    assert "under way" in refused.json["error"]["message"]
    desk.clock.turn(31)
    assert decide(desk, run["id"], "undo").status_code == 200
