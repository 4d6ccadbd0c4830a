"""What a page says of IBKR's own total, and that it says it once."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from sqlalchemy import text

from portfolio.db.base import db

HTML = {"Accept": "text/html"}


def books(desk, more):
    """Let the broker's books count more than its positions are worth."""

    def changed(path, reply):
        if "/ledger" in path and reply.status == 200:
            for currency in ("USD", "BASE"):
                row = reply.body[currency]
                row["stockmarketvalue"] += Decimal(more)
                row["netliquidationvalue"] += Decimal(more)
        return reply

    desk.simulator.state.rewrites.append(changed)


def said(desk, url):
    """What the card and the totals say, as plain text."""
    page = desk.program.get(url, headers=HTML).get_data(as_text=True)
    card = re.search(r'<section id="connection-card".*?</section>', page, re.DOTALL)[0]
    totals = re.search(r'<dl class="card figures">.*?</dl>', page, re.DOTALL)[0]
    return tuple(" ".join(re.sub(r"<[^>]+>", " ", part).split()) for part in (card, totals))


def theirs(desk, url):
    return f"{Decimal(desk.holdings(url)['totals']['broker_net_liquidation']):,.2f}"


def test_what_is_the_same_is_said_to_the_cent(desk):
    url = desk.connected()
    card, totals = said(desk, url)
    assert f"✓ agrees with IBKR’s {theirs(desk, url)} to the cent" in totals
    assert "IBKR’s" not in card
    # Where the card stands without the total, it says it.
    edit = desk.program.get(f"{url}/edit", headers=HTML).get_data(as_text=True)
    assert "✓ agreed with IBKR’s books to the cent" in edit


def test_of_another_currency_the_card_says_that_it_agreed_and_the_total_what_it_is(desk):
    url = desk.connected()
    path = f"/api/v1{url.replace('/portfolio', '/portfolios')}"
    assert desk.program.patch(path, json={"currency": "EUR"}).status_code == 200
    card, totals = said(desk, url)
    assert "✓ agreed with IBKR’s books to the cent" in card
    assert f"IBKR says {theirs(desk, url)} USD" in totals


@pytest.mark.parametrize(("more", "word"), [("146.82", "more"), ("-146.82", "less")])
def test_what_agrees_within_the_tolerance_says_both_at_the_total(desk, more, word):
    url = desk.connected()
    books(desk, more)
    judged = desk.sync(url).json["run"]["reconciliation"]
    assert (judged["status"], judged["difference"]) == ("agrees", more)
    tolerance = f"{Decimal(judged['tolerance']):,.2f}"
    assert Decimal(judged["tolerance"]) > Decimal("146.82")
    card, totals = said(desk, url)
    broker = theirs(desk, url)
    within = f"within the tolerance of {tolerance}"
    assert f"✓ agrees with IBKR’s {broker}, which is 146.82 {word}, {within}" in totals
    assert "IBKR’s" not in card


def test_what_differs_has_no_mark_and_says_by_what_it_was_judged(desk):
    url = desk.connected()
    books(desk, "5000")
    judged = desk.sync(url).json["run"]["reconciliation"]
    tolerance = f"{Decimal(judged['tolerance']):,.2f}"
    card, totals = said(desk, url)
    more = f"more than the tolerance of {tolerance}"
    assert f"differs from IBKR by 5,000.00 USD, {more}: " in card
    assert f"IBKR said {theirs(desk, url)} (read 1" in totals
    assert "), in all 5,000.00 more than this total" in totals
    assert "✓" not in card + totals


def test_two_moments_are_said_as_two(desk):
    url = desk.connected()
    cash = {"currency": "USD", "amount": "1000"}
    assert desk.program.post("/api/v1/portfolios/1/accounts/A/cash", json=cash).status_code == 201
    card, totals = said(desk, url)
    assert f"✓ agreed with IBKR’s {theirs(desk, url)} to the cent when it was read" in card
    assert "✓" not in totals
    changed = "perhaps something is kept by hand or has changed since"
    assert f", in all 1,000.00 less than this total; {changed}" in totals
    # Two balances in one currency are of one currency.
    assert "5 currencies" in totals


def test_a_run_of_before_says_no_tolerance(desk):
    url = desk.connected()
    old = '{"status": "agrees", "difference": "0.40", "currency": "USD", "likely_cause": null}'
    with desk.app.app_context():
        db.session.execute(text("UPDATE sync_run SET reconciliation = :old"), {"old": old})
        db.session.commit()
    runs = desk.program.get("/api/v1/portfolios/1/accounts/A/runs").json["items"]
    assert runs[0]["reconciliation"]["tolerance"] is None
    page = desk.program.get(f"{url}/syncs", headers=HTML).get_data(as_text=True)
    assert "✓ agreed with IBKR’s books: 0.40 USD apart, within the tolerance<" in page
