"""The forms for what is kept by hand: each saves, says what is wrong, and keeps what was typed."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser

import pytest

HTML = {"Accept": "text/html"}
API = "/api/v1/portfolios/1"


@pytest.fixture
def people(desk):
    desk.url = desk.account()
    return People(desk)


class People:
    """Somebody who reads pages and sends forms, in the account A of the portfolio P."""

    def __init__(self, desk):
        self.desk = desk
        self.url = desk.url

    def see(self, path, status=200):
        answer = self.desk.program.get(path, headers=HTML)
        assert answer.status_code == status
        return answer.get_data(as_text=True)

    def send(self, path, status=303, **form):
        answer = self.desk.program.post(path, data=form, headers=HTML)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.location if status == 303 else answer.get_data(as_text=True)

    def api(self, path=""):
        return self.desk.program.get(f"{API}{path}").json

    def cash(self):
        found = self.desk.holdings(self.url)["cash"]
        return {row["currency"]: (row["id"], row["amount"]) for row in found}


def field(page, name):
    return re.search(rf'name="{name}"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="{name}"', page)


def test_cash_is_added_changed_and_removed(people):
    new = f"{people.url}/cash/new"
    assert field(people.see(new), "currency")
    assert people.send(new, currency="EUR", amount="12.50") == people.url
    number, amount = people.cash()["EUR"]
    assert amount == "12.5"
    one = f"{people.url}/cash/{number}"
    assert "12.5" in people.see(one)
    assert people.send(one, amount="20") == people.url
    assert people.cash()["EUR"] == (number, "20")
    assert people.send(f"{one}/settle") == people.url
    assert people.send(f"{one}/remove") == people.url
    assert people.cash() == {}
    people.see(one, 404)


def test_wrong_cash_is_said_beside_the_field_and_stays_typed(people):
    new = f"{people.url}/cash/new"
    page = people.send(new, 422, currency="EUR", amount="much")
    assert "much" in page
    people.send(new, currency="EUR", amount="1")
    assert "EUR" in people.send(new, 422, currency="EUR", amount="2")
    one = f"{people.url}/cash/{people.cash()['EUR'][0]}"
    page = people.send(one, 422, amount="more")
    assert "more" in page
    assert people.cash()["EUR"][1] == "1"


def test_a_portfolio_is_renamed_and_deleted_with_its_accounts(people):
    edit = "/portfolio/1/edit"
    assert field(people.see(edit), "name")
    assert people.send(edit, name="Old age", base_currency="EUR") == "/portfolio/1"
    assert (people.api()["name"], people.api()["base_currency"]) == ("Old age", "EUR")
    page = people.send(edit, 422, name="", base_currency="EUR")
    assert people.api()["name"] == "Old age"
    assert "Old age" in page
    asked = people.see("/portfolio/1/delete")
    assert "With it goes 1 account worth" in asked
    assert ", its holdings, cash, notes and history" in asked
    assert people.send("/portfolio/1/delete") == "/"
    people.see("/portfolio/1", 404)


def test_an_account_is_made_renamed_and_deleted(people):
    new = "/portfolio/1/accounts/~new"
    assert field(people.see(new), "name")
    assert people.send(new, name="Bank", currency="EUR") == "/portfolio/1/accounts/Bank"
    assert "Bank" in people.send(new, 409, name="Bank", currency="EUR")
    bank = "/portfolio/1/accounts/Bank"
    moved = people.send(f"{bank}/edit", name="Savings", currency="EUR", notes="at home")
    assert moved == "/portfolio/1/accounts/Savings"
    assert people.api("/accounts/Savings")["notes"] == "at home"
    page = people.send(f"{moved}/edit", 422, name="", currency="EUR")
    assert "Savings" in page
    assert "Savings" in people.see(f"{moved}/delete")
    assert people.send(f"{moved}/delete") == "/portfolio/1"
    people.see(moved, 404)


def test_a_rate_is_typed_and_removed(people):
    given = {"from": "EUR", "to": "USD", "rate": "1.25", "date": "2026-11-20"}
    assert people.send("/rates", **given) == "/rates"
    (rate,) = people.desk.program.get("/api/v1/rates").json["items"]
    assert rate["rate"] == "1.25"
    page = people.send("/rates", 422, **(given | {"rate": "x", "from": "CHF"}))
    assert 'value="CHF"' in page
    assert people.send(f"/rates/{rate['id']}/remove") == "/rates"
    assert people.desk.program.get("/api/v1/rates").json["items"] == []


def test_a_holding_is_typed_corrected_and_removed(people):
    new = f"{people.url}/holdings/new"
    assert field(people.see(new), "symbol")
    given = {"symbol": "VWCE", "kind": "etf", "currency": "EUR", "quantity": "2"}
    assert people.send(new, **given).startswith(people.url)
    (row,) = people.desk.holdings(people.url)["holdings"]
    one = f"{people.url}/holdings/{row['id']}"
    page = people.send(one, 422, quantity="two")
    assert "two" in page
    people.send(one, quantity="3")
    assert people.desk.holdings(people.url)["holdings"][0]["quantity"] == "3"
    assert people.send(f"{one}/settle") == people.url
    assert people.send(f"{one}/remove") == people.url
    assert people.desk.holdings(people.url)["holdings"] == []


def test_the_schedule_of_a_connection_is_switched_and_resumed(desk):
    url = desk.connected()
    people = People.__new__(People)
    people.desk, people.url = desk, url
    enabled = []
    for form in ({}, {"sync_enabled": "on"}):
        assert people.send(f"{url}/schedule", **form) == "/connections"
        (found,) = desk.program.get("/api/v1/connections").json["items"]
        enabled.append(found["sync_enabled"])
    assert enabled == [False, True]
    assert people.send(f"{url}/resume") == url
    fragment = desk.program.post(f"{url}/resume", headers={**HTML, "HX-Request": "true"})
    assert fragment.status_code == 200
    assert "<html" not in fragment.get_data(as_text=True)


KNOWN = (
    "id|name|type|value|class|maxlength|autocomplete|inputmode|required|checked|(?:aria|hx)-[a-z]+"
)
ATTRIBUTES = re.compile(rf'\s+(?:{KNOWN})(?:="[^"]*")?(?=[\s>])')


class Inputs(HTMLParser):
    """The inputs of a page by their names, and whatever was run together in a tag."""

    def __init__(self, page):
        super().__init__()
        self.named, self.run_together = {}, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "input":
            self.named[dict(attrs).get("name")] = dict(attrs)
            if ATTRIBUTES.sub("", self.get_starttag_text()) != "<input>":
                self.run_together.append(self.get_starttag_text())


def test_each_field_says_that_it_is_required_and_what_is_wrong_with_it(people):
    new = f"{people.url}/holdings/new"
    asked = Inputs(people.see(new))
    told = Inputs(people.send(new, 422, symbol="A", quantity="much", price="1,5"))
    for inputs in (asked, told):
        assert inputs.run_together == []
        quantity = inputs.named["quantity"]
        assert "required" in quantity
        assert quantity["inputmode"] == "decimal"
        assert quantity["aria-describedby"] == "d-f-quantity"
    assert "aria-invalid" not in asked.named["quantity"]
    assert told.named["quantity"]["aria-invalid"] == told.named["price"]["aria-invalid"] == "true"
    for path in ("/portfolio/new", f"{people.url}/cash/new", "/settings", "/rates"):
        assert Inputs(people.see(path)).run_together == []


def opened(page):
    """The fields of a page's first form, and what it says that it showed."""
    named = Inputs(page.split("</form>")[0]).named
    notes = re.search(r'name="notes"[^>]*>([^<]*)<', page)
    kind = re.search(r'<option value="([^"]*)" selected', page)
    fields = {name: of.get("value", "") for name, of in named.items() if name != "form_token"}
    more = {"notes": notes and notes[1], "kind": kind and kind[1]}
    return fields | {name: value for name, value in more.items() if value is not None}


