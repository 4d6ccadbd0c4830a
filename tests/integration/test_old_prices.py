"""A price that is older than the last read says so, with its time: on the page and in files."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal

from portfolio.db.session import unit_of_work
from portfolio.sync.models import SyncRun
from tests.integration.test_fooled import without_price

HTML = {"Accept": "text/html"}
MAIN = "U1234567"
P = "/api/v1/portfolios/1/accounts/A"


def row_of(desk, url, symbol):
    page = desk.program.get(f"{url}?text={symbol}", headers=HTML).get_data(as_text=True)
    return re.search(rf"<tr>(?:(?!</tr>).)*>{symbol}</a>.*?</tr>", page, re.DOTALL)[0]


def in_json(desk, symbol):
    answer = desk.program.get(f"{P}/holdings?text={symbol}").json
    (found,) = (of for of in answer["holdings"] if of["instrument"]["symbol"] == symbol)
    return found, answer["synced_at"]


def test_a_price_that_no_read_renewed_keeps_its_time_until_one_does(desk):
    url = desk.connected()
    found, read_at = in_json(desk, "BRK B")
    assert found["quoted_at"] == read_at
    assert "as of" not in row_of(desk, url, "BRK B")
    without_price(desk, MAIN, "BRK B")
    desk.turn(3 * 86_400)
    assert desk.sync(url).status_code == 200
    found, later = in_json(desk, "BRK B")
    assert (found["quoted_at"], later > read_at) == (read_at, True)
    assert Decimal(found["price"]) > 0
    told = r'class="tag">price as of Friday \d\d:\d\d<'
    assert re.search(told, row_of(desk, url, "BRK B"))
    assert "as of" not in row_of(desk, url, "SPY")
    text = desk.program.get(f"{P}/export.csv").get_data(as_text=True)
    times = {of["symbol"]: of["quoted_at"] for of in csv.DictReader(io.StringIO(text))}
    assert (times["BRK B"], times["SHEL"], times[""]) == (read_at, later, "")
    desk.simulator.state.rewrites.clear()
    assert desk.sync(url).status_code == 200
    found, now = in_json(desk, "BRK B")
    assert found["quoted_at"] == now
    assert "as of" not in row_of(desk, url, "BRK B")


def test_a_price_keeps_its_time_when_a_run_before_it_is_taken_back(anywhere):
    desk = anywhere
    url = desk.connected()
    desk.simulator.sell(MAIN, "BRK B")
    sold = desk.sync(url).json["run"]
    desk.turn(3 * 86_400)
    assert desk.sync(url).status_code == 200
    found, read_at = in_json(desk, "AAPL")
    assert found["quoted_at"] == read_at
    back = desk.program.post(f"/api/v1/runs/{sold['id']}/undo").json["run"]
    found, shown = in_json(desk, "AAPL")
    assert (found["quoted_at"], shown < read_at) == (read_at, True)
    # What the run had closed comes back with the price that it was closed with.
    assert in_json(desk, "BRK B")[0]["quoted_at"] <= shown
    text = desk.program.get(f"{P}/export.csv").get_data(as_text=True)
    times = {of["symbol"]: of["quoted_at"] for of in csv.DictReader(io.StringIO(text))}
    assert times["AAPL"] == read_at
    # Taken back once more, all is as it was read.
    assert desk.program.post(f"/api/v1/runs/{back['id']}/undo").status_code == 200
    assert in_json(desk, "AAPL")[0]["quoted_at"] == read_at
    assert "as of" not in row_of(desk, url, "AAPL")
    # A read that brings no price leaves the time, and the next that does renews it.
    without_price(desk, MAIN, "AAPL")
    desk.turn()
    assert desk.sync(url).status_code == 200
    assert in_json(desk, "AAPL")[0]["quoted_at"] == read_at
    desk.simulator.state.rewrites.clear()
    assert desk.sync(url).status_code == 200
    found, now = in_json(desk, "AAPL")
    assert found["quoted_at"] == now


def test_a_run_that_comes_back_has_the_time_that_it_was_read(anywhere):
    desk = anywhere
    url = desk.connected()
    desk.turn()
    desk.simulator.sell(MAIN, "BRK B")
    run = desk.sync(url).json["run"]
    _, read_at = in_json(desk, "AAPL")
    with desk.app.app_context(), unit_of_work() as session:
        # To store it took a while.
        session.get_one(SyncRun, run["id"]).finished_at += timedelta(seconds=5)
    for _ in range(2):
        run = desk.program.post(f"/api/v1/runs/{run['id']}/undo").json["run"]
    found, shown = in_json(desk, "AAPL")
    assert (found["quoted_at"], shown) == (read_at, read_at)
    assert "as of" not in row_of(desk, url, "AAPL")


def test_a_price_typed_by_hand_has_the_time_it_was_typed(desk):
    url = desk.connected()
    body = {"symbol": "HAND", "kind": "stock", "currency": "USD", "quantity": "1", "price": "5"}
    made = desk.program.post(f"{P}/holdings", json=body).json
    assert made["quoted_at"] is not None
    bare = desk.program.post(f"{P}/holdings", json={**body, "symbol": "BARE", "price": None}).json
    assert bare["quoted_at"] is None
    assert "as of" not in row_of(desk, url, "HAND")
    desk.turn(86_400)
    assert desk.sync(url).status_code == 200
    assert 'class="tag">price as of yesterday ' in row_of(desk, url, "HAND")
    found, _ = in_json(desk, "HAND")
    assert found["quoted_at"] == made["quoted_at"]


def saved(desk, url, holding_id, **changed):
    """The form of a holding, sent as the page has it but for what is changed."""
    at = f"{url}/holdings/{holding_id}"
    page = desk.program.get(at, headers=HTML).get_data(as_text=True)
    form = dict(re.findall(r'name="(quantity|average_price|price)"[^>]*value="([^"]*)"', page))
    assert form["price"]
    done = desk.program.post(at, data={**form, **changed}, headers=HTML)
    assert done.status_code == 303, done.get_data(as_text=True)


def test_a_note_leaves_the_price_its_time_and_another_price_does_not(desk):
    url = desk.connected()
    desk.program.post(f"{url}/disconnect", json={})
    found, read_at = in_json(desk, "BRK B")
    assert found["quoted_at"] == read_at
    desk.turn(3_600)
    saved(desk, url, found["id"], notes="only a note")
    noted, _ = in_json(desk, "BRK B")
    assert (noted["notes"], noted["quoted_at"]) == ("only a note", read_at)
    same = desk.program.patch(f"{P}/holdings/{found['id']}", json={"price": found["price"]})
    assert same.json["quoted_at"] == read_at
    saved(desk, url, found["id"], price="7")
    priced, _ = in_json(desk, "BRK B")
    assert (priced["price"], priced["quoted_at"] > read_at) == ("7", True)
    gone = desk.program.patch(f"{P}/holdings/{found['id']}", json={"price": None})
    assert gone.json["quoted_at"] is None


def test_a_file_read_again_leaves_the_times_of_prices_that_it_does_not_change(desk):
    desk.account()
    line = "symbol,kind,quantity,price,currency,notes\nHAND,stock,{},{},USD,{}\n"

    def sent(quantity, price, notes):
        desk.turn(3_600)
        body = {"csv": line.format(quantity, price, notes), "apply": True}
        assert desk.program.post(f"{P}/import", json=body).json["applied"]
        return in_json(desk, "HAND")[0]

    first = sent(1, 5, "")
    again = sent(2, 5, "for Ada")
    assert (again["notes"], again["quoted_at"]) == ("for Ada", first["quoted_at"])
    dearer = sent(2, 6, "for Ada")
    assert dearer["quoted_at"] > first["quoted_at"]
    # What was removed and is there again says its price anew.
    assert desk.program.delete(f"{P}/holdings/{dearer['id']}").status_code == 204
    assert sent(2, 6, "for Ada")["quoted_at"] > dearer["quoted_at"]


def test_a_price_that_was_typed_says_when_in_its_form(desk):
    url = desk.account()
    body = {"symbol": "AA", "kind": "stock", "currency": "USD", "quantity": "2", "price": "5"}
    made = desk.program.post(f"{P}/holdings", json=body).json
    desk.turn(3 * 86_400)

    def form():
        page = desk.program.get(f"{url}/holdings/{made['id']}", headers=HTML)
        return page.get_data(as_text=True)

    assert re.search(r"This is the price of Friday \d\d:\d\d\.", form())
    desk.program.patch(f"{P}/holdings/{made['id']}", json={"price": None})
    assert "This is the price of" not in form()
    desk.program.patch(f"{P}/holdings/{made['id']}", json={"price": "6"})
    assert re.search(r"This is the price of \d\d:\d\d, just now\.", form())
