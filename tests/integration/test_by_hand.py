"""Portfolios kept by hand: every figure checked with a calculator."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal as D

import pytest

from portfolio.accounts.models import Holding
from portfolio.db.session import unit_of_work

P = "/api/v1/portfolios"
VWCE = {
    "symbol": "VWCE",
    "name": "Vanguard FTSE All-World",
    "kind": "etf",
    "currency": "EUR",
    "quantity": "12.5",
    "average_price": "98.10",
    "price": "101",
    "multiplier": "1",
    "identifiers": {"isin": "IE00BK5BQT80"},
}


@pytest.fixture
def hand(desk):
    desk.program.post(P, json={"name": "Retirement", "base_currency": "EUR"})
    desk.program.post(f"{P}/1/accounts", json={"name": "Bank", "currency": "EUR"})
    return Hand(desk)


class Hand:
    def __init__(self, desk):
        self.desk = desk
        self.url = f"{P}/1/accounts/Bank"

    def call(self, method, path, status, body=None):
        given = {} if body is None else {"json": body}
        answer = self.desk.program.open(f"{self.url}{path}", method=method, **given)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.json if answer.data else None

    def add(self, status=201, **values):
        return self.call("POST", "/holdings", status, values)

    def holding(self, **values):
        return self.add(**{"kind": "stock", "currency": "EUR", "quantity": "1", **values})

    def cash(self, currency, amount, status=201):
        return self.call("POST", "/cash", status, {"currency": currency, "amount": amount})

    def rate(self, source, target, value, date=None, status=201):
        body = {"from": source, "to": target, "rate": value, "date": date}
        answer = self.desk.program.post("/api/v1/rates", json=body)
        assert answer.status_code == status, answer.json
        return answer.json

    def totals(self):
        return self.call("GET", "/holdings", 200)["totals"]

    def portfolio(self):
        return self.desk.program.get(f"{P}/1").json


def test_a_retirement_in_three_currencies(hand):
    hand.add(**VWCE)
    bond = {"symbol": "BUND", "kind": "bond", "average_price": "101.2", "price": "98.7"}
    made = hand.holding(**bond, quantity="10000", expiry="2033-08-15")
    assert (made["market_value"], made["cost"]) == ("9870", "10120")
    option = {"kind": "option", "currency": "USD", "multiplier": "100", "underlying": "NVDA"}
    made = hand.holding(
        **option,
        symbol="NVDA C200",
        quantity="-4",
        average_price="19.45",
        price="25.3",
        expiry="2027-01-15",
        strike="200",
        right="call",
    )
    assert (made["market_value"], made["cost"], made["unrealized_pnl"]) == (
        "-10120",
        "-7780",
        "-2340",
    )
    short = hand.holding(
        symbol="GME", currency="USD", quantity="-10", average_price="30", price="25"
    )
    assert (short["market_value"], short["unrealized_pnl"]) == ("-250", "50")
    hand.holding(symbol="NESN", currency="CHF", quantity="30", average_price="90", price="88")
    hand.cash("EUR", "20000.50")
    hand.cash("USD", "300")
    hand.rate("USD", "EUR", "0.9")
    assert hand.totals()["incomplete"] == ["without 1 holding: no rate for CHF"]
    hand.rate("EUR", "CHF", "0.96")
    of = hand.totals()
    euros, dollars, francs = D("31133"), (D(-10120) - 250 + 300) * D("0.9"), D(2640) / D("0.96")
    assert D(of["net_liquidation"]) == euros + dollars + francs
    assert of["incomplete"] == []
    assert D(of["by_kind"]["option"]) == D("-9108")
    assert D(of["by_currency"]["CHF"]) == 2750
    assert hand.portfolio()["net_liquidation"] == of["net_liquidation"]


def test_the_totals_follow_every_change(hand):
    made = hand.add(**VWCE)
    assert hand.totals()["net_liquidation"] == "1262.5"
    changed = hand.call("PATCH", f"/holdings/{made['id']}", 200, {"price": "102.00"})
    assert changed["price"] == "102"
    assert hand.totals()["net_liquidation"] == "1275"
    balance = hand.cash("USD", "100")
    assert hand.totals()["incomplete"] == ["without the USD cash: no rate for USD"]
    rate = hand.rate("USD", "EUR", "0.5")
    assert hand.totals()["net_liquidation"] == "1325"
    hand.rate("USD", "EUR", "0.25")
    assert hand.totals()["net_liquidation"] == "1300"
    hand.call("PATCH", f"/cash/{balance['id']}", 200, {"amount": "400"})
    assert hand.totals()["net_liquidation"] == "1375"
    assert hand.desk.program.delete(f"/api/v1/rates/{rate['id']}").status_code == 204
    assert hand.totals()["net_liquidation"] == "1275"
    hand.call("DELETE", f"/cash/{balance['id']}", 204)
    hand.call("DELETE", f"/holdings/{made['id']}", 204)
    assert hand.totals()["net_liquidation"] == "0"


def test_a_removed_holding_comes_back_with_its_notes(hand):
    made = hand.add(**VWCE, notes="for Ada")
    hand.call("DELETE", f"/holdings/{made['id']}", 204)
    hand.call("GET", f"/holdings/{made['id']}", 404)
    again = hand.add(**VWCE)
    assert (again["id"], again["notes"]) == (made["id"], "for Ada")


def test_a_removed_holding_comes_back_without_its_former_figures(hand):
    figures = {"average_price": "50", "price": "100"}

    def removed():
        made = hand.holding(symbol="X", notes="mine", **figures)
        hand.call("DELETE", f"/holdings/{made['id']}", 204)
        hand.desk.turn(100 * 86_400)

    removed()
    unknown = ("average_price", "cost", "price", "market_value", "unrealized_pnl", "quoted_at")
    made = hand.holding(symbol="X", quantity="3")
    assert (made["notes"], {made[name] for name in unknown}) == ("mine", {None})
    assert "without 1 holding: no price" in hand.totals()["incomplete"]
    hand.call("DELETE", f"/holdings/{made['id']}", 204)
    removed()
    file = "symbol,quantity,kind\nX,3,stock\n"
    hand.call("POST", "/import", 200, {"csv": file, "apply": True})
    (made,) = hand.call("GET", "/holdings", 200)["holdings"]
    assert (made["notes"], {made[name] for name in unknown}) == ("mine", {None})
    known = hand.call("PATCH", f"/holdings/{made['id']}", 200, figures)
    assert (known["cost"], known["market_value"]) == ("150", "300")
    # What stays held keeps what a file does not name.
    hand.call("POST", "/import", 200, {"csv": file.replace("3", "4"), "apply": True})
    (made,) = hand.call("GET", "/holdings", 200)["holdings"]
    assert (made["cost"], made["market_value"]) == ("200", "400")


def test_what_another_account_knows_of_an_instrument_is_not_lost_where_it_is_added(hand):
    known = hand.add(**VWCE, underlying="VT")["instrument"]
    program, other = hand.desk.program, f"{P}/1/accounts/Other"
    program.post(f"{P}/1/accounts", json={"name": "Other", "currency": "EUR"})
    terms = {"symbol": "VWCE", "kind": "etf", "currency": "EUR", "quantity": "3"}
    form = {**terms, "name": " ", "isin": "", "underlying": "", "price": "", "notes": ""}

    def added(answer, status=303):
        assert answer.status_code == status, answer.get_data(as_text=True)
        assert hand.call("GET", "/holdings", 200)["holdings"][0]["instrument"] == known
        (row,) = program.get(f"{other}/holdings").json["holdings"]
        assert row["instrument"] == known
        return row

    row = added(hand.desk.program.post("/portfolio/1/accounts/Other/holdings/new", data=form))
    assert program.delete(f"{other}/holdings/{row['id']}").status_code == 204
    file = "symbol,kind,currency,quantity,name,isin,underlying\nVWCE,etf,EUR,3,,,\n"
    row = added(program.post(f"{other}/import", json={"csv": file, "apply": True}), 200)
    assert program.delete(f"{other}/holdings/{row['id']}").status_code == 204
    # One that was mistyped becomes what the other account has.
    typo = program.post(f"{other}/holdings", json={**terms, "symbol": "VWCD", "name": "?"}).json
    row = added(program.patch(f"{other}/holdings/{typo['id']}", json={"symbol": "VWCE"}), 200)
    # Who clears it where it is held means it.
    change = {"name": None, "identifiers": {"isin": None}}
    program.patch(f"{other}/holdings/{row['id']}", json=change)
    (row,) = hand.call("GET", "/holdings", 200)["holdings"]
    assert (row["instrument"]["name"], row["instrument"]["identifiers"]["isin"]) == (None, None)


def test_the_same_instrument_twice_is_a_conflict(hand):
    hand.add(**VWCE)
    assert hand.add(409, **VWCE)["error"]["code"] == "conflict"
    other = hand.add(**{**VWCE, "currency": "USD"})
    conflict = hand.call("PATCH", f"/holdings/{other['id']}", 409, {"currency": "EUR"})
    assert "already holds VWCE" in conflict["error"]["message"]
    hand.cash("EUR", "1")
    assert hand.cash("EUR", "2", 409)["error"]["code"] == "conflict"


def test_a_changed_term_is_another_instrument_and_others_keep_theirs(hand):
    first = hand.add(**VWCE)
    hand.desk.program.post(f"{P}/1/accounts", json={"name": "Other", "currency": "EUR"})
    other = hand.desk.program.post(f"{P}/1/accounts/Other/holdings", json=VWCE).json
    assert other["instrument"]["id"] == first["instrument"]["id"]
    changed = hand.call("PATCH", f"/holdings/{first['id']}", 200, {"symbol": "VWRL"})
    assert changed["instrument"]["symbol"] == "VWRL"
    assert changed["instrument"]["name"] == VWCE["name"]
    kept = hand.desk.program.get(f"{P}/1/accounts/Other/holdings/{other['id']}").json
    assert kept["instrument"]["symbol"] == "VWCE"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": "0"}, "quantity"),
        ({"quantity": 12.5}, "quantity"),
        ({"quantity": "1e5"}, "quantity"),
        ({"quantity": "1" * 21}, "quantity"),
        ({"quantity": "0." + "1" * 21}, "quantity"),
        ({"quantity": "9" * 5000}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "Infinity"}, "quantity"),
        ({"quantity": " 1"}, "quantity"),
        ({"quantity": "1\n"}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"price": "1,5"}, "price"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "x" * 101}, "symbol"),
        ({"symbol": "a\u202eb"}, "symbol"),
        ({"kind": "castle"}, "kind"),
        ({"currency": "EURO"}, "currency"),
        ({"multiplier": "0"}, "multiplier"),
        ({"kind": "option", "multiplier": ...}, "multiplier"),
        ({"identifiers": {"isin": "IE00BK5BQT81"}}, "identifiers.isin"),
        ({"identifiers": {"valor": "1"}}, "identifiers.valor"),
        ({"right": "up"}, "right"),
        ({"expiry": "tomorrow"}, "expiry"),
        ({"notes": "\x00"}, "notes"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(hand, change, field):
    body = {name: value for name, value in {**VWCE, **change}.items() if value is not ...}
    error = hand.add(422, **body)["error"]
    assert field in error["fields"], error
    assert hand.call("GET", "/holdings", 200)["holdings"] == []


def test_exact_numbers_go_in_and_out(hand):
    long = "12345678901234567890.12345678901234567891"
    made = hand.add(**{**VWCE, "quantity": long, "price": "0.00000000000000000001"})
    assert made["quantity"] == long
    assert made["price"] == "0.00000000000000000001"
    assert made["market_value"] == "0.1234567890123456789012345678901234567891"


def test_accounts_and_portfolios_are_renamed_and_deleted(hand):
    program = hand.desk.program
    assert program.patch(hand.url, json={"name": "A/B"}).json["name"] == "A/B"
    assert program.get(f"{P}/1/accounts/~1").json["name"] == "A/B"
    program.patch(f"{P}/1", json={"base_currency": "CHF", "name": "Old age"})
    assert program.get(f"{P}/1").json["base_currency"] == "CHF"
    assert program.delete(f"{P}/1/accounts/~1").status_code == 204
    assert program.get(f"{P}/1/accounts").json["items"] == []
    assert program.delete(f"{P}/1").status_code == 204
    assert program.get(P).json["items"] == []


def test_a_linked_account_is_not_deleted_and_takes_holdings_by_hand(desk):
    url = desk.connected()
    program, api = desk.program, f"{P}/1/accounts/A"
    assert program.delete(api).json["error"]["code"] == "conflict"
    assert program.delete(f"{P}/1").json["error"]["code"] == "conflict"
    before = D(program.get(f"{api}/holdings").json["totals"]["net_liquidation"])
    made = program.post(f"{api}/holdings", json={**VWCE, "currency": "USD"})
    assert made.status_code == 201
    after = program.get(f"{api}/holdings").json["totals"]["net_liquidation"]
    assert D(after) - before == D("1262.5")
    assert desk.sync(url).json["run"]["closed"] == 0
    assert program.get(f"{api}/holdings?text=vwce").json["totals"]["net_liquidation"] == after


def test_a_synced_row_takes_notes_only_until_it_is_disconnected(desk):
    url = desk.connected()
    api = f"{P}/1/accounts/A/holdings"
    row = desk.program.get(f"{api}?text=AAPL").json["holdings"][0]
    refused = desk.program.patch(f"{api}/{row['id']}", json={"quantity": "1"})
    assert refused.json["error"]["code"] == "conflict"
    assert desk.program.delete(f"{api}/{row['id']}").json["error"]["code"] == "conflict"
    noted = desk.program.patch(f"{api}/{row['id']}", json={"notes": "keep"})
    assert noted.json["notes"] == "keep"
    desk.sync(url)
    assert desk.program.get(f"{api}/{row['id']}").json["notes"] == "keep"
    desk.program.post(f"{url}/disconnect")
    half = str(D(row["quantity"]) / 2)
    changed = desk.program.patch(f"{api}/{row['id']}", json={"quantity": half}).json
    assert D(changed["market_value"]) == D(row["market_value"]) / 2
    assert D(changed["cost"]) == D(row["cost"]) / 2
    terms = desk.program.patch(f"{api}/{row['id']}", json={"symbol": "X"})
    assert "symbol" in terms.json["error"]["fields"]


def test_an_average_price_of_0_stays_and_counts_as_not_known(hand):
    row = hand.holding(symbol="A", quantity="2", price="50", average_price="0")
    other = hand.holding(symbol="B", quantity="1", price="10", average_price="4")
    assert (row["average_price"], row["market_value"]) == ("0", "100")
    assert (row["cost"], row["unrealized_pnl"]) == (None, None)
    totals = hand.totals()
    assert (totals["net_liquidation"], totals["unrealized_pnl"]) == ("110", "6")
    assert totals["incomplete"] == ["P&L without 1 holding: cost or price not known"]
    page = hand.desk.program.get("/portfolio/1/accounts/Bank", headers={"Accept": "text/html"})
    assert "average price not known" in page.get_data(as_text=True)
    form = f"/portfolio/1/accounts/Bank/holdings/{row['id']}"
    text = hand.desk.program.get(form, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "0 counts as not known." in text
    assert re.search(r'name="average_price"[^>]* value="0"', text)
    known = hand.call("PATCH", f"/holdings/{row['id']}", 200, {"average_price": "45"})
    assert (known["cost"], known["unrealized_pnl"]) == ("90", "10")
    totals = hand.totals()
    assert (totals["unrealized_pnl"], totals["incomplete"]) == ("16", [])
    assert other["cost"] == "4"


def test_a_row_that_a_broker_left_has_no_profit_at_an_average_price_of_0(desk):
    url = desk.connected()
    desk.program.post(f"{url}/disconnect")
    api = f"{P}/1/accounts/A/holdings"
    row = desk.program.get(f"{api}?text=AAPL").json["holdings"][0]
    unknown = desk.program.patch(f"{api}/{row['id']}", json={"average_price": "0"}).json
    assert (unknown["average_price"], unknown["market_value"]) == ("0", row["market_value"])
    assert (unknown["cost"], unknown["unrealized_pnl"]) == (None, None)
    page = desk.program.get(f"{url}/holdings/{row['id']}", headers={"Accept": "text/html"})
    shown = page.get_data(as_text=True).partition("Average price</th>")[2].partition("</tr>")[0]
    assert "not known" in shown
    # A quantity that is typed then is no split: the price stays.
    more = desk.program.patch(f"{api}/{row['id']}", json={"quantity": "7"}).json
    assert (more["price"], more["unrealized_pnl"]) == (row["price"], None)
    given = {"quantity": row["quantity"], "average_price": row["average_price"]}
    known = desk.program.patch(f"{api}/{row['id']}", json=given).json
    assert (known["cost"], known["unrealized_pnl"]) == (row["cost"], row["unrealized_pnl"])


def test_notes_leave_the_value_of_a_row_without_a_price_alone(desk):
    desk.connected()
    api = f"{P}/1/accounts/A/holdings"
    row = desk.program.get(f"{api}?text=AAPL").json["holdings"][0]
    with desk.app.app_context(), unit_of_work() as session:
        # As a broker tells it to whom it sells no prices.
        session.get_one(Holding, int(row["id"])).price = None
    noted = desk.program.patch(f"{api}/{row['id']}", json={"notes": "keep"}).json
    assert (noted["notes"], noted["price"]) == ("keep", None)
    for name in ("market_value", "unrealized_pnl", "cost"):
        assert noted[name] == row[name]


def test_a_daily_value_is_kept_for_each_day_of_change(hand):
    made = hand.add(**VWCE)
    hand.desk.turn(timedelta(days=1).total_seconds())
    hand.call("PATCH", f"/holdings/{made['id']}", 200, {"price": "110"})
    hand.call("PATCH", f"/holdings/{made['id']}", 200, {"price": "112"})
    values = hand.call("GET", "/values", 200)["items"]
    assert [row["net_liquidation"] for row in values] == ["1262.5", "1400"]


def test_the_table_is_sorted_filtered_and_paged(hand):
    for number in range(60):
        sign = "-" if number % 7 == 0 else ""
        hand.holding(symbol=f"S{number:02}", quantity=f"{sign}{number + 1}", price="2")
    hand.holding(symbol="NONE")
    first = hand.call("GET", "/holdings?sort=-value&limit=5", 200)
    assert [row["instrument"]["symbol"] for row in first["holdings"]] == [
        *("S59", "S58", "S57", "S55", "S54")
    ]
    up = hand.call("GET", "/holdings?sort=quantity&limit=2", 200)["holdings"]
    assert [row["quantity"] for row in up] == ["-57", "-50"]
    last = hand.call("GET", "/holdings?sort=value&limit=500", 200)["holdings"][-1]
    assert last["instrument"]["symbol"] == "NONE"
    found = hand.call("GET", "/holdings?text=s1", 200)["holdings"]
    assert len(found) == 10
    assert hand.call("GET", "/holdings?text=%25", 200)["holdings"] == []
    assert hand.call("GET", "/holdings?kind=bond", 200)["holdings"] == []
    assert hand.call("GET", "/holdings?sort=colour", 422)["error"]["fields"].keys() == {"sort"}
    for sort in ("symbol", "price", "cost", "pnl", "pnl_pct", "weight"):
        assert len(hand.call("GET", f"/holdings?sort=-{sort}&limit=500", 200)["holdings"]) == 61


def test_groups_keep_their_members_together_and_add_up(hand):
    hand.holding(symbol="NVDA", quantity="40", average_price="100", price="178.4")
    terms = {"kind": "option", "underlying": "NVDA", "multiplier": "100"}
    hand.holding(symbol="C200", quantity="-4", average_price="20", price="25.3", **terms)
    hand.holding(symbol="SPY", quantity="1", price="5000")
    page = hand.desk.program.get("/portfolio/1/accounts/Bank?group=underlying&sort=-value")
    text = page.get_data(as_text=True)
    order = [text.index(word) for word in ("SPY", "2 positions", "C200")]
    assert order == sorted(order)
    assert "−2,984.00" in text


def test_instruments_are_offered_while_typing(hand):
    hand.add(**VWCE)
    found = hand.desk.program.get("/api/v1/instruments?text=vw").json["items"]
    assert [row["symbol"] for row in found] == ["VWCE"]
    assert found[0]["identifiers"]["isin"] == "IE00BK5BQT80"
    headers = {"HX-Request": "true", "HX-Target": "offered"}
    form = "/portfolio/1/accounts/Bank/holdings/new"
    page = hand.desk.program.get(f"/instruments/offered?symbol=van&form={form}", headers=headers)
    assert f'href="{form}?instrument=1"' in page.get_data(as_text=True)
    filled = hand.desk.program.get(f"{form}?instrument=1").get_data(as_text=True)
    assert 'value="IE00BK5BQT80"' in filled


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rate": "0"}, "rate"),
        ({"rate": "-1"}, "rate"),
        ({"to": "USD"}, "to"),
        ({"from": "DOLLAR"}, "from"),
        ({"date": "2999-01-01"}, "date"),
    ],
)
def test_a_wrong_rate_names_its_field(desk, body, field):
    answer = desk.program.post(
        "/api/v1/rates", json={"from": "USD", "to": "EUR", "rate": "1"} | body
    )
    assert (answer.status_code, list(answer.json["error"]["fields"])) == (422, [field])
    assert desk.program.get("/api/v1/rates").json["items"] == []


def test_an_amount_left_empty_in_the_form_is_missing_and_changes_nothing(hand):
    balance = hand.cash("EUR", "12.50")
    url = f"/portfolio/1/accounts/Bank/cash/{balance['id']}"
    program = hand.desk.program
    page = program.post(url, data={"amount": ""}, headers={"Accept": "text/html"})
    assert page.status_code == 422
    assert "An amount is needed." in page.get_data(as_text=True)
    kept = hand.call("PATCH", f"/cash/{balance['id']}", 200, {})
    assert kept["amount"] == "12.5"


def test_what_is_cleared_in_the_form_of_a_holding_is_not_kept(hand):
    terms = {"symbol": "X", "kind": "stock", "currency": "EUR", "multiplier": "100"}
    made = hand.holding(**terms, quantity="2", price="10")
    url, number = f"/portfolio/1/accounts/Bank/holdings/{made['id']}", f"/holdings/{made['id']}"

    def saved(**typed):
        showed = {"opened": json.dumps({**terms, "quantity": "2"})}
        form = {**terms, "quantity": "2", "price": "10", **showed, **typed}
        answer = hand.desk.program.post(url, data=form, headers={"Accept": "text/html"})
        return answer.status_code, answer.get_data(as_text=True)

    needed = {
        "symbol": "A symbol is needed.",
        "currency": "A currency is a code of three capital letters",
        "quantity": "A quantity is needed.",
    }
    for name, why in needed.items():
        status, page = saved(**{name: ""})
        assert status == 422
        assert why in page
        assert hand.call("GET", number, 200) == made
    status, page = saved(kind="option", multiplier="")
    assert status == 422
    assert "The size of one contract is needed" in page
    assert saved(multiplier="")[0] == 303
    kept = hand.call("GET", number, 200)
    assert (kept["instrument"]["multiplier"], kept["market_value"]) == ("1", "20")


def test_another_kind_has_its_own_usual_multiplier(hand):
    made = hand.holding(symbol="BUND", quantity="10000", price="98.7", average_price="101.2")
    number, form = f"/holdings/{made['id']}", f"/portfolio/1/accounts/Bank/holdings/{made['id']}"

    def changed(status=200, **values):
        found = hand.call("PATCH", number, status, values)
        if status != 200:
            return found["error"]["fields"]
        return found["instrument"]["multiplier"], found["market_value"], found["cost"]

    assert changed(kind="bond") == ("0.01", "9870", "10120")
    assert changed(kind="bill") == ("0.01", "9870", "10120")
    assert changed(kind="fund") == ("1", "987000", "1012000")
    assert list(changed(422, kind="option")) == ["multiplier"]
    assert changed(kind="bond", multiplier="1") == ("1", "987000", "1012000")
    assert changed(kind="stock", multiplier="1")[0] == "1"
    # The form shows the former one, which nobody has typed.
    shown = {"kind": "stock", "multiplier": "1"}
    sent = {**shown, "kind": "bond", "opened": json.dumps(shown)}
    saved = hand.desk.program.post(form, data=sent, headers={"Accept": "text/html"})
    assert saved.status_code == 303
    assert hand.call("GET", number, 200)["market_value"] == "9870"
    # One that somebody has chosen stays.
    assert changed(multiplier="10")[0] == "10"
    assert changed(kind="stock")[0] == "10"
    assert changed(kind="option", multiplier="1")[0] == "1"


def test_a_value_of_more_digits_than_are_kept_is_refused_with_words(hand):
    most = f"{'9' * 20}.{'12345' * 4}"
    large = {"symbol": "BIG", "currency": "USD", "quantity": most, "price": most}
    added = hand.holding(**large, multiplier=most)
    before = hand.totals()
    refused = hand.rate("USD", "EUR", most, status=409)["error"]
    assert refused["message"] == "The value of “Bank” would have more than 80 digits."
    assert "Correct the quantity" in refused["remedy"]
    assert hand.totals() == before
    hand.rate("USD", "EUR", "0.9")
    assert D(hand.totals()["net_liquidation"]) > 10**59
    # The other way round as well: the rate is there, and the holding comes.
    hand.call("DELETE", f"/holdings/{added['id']}", 204)
    hand.rate("USD", "EUR", most)
    refused = hand.holding(**large, multiplier=most, status=409)["error"]
    assert "more than 80 digits" in refused["message"]
    assert hand.totals()["net_liquidation"] == "0"


def test_a_portfolio_of_enormous_accounts_is_shown_all_the_same(hand):
    most = f"{'9' * 20}.{'1' * 20}"
    large = {"symbol": "BIG", "quantity": most, "price": most, "multiplier": most}
    accounts = 12
    for number in range(accounts):
        body = {"name": str(number), "currency": "XXA"}
        hand.desk.program.post(f"{P}/1/accounts", json=body)
        added = hand.desk.program.post(
            f"{P}/1/accounts/{number}/holdings", json=large | {"kind": "stock", "currency": "XXA"}
        )
        assert added.status_code == 201
    hand.rate("XXA", "XXB", most)
    hand.rate("XXB", "EUR", most)
    seen = hand.desk.program.get(f"{P}/1").json
    exact = accounts * D(most) ** 3 * D(most) ** 2
    assert abs(D(seen["net_liquidation"]) / exact - 1) < D("1e-20")
    for page in ("/", "/portfolio/1"):
        answer = hand.desk.program.get(page, headers={"Accept": "text/html"})
        assert answer.status_code == 200, page


def test_a_profit_beside_shorts_is_in_percent_of_all_costs(desk):
    url = desk.account()
    holdings = f"{url.replace('/portfolio/', '/api/v1/portfolios/')}/holdings"
    for symbol, quantity, paid, price in (("L", "1", "1000", "1050"), ("S", "-1", "990", "990")):
        body = {"symbol": symbol, "kind": "stock", "currency": "USD", "quantity": quantity}
        made = desk.program.post(holdings, json={**body, "average_price": paid, "price": price})
        assert made.status_code == 201, made.json
    page = desk.program.get(url, headers={"Accept": "text/html"}).text
    assert "<small>2.5 % of cost</small>" in page, page[page.index("of cost") - 20 :][:30]
