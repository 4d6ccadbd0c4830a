"""Figures say what they are of: their currency, what is in them, and what was counted."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from sqlalchemy import update

from brokers.ibkr.simulator.scenarios import on
from portfolio.accounts.models import Account
from portfolio.db.session import unit_of_work

HTML = {"Accept": "text/html"}
P = "/api/v1/portfolios/1/accounts/A"


def text(desk, path):
    page = desk.program.get(path, headers=HTML, follow_redirects=True).get_data(as_text=True)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_cost_and_profit_name_their_currency_where_it_is_not_the_account_s(desk):
    url = desk.account()
    for symbol, currency in (("AA", "EUR"), ("AA X", "EUR"), ("UU", "USD")):
        body = {"symbol": symbol, "kind": "stock", "currency": currency, "quantity": "2"}
        body |= {"price": "11", "average_price": "10", "underlying": symbol[:2]}
        assert desk.program.post(f"{P}/holdings", json=body).status_code == 201
    page = text(desk, url)
    assert page.count("22.00 EUR") == 2
    assert page.count("+2.00 EUR") == 2
    assert page.count("20.00 EUR") == 2
    assert "22.00 USD 20.00 +2.00 10.0 %" in page
    groups = text(desk, f"{url}?group=underlying")
    assert "2 positions 44.00 EUR 40.00 EUR +4.00 EUR" in groups


def test_a_cost_in_the_account_s_currency_says_by_which_rate(desk):
    """It needs the rate on the day of purchase; until then “at today's rate”, labelled."""
    url, said = desk.account(), "totals cover the whole account ; cost in USD is at today’s rate"
    body = {"symbol": "UU", "kind": "stock", "currency": "USD", "quantity": "2"}
    body |= {"price": "11", "average_price": "10"}
    for other in ("USD", "EUR"):
        of = {**body, "currency": other}
        assert desk.program.post(f"{P}/holdings", json=of).status_code == 201
        # Of what is in the account's own currency, and of what has no rate, there is none.
        assert said not in text(desk, url)
    rate = {"from": "EUR", "to": "USD", "rate": "1.1"}
    assert desk.program.post("/api/v1/rates", json=rate).status_code == 201
    assert said in text(desk, url)
    assert said in text(desk, f"{url}?group=underlying")


def test_a_small_rate_has_the_digits_that_its_amount_needs(desk):
    url = desk.account()
    for currency, amount, rate in (("JPY", "1250000", "0.0057276"), ("EUR", "10", "1.0842")):
        body = {"from": currency, "to": "USD", "rate": rate}
        assert desk.program.post("/api/v1/rates", json=body).status_code == 201
        body = {"currency": currency, "amount": amount}
        assert desk.program.post(f"{P}/cash", json=body).status_code == 201
    page = text(desk, url)
    assert re.search(r"JPY by hand 1,250,000\.00 .* 0\.00572760 7,159\.50 ", page)
    assert re.search(r"EUR by hand 10\.00 .* 1\.084200 10\.84 ", page)


def test_one_group_is_one_and_an_order_by_a_heading_is_kept_by_the_filter(desk):
    url = desk.connected()
    assert "1 group found" in text(desk, f"{url}?group=underlying&text=vwce")
    assert "2 groups found" in text(desk, f"{url}?group=underlying&kind=option")
    for sort, said in (
        ("symbol", "A to Z"),
        ("-cost", "As chosen"),
        ("nonsense", "Largest value"),
    ):
        page = desk.program.get(f"{url}?sort={sort}", headers=HTML).text
        (chosen,) = re.findall(r'value="([^"]*)" selected>([^<]*)<', page)
        assert chosen == (sort if sort != "nonsense" else "-value", said)


def test_the_share_of_cash_says_that_accruals_are_in_it(desk):
    url = desk.connected()
    totals = desk.holdings(url)["totals"]
    assert totals["accrued_interest"] != "0" or totals["accrued_dividends"] != "0"
    for path in (url, "/portfolio/1"):
        assert re.search(r"Cash and accruals −?[\d,.]+", text(desk, path)), path