def test_a_form_takes_back_nobody_elses_change(people):
    first = {"symbol": "AB", "kind": "etf", "currency": "EUR", "quantity": "11"}
    people.send(f"{people.url}/holdings/new", **first)
    one = f"{people.url}/holdings/{people.desk.holdings(people.url)['holdings'][0]['id']}"

    def held():
        (row,) = people.desk.holdings(people.url)["holdings"]
        return row["quantity"], row["price"], row["notes"]

    mine, theirs = opened(people.see(one)), opened(people.see(one))
    people.send(one, **theirs | {"quantity": "20"})
    people.send(one, **mine | {"notes": "kept\r\nwhole"})
    assert held() == ("20", None, "kept\nwhole")
    # The same field: said first, and then it is a decision.
    page = people.send(one, 422, **mine | {"quantity": "30", "price": "7"})
    assert "This was changed meanwhile: it is “20” by now." in page
    assert held() == ("20", None, "kept\nwhole")
    people.send(one, **theirs | {"quantity": "20", "price": "6"})
    told = opened(page)
    assert (told["quantity"], told["price"]) == ("30", "7")
    page = people.send(one, 422, **told)
    assert "it is “6” by now" in page
    people.send(one, **opened(page))
    assert held() == ("30", "7", "kept\nwhole")
    # Of a program that does not say what it has seen, all counts.
    people.send(one, quantity="40")
    assert held()[0] == "40"
    for odd in ("[", "[1]", "null", '{"quantity": 1}', "[" * 100_000):
        people.send(one, quantity="41", opened=odd)


