"""Futures whose profit the broker keeps beside the cash: it counts where the books say so."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from sqlalchemy import text

from portfolio.db.base import db

MAIN = "U1234567"
HTML = {"Accept": "text/html"}
PROFIT = Decimal("1204.5")


def books(desk):
    return desk.simulator.state.accounts[MAIN].cash["USD"]


def totals(desk, url):
    return desk.holdings(url)["totals"]


def ours_and_theirs(desk, url):
    of = totals(desk, url)
    return Decimal(of["net_liquidation"]), Decimal(of["broker_net_liquidation"])


def adds_up(desk, url):
    of = totals(desk, url)
    parts = [sum(map(Decimal, of[by].values())) for by in ("by_kind", "by_currency")]
    return parts == [Decimal(of["net_liquidation"])] * 2


def stored(desk):
    with desk.app.app_context():
        query = "SELECT futures_pnl FROM cash_balance WHERE currency = 'USD'"
        found = db.session.execute(text(query)).scalar_one()
        return None if found is None else Decimal(str(found))


def page(desk, url):
    told = desk.program.get(f"{url}?kind=future", headers=HTML).get_data(as_text=True)
    return " ".join(re.sub(r"<[^>]+>", " ", told).split())


@pytest.fixture
def beside(anywhere):
    """An account whose books close only with the profit of its future."""
    books(anywhere).futures_profit = PROFIT
    return anywhere


def test_our_net_liquidation_is_the_broker_s_where_its_books_count_the_profit(beside):
    url = beside.connected()
    ours, theirs = ours_and_theirs(beside, url)
    assert ours == theirs
    assert Decimal(totals(beside, url)["by_kind"]["future"]) == PROFIT
    assert adds_up(beside, url)
    found = beside.program.get("/api/v1/portfolios/1/accounts/A/holdings?kind=future").json
    (row,) = found["holdings"]
    assert (row["weight"], row["counts_in_value"]) == (None, False)


def test_the_page_says_that_it_counts_beside_the_cash(beside):
    told = page(beside, beside.connected())
    assert "beside it futures P&amp;L +1,204.50" in told
    assert "Futures P&amp;L 1,204.50" in told
    assert "P&amp;L counts notional −329,512.50" in told
    assert "in cash notional" not in told


def test_in_the_cash_it_does_not_count_a_second_time(desk):
    url = desk.connected()
    ours, theirs = ours_and_theirs(desk, url)
    assert ours == theirs
    assert "future" not in totals(desk, url)["by_kind"]
    assert stored(desk) is None
    told = page(desk, url)
    assert "in cash notional −329,512.50" in told
    assert "Futures P&amp;L" not in told


def test_it_follows_each_read_and_what_is_learnt_anew(beside):
    url = beside.connected()
    for profit in ("900", "0", "-75.25"):
        books(beside).futures_profit = Decimal(profit)
        assert beside.sync(url).json["run"]["reconciliation"]["status"] == "agrees"
        ours, theirs = ours_and_theirs(beside, url)
        assert (ours == theirs, stored(beside)) == (True, Decimal(profit))
        assert adds_up(beside, url)
    # From now on the cash has it, and the books say it for information.
    books(beside).balance += books(beside).futures_profit

    def informs(path, reply):
        if "/ledger" in path and reply.status == 200:
            for currency in ("USD", "BASE"):
                reply.body[currency]["netliquidationvalue"] -= books(beside).futures_profit
        return reply

    beside.simulator.state.rewrites.append(informs)
    assert beside.sync(url).json["run"]["reconciliation"]["status"] == "agrees"
    ours, theirs = ours_and_theirs(beside, url)
    assert (ours == theirs, stored(beside)) == (True, None)


def test_a_sale_that_moves_it_into_the_cash_is_taken_back_whole(beside):
    url = beside.connected()
    before = totals(beside, url)["net_liquidation"]
    account = beside.simulator.state.accounts[MAIN]
    account.held.remove(account.find("ES"))
    books(beside).balance += PROFIT + 100
    books(beside).futures_profit = Decimal(0)
    run = beside.sync(url).json["run"]
    after = totals(beside, url)["net_liquidation"]
    assert (Decimal(after) - Decimal(before), stored(beside)) == (100, 0)
    back = beside.program.post(f"/api/v1/runs/{run['id']}/undo").json["run"]
    assert (totals(beside, url)["net_liquidation"], stored(beside)) == (before, PROFIT)
    assert beside.program.post(f"/api/v1/runs/{back['id']}/undo").status_code == 200
    assert (totals(beside, url)["net_liquidation"], stored(beside)) == (after, 0)


def undone(desk, url, run):
    """By how much taking a run back moves the net liquidation."""
    before = Decimal(totals(desk, url)["net_liquidation"])
    told = desk.program.post(f"/api/v1/runs/{run['id']}/undo")
    assert told.status_code == 200
    return told.json["run"], Decimal(totals(desk, url)["net_liquidation"]) - before


def test_what_has_moved_since_a_run_is_not_taken_back_with_it(beside):
    url = beside.connected()
    books(beside).balance += 50
    run = beside.sync(url).json["run"]
    books(beside).futures_profit += 4000
    assert beside.sync(url).json["run"]["changed"] == 0
    assert beside.program.post(f"{url}/disconnect", json={}).status_code == 200
    back, moved = undone(beside, url, run)
    assert (moved, stored(beside)) == (-50, PROFIT + 4000)
    assert undone(beside, url, back)[1] == 50
    assert stored(beside) == PROFIT + 4000


def test_a_sale_is_taken_back_beside_what_another_future_gained_since(beside):
    url = beside.connected()
    books(beside).balance += 1000
    books(beside).futures_profit -= 1000
    run = beside.sync(url).json["run"]
    books(beside).futures_profit += 300
    beside.sync(url)
    _, moved = undone(beside, url, run)
    assert (moved, stored(beside)) == (0, PROFIT + 300)


@pytest.mark.parametrize("part", ["dividends", "interest"])
def test_what_was_accrued_and_paid_is_accrued_again(anywhere, part):
    url, usd = anywhere.connected(), books(anywhere)
    before = totals(anywhere, url)
    usd.balance += getattr(usd, part)
    setattr(usd, part, Decimal(0))
    run = anywhere.sync(url).json["run"]
    assert run["changed"] == 1
    back, moved = undone(anywhere, url, run)
    after, ours = totals(anywhere, url), ("cash", "accrued_interest", "accrued_dividends")
    assert (moved, [after[name] for name in ours]) == (0, [before[name] for name in ours])
    assert undone(anywhere, url, back)[1] == 0


def test_it_stays_after_a_disconnect_until_somebody_states_the_cash(beside):
    url = beside.connected()
    before = totals(beside, url)["net_liquidation"]
    assert beside.program.post(f"{url}/disconnect", json={}).status_code == 200
    assert totals(beside, url)["net_liquidation"] == before
    row = next(of for of in beside.holdings(url)["cash"] if of["currency"] == "USD")
    form = beside.program.get(f"{url}/cash/{row['id']}", headers=HTML).get_data(as_text=True)
    assert "and the profit of futures: what the broker has told of them" in form
    parts = totals(beside, url)
    at = f"/api/v1/portfolios/1/accounts/A/cash/{row['id']}"
    assert beside.program.patch(at, json={"amount": row["amount"]}).status_code == 200
    assert stored(beside) is None
    after = totals(beside, url)
    accrued = sum(
        Decimal(parts[name]) - Decimal(after[name])
        for name in ("accrued_interest", "accrued_dividends")
    )
    assert accrued
    assert Decimal(after["net_liquidation"]) == Decimal(before) - PROFIT - accrued
    assert "in cash notional" in page(beside, url)


def test_disconnecting_with_all_that_the_broker_brought_takes_it_along(beside):
    url = beside.connected()
    told = beside.program.post(f"{url}/disconnect", json={"holdings": "close"})
    assert told.status_code == 200
    assert Decimal(totals(beside, url)["net_liquidation"]) == 0


def test_what_an_older_program_has_learnt_counts_from_the_next_sync(beside):
    url = beside.connected()
    with beside.app.app_context(), db.engine.begin() as connection:
        # As the migration leaves it.
        connection.execute(text("UPDATE cash_balance SET futures_pnl = NULL"))
        connection.execute(text("UPDATE account SET revision = revision + 1"))
    ours, theirs = ours_and_theirs(beside, url)
    assert theirs - ours == PROFIT
    assert beside.sync(url).json["run"]["changed"] == 0
    ours, theirs = ours_and_theirs(beside, url)
    assert (ours == theirs, stored(beside)) == (True, PROFIT)