def test_an_account_that_needs_somebody_is_named_with_its_portfolio(desk):
    url = desk.connected()
    with desk.app.app_context(), unit_of_work() as session:
        session.execute(update(Account).values(attention_code="sync_rejected"))
    portfolio = desk.program.get("/api/v1/portfolios/1").json["name"]
    assert f"A in {portfolio} needs you. Look at it" in text(desk, "/")
    assert desk.program.post(f"{url}/sync").status_code == 200
    assert "needs you" not in text(desk, "/")


@pytest.mark.parametrize("path", ["", "/syncs"])
def test_what_a_sync_counted_is_said(desk, path):
    url = desk.connected()
    counts = "235 added, 0 changed, 0 no longer held (holdings and cash)"
    assert counts in text(desk, f"{url}{path}")
    desk.simulator.sell("U1234567", "SPY")
    desk.turn()
    told = desk.program.post(f"{url}/sync", headers=HTML, follow_redirects=True)
    said = "0 added, 1 changed, 1 no longer held, 233 unchanged (holdings and cash)"
    assert f"Synced: {said}." in told.get_data(as_text=True)
    assert said in text(desk, f"{url}{path}")


def test_the_secondary_username_says_what_it_is_and_is_not(desk):
    form = {"choices": "ibkr"}
    page = desk.program.post(f"{desk.account()}/edit", data=form, headers=HTML)
    shown = page.get_data(as_text=True)
    assert "A note for you; we never sign in. It avoids conflicts, not 2FA" in shown
    assert "IBKR asks for the second factor all the same." in shown


# The name of a figure on the page of a holding, and in the API.
EXACT = {
    "Quantity": "quantity",
    "Price": "price",
    "Value": "market_value",
    "Notional": "notional",
    "Average price": "average_price",
    "Cost": "cost",
    "Unrealised P&amp;L": "unrealized_pnl",
}


def exact(page):
    """The figures of a holding by what they are called, each as a plain number."""
    rows = re.findall(r'<tr><th scope="row">([^<]+?) *<.*?<td class="n">(.*?)</td>', page)
    plain = {"−": "-", ",": "", "+": ""}
    found = {}
    for name, cell in rows:
        number = re.sub(r"<[^>]+>", " ", cell).split()[0]
        for shown, written in plain.items():
            number = number.replace(shown, written)
        found[name] = number
    return found


def test_the_page_of_a_synced_holding_has_all_digits_of_its_figures(desk):
    url = desk.connected()
    held = desk.program.get(f"{P}/holdings?limit=500").json["holdings"]
    by_kind = {each["instrument"]["kind"]: each for each in held}
    odd = next(each for each in held if each["instrument"]["symbol"] == "VWCE")
    assert odd["cost"] == "158020.05775"
    for each in (odd, *by_kind.values()):
        page = desk.program.get(f"{url}/holdings/{each['id']}", headers=HTML).get_data(True)
        expected = {name: each[key] or "—" for name, key in EXACT.items()}
        del expected["Notional" if each["counts_in_value"] else "Value"]
        assert exact(page) == expected


def test_the_page_of_a_contract_says_which_one_it_is_as_the_list_does(desk):
    url = desk.connected()
    table = text(desk, f"{url}?text=NVDA&kind=option")
    assert "NVDA 15 Jan 27 · 200 call" in table
    held = desk.program.get(f"{P}/holdings?limit=500").json["holdings"]
    for symbol, kind, name in (
        ("NVDA", "option", "NVDA 15 Jan 27 · 200 call"),
        ("NVDA", "stock", "NVDA"),
    ):
        (one,) = (
            of["id"]
            for of in held
            if (of["instrument"]["symbol"], of["instrument"]["kind"]) == (symbol, kind)
        )
        page = desk.program.get(f"{url}/holdings/{one}", headers=HTML).get_data(as_text=True)
        assert f"<h1>{name}</h1>" in page
        assert f"<title>{name} · Foliosync</title>" in page