def test_cash_an_account_and_a_portfolio_take_back_nobody_elses_change(people):
    people.send(f"{people.url}/cash/new", currency="EUR", amount="1")
    cash = f"{people.url}/cash/{people.cash()['EUR'][0]}"
    seen = opened(people.see(cash))
    people.send(cash, **seen | {"amount": "2"})
    # Saved as it was opened, it would be 1 again.
    page = people.send(cash, 422, **seen)
    assert "it is “2” by now" in page
    people.send(cash, **opened(page))
    assert people.cash()["EUR"][1] == "1"
    edit, portfolio = f"{people.url}/edit", "/portfolio/1/edit"
    seen, whole = opened(people.see(edit)), opened(people.see(portfolio))
    people.send(edit, **seen | {"currency": "CHF"})
    people.send(edit, **seen | {"notes": "mine"})
    account = people.api("/accounts/A")
    assert (account["currency"], account["notes"]) == ("CHF", "mine")
    assert "it is “CHF” by now" in people.send(edit, 422, **seen | {"currency": "GBP"})
    people.send(portfolio, **whole | {"base_currency": "CHF"})
    people.send(portfolio, **whole | {"name": "Q"})
    assert (people.api()["name"], people.api()["base_currency"]) == ("Q", "CHF")


def test_half_a_character_in_what_a_form_showed_is_no_error(people):
    sent = {"base_currency": "USD", "opened": r'{"name": "P", "notes": "\ud800"}'}
    page = people.send("/portfolio/1/edit", 422, name="", **sent)
    opened = html.unescape(re.search(r'name="opened" value="([^"]*)"', page)[1])
    assert json.loads(opened)["name"] == "P"
    people.send("/portfolio/1/edit", name="Alterssäule 日本", **sent | {"opened": opened})
    shown = html.unescape(people.see("/portfolio/1/edit"))
    assert (
        json.loads(re.search(r'name="opened" value="({.*?})"', shown)[1])["name"]
        == (people.api()["name"])
    )


def test_of_json_is_spoken_to_programs_only(people):
    given = {"symbol": "X", "kind": "stock", "currency": "USD"}
    page = people.send(f"{people.url}/holdings/new", 422, **given, quantity="12,5")
    assert "Write plain digits with a point, such as 12.5: at most 20" in page
    assert "JSON" not in page
    api = f"{API}/accounts/A/holdings"
    answer = people.desk.program.post(api, json={**given, "quantity": 12.5})
    assert 'such as "12.5" (in JSON a string)' in answer.json["error"]["fields"]["quantity"]
    assert people.desk.program.post(api, json={**given, "quantity": "12.5"}).status_code == 201
    people.send(f"{people.url}/holdings/new", **given | {"symbol": "Y"}, quantity="12.5")


def test_a_button_that_came_too_late_leads_back_to_its_page(desk):
    url = desk.connected()
    seen = desk.program.get(url, headers=HTML)
    home = seen.request.host_url
    post = f"{url}/schedule"
    assert "Automatic sync is on." in pressed(desk, post, {"sync_enabled": "on"})
    # Somebody disconnects it while the page is still open.
    assert desk.program.post(f"{url}/disconnect").status_code == 200
    late = {"sync_enabled": "on"}
    page = pressed(desk, post, late, referer=f"{home}settings?tab=1", status=409)
    assert "is not connected to a broker" in page
    assert '<a href="/settings?tab=1">Back to the page before</a>' in page
    odd = f"{home}/elsewhere.example/x"
    assert '<a href="/elsewhere.example/x">Back' in pressed(desk, post, late, odd, 409)
    others = ("", "https://elsewhere.example/settings", "http://[", f"{home}\\elsewhere.example")
    for referer in (*others, f"{home}{post.lstrip('/')}"):
        assert "Back to the page before" not in pressed(desk, post, late, referer, 409)


def pressed(desk, url, data, referer="", status=200):
    headers = {**HTML, "Referer": referer}
    answer = desk.program.post(url, data=data, headers=headers, follow_redirects=True)
    assert answer.status_code == status
    return answer.get_data(as_text=True)