def test_a_figure_that_is_not_known_says_why_on_the_page_of_its_holding(desk):
    desk.simulator.play("no-market-data")
    url = desk.connected()
    held = desk.program.get(f"{P}/holdings?limit=500").json["holdings"]
    bare = next(each for each in held if each["price"] is None)
    page = text(desk, f"{url}/holdings/{bare['id']}")
    assert "Price — no price Value — no price" in page


def test_a_group_without_a_sum_says_why(desk):
    url = desk.account()
    future = {"kind": "future", "quantity": "1", "multiplier": "50", "underlying": "F"}
    stock = {"kind": "stock", "quantity": "1", "price": "5", "average_price": "4", "symbol": "S"}
    given = [
        *({**future, "symbol": symbol, "currency": "USD"} for symbol in ("F1", "F2")),
        *({**stock, "currency": currency} for currency in ("USD", "EUR")),
    ]
    for body in given:
        assert desk.program.post(f"{P}/holdings", json=body).status_code == 201
    page = text(desk, f"{url}?group=underlying")
    nothing, mixed = "— does not count in value", "— several currencies"
    assert f"F · 2 positions {nothing} {nothing} — a P&amp;L is not known {nothing}" in page
    assert f"S · 2 positions {mixed} {mixed} {mixed} — a weight is not known" in page


def test_a_future_that_may_count_twice_is_shown_with_its_notional(desk):
    url = desk.connected()
    held = desk.program.get(f"{P}/holdings?limit=500").json["holdings"]
    of = next(each["instrument"] for each in held if each["instrument"]["kind"] == "future")
    terms = {name: of[name] for name in ("symbol", "kind", "currency", "multiplier", "expiry")}
    body = {**terms, "quantity": "1", "price": "10"}
    assert desk.program.post(f"{P}/holdings", json=body).status_code == 201
    size = f"{Decimal(of['multiplier']) * 10:,.2f}"
    label = f"{of['symbol']} {of['expiry']}"
    assert f"{label} by hand {size} {of['currency']}" in text(desk, url)


def test_what_is_typed_by_hand_stands_in_its_form_only(desk):
    url = desk.account()
    body = {"symbol": "AA", "kind": "stock", "currency": "USD", "quantity": "2"}
    made = desk.program.post(f"{P}/holdings", json=body).json
    page = desk.program.get(f"{url}/holdings/{made['id']}", headers=HTML).get_data(as_text=True)
    assert "Exact figures" not in page


@pytest.mark.parametrize("scenario", ["calm", "signed-out"])
def test_to_disconnect_says_of_the_login_only_what_is_so(desk, scenario):
    url = desk.connected()
    desk.simulator.play(scenario)
    done = desk.program.post(f"{url}/disconnect", headers=HTML, follow_redirects=True)
    said = "The account is kept by hand again; this does not sign you out at the broker."
    assert said in done.get_data(as_text=True)
    assert "you are still signed in" not in done.get_data(as_text=True)


def test_a_login_says_until_about_when_it_lasts(desk):
    """On /connections: “signed in or not since when and until about when, as whom”."""
    desk.connected()
    said = "Signed in as demo42 (live) since 14:00, just now, until about 05:00."
    assert said in text(desk, "/connections")
    desk.simulator.sign_out()
    desk.sync("/portfolio/1/accounts/A")
    assert "until about" not in text(desk, "/connections")
    desk.simulator.sign_in()
    desk.turn(70)
    assert desk.sync("/portfolio/1/accounts/A").status_code == 200
    assert "until about 05:00." in text(desk, "/connections")


def test_no_end_of_a_login_is_guessed_where_its_region_is_not_told(desk):
    on(desk.simulator.state, "/sso/validate", lambda body: {**body, "region": None})
    url = desk.connected()
    page = text(desk, "/connections")
    assert "Signed in as demo42 (live) since 14:00, just now. IBKR ends each session" in page
    desk.simulator.play("calm")
    desk.simulator.sign_in()
    desk.turn(70)
    assert desk.sync(url).status_code == 200
    assert "until about 05:00. IBKR ends each session" in text(desk, "/connections")
