"""What is remembered of orders, rates and charts is what the database says, after every write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, select, update

from brokers.ibkr import MANIFEST
from portfolio.accounts.models import Account, AccountTotals, Holding, Rate
from portfolio.accounts.queries import order
from portfolio.accounts.queries.order import SORTS, Wanted, ordered
from portfolio.accounts.queries.rates import daily_values, known_rates
from portfolio.accounts.queries.totals import owner_rates
from portfolio.accounts.services.totals import daily_value, touch
from portfolio.clock import Moment
from portfolio.db import backup
from portfolio.db.session import read_only, unit_of_work
from portfolio.pages import queries
from portfolio.pages.queries import drawn
from portfolio.sync.plan import Source
from portfolio.sync.rows import stored_state
from portfolio.users.models import User
from portfolio.web.charts import line
from tests.integration.test_daily_values import lived
from tests.integration.test_fooled import rewrite

P = "/api/v1/portfolios/1/accounts"
NOON = Moment.at(datetime(2026, 11, 26, 12, tzinfo=UTC), UTC)
MAIN, KIDS = "U1234567", "U7654321"
EVERY = [
    *(Wanted(sort=f"-{name}") for name in SORTS),
    Wanted(sort="symbol"),
    Wanted(sort="pnl", kind="stock"),
    Wanted(sort="-value", group=True),
    Wanted(sort="weight", group=True),
]


def remembered_is_true(desk):
    """Compare all that a page would be shown with what the database says now."""
    with desk.app.app_context(), read_only() as session:
        for account in session.scalars(select(Account).order_by(Account.id)).all():
            rates = owner_rates(session, account.portfolio.owner_id)
            known = known_rates(session, account.portfolio.owner)
            # What was asked for before is what would be found now.
            for pair in known._found:
                rates.between(*pair)
            assert vars(known) == vars(rates), account.name
            assert drawn(session, account) == line(daily_values(session, account)), account.name
            for wanted in EVERY:
                found = ordered(session, account, known, wanted)
                asked, _ = order._asked(session, account, rates, wanted)
                assert found == asked, (account.name, wanted)


def holding(symbol, quantity, **more):
    usual = {"symbol": symbol, "kind": "stock", "currency": "USD", "price": "10"}
    return {**usual, "quantity": quantity, **more}


def by_hand(desk, account, symbol, quantity, **more):
    made = desk.program.post(f"{P}/{account}/holdings", json=holding(symbol, quantity, **more))
    assert made.status_code == 201, made.json
    return f"{P}/{account}/holdings/{made.json['id']}"


def patched(desk, url, **values):
    assert desk.program.patch(url, json=values).status_code == 200


@pytest.fixture
def full(anywhere):
    """An account that is synced and two that are kept by hand, with an instrument in common."""
    anywhere.connected()
    for name in ("H", "K"):
        anywhere.account(name)
    for account in ("H", "K"):
        by_hand(anywhere, account, "AAA", "3", average_price="9", underlying="ONE")
        by_hand(anywhere, account, "BBB", "2", currency="EUR", average_price="11")
        by_hand(anywhere, account, "CCC", "1", underlying="ONE", currency="SEK")
    for account in ("A", "H", "K"):
        lived(anywhere, 30, account)
    remembered_is_true(anywhere)
    return anywhere


def find(desk, account, symbol):
    rows = desk.program.get(f"{P}/{account}/holdings?limit=500").json["holdings"]
    found = next(row for row in rows if row["instrument"]["symbol"] == symbol)
    return f"{P}/{account}/holdings/{found['id']}"


def prices_move(desk):
    row = desk.simulator.state.accounts[MAIN].find("VWCE")
    row.price *= 3
    assert desk.sync("/portfolio/1/accounts/A").json["run"]["repriced"]


def something_is_sold(desk):
    desk.simulator.sell(MAIN, "SPY")
    assert desk.sync("/portfolio/1/accounts/A").json["run"]["closed"] == 1


def a_sale_is_taken_back(desk):
    something_is_sold(desk)
    remembered_is_true(desk)
    run = desk.program.get(f"{P}/A/runs").json["items"][0]["id"]
    assert desk.program.post(f"/api/v1/runs/{run}/undo").status_code == 200


def a_broker_renames(desk):
    desk.simulator.state.accounts[MAIN].find("AAPL").ticker = "ZZZZ"
    assert desk.sync("/portfolio/1/accounts/A").status_code == 200


def another_account_renames(desk):
    """The same contract in another account of the same owner, told by its broker account."""
    url = desk.account("B")
    desk.turn(60)
    kids, main = (desk.simulator.state.accounts[of] for of in (KIDS, MAIN))
    kids.held[0].conid, kids.held[0].ticker = main.find("AAPL").conid, "0000"
    connected = desk.program.post(f"{url}/connect/ibkr", json={"account_id": KIDS})
    assert connected.status_code == 201, connected.json
    assert desk.sync(url).status_code == 200


def imported(desk):
    text = "symbol,kind,quantity,price,currency\nAAA,stock,900,10,USD\nNEW,stock,1,99,EUR\n"
    done = desk.program.post(f"{P}/H/import", json={"csv": text, "apply": True})
    assert done.status_code == 200, done.json


def disconnected(desk, holdings):
    done = desk.program.post("/portfolio/1/accounts/A/disconnect", json={"holdings": holdings})
    assert done.status_code == 200


def a_rate(desk):
    values = {"from": "SEK", "to": "USD", "rate": "300"}
    made = desk.program.post("/api/v1/rates", json=values)
    assert made.status_code == 201, made.json
    return f"/api/v1/rates/{made.json['id']}"


def a_rate_is_removed(desk):
    url = a_rate(desk)
    remembered_is_true(desk)
    assert desk.program.delete(url).status_code == 204


def made_anew(desk):
    """An account of the same name, which in SQLite has the same id as well."""
    assert desk.program.delete(f"{P}/K").status_code == 204
    desk.account("K")
    remembered_is_true(desk)
    by_hand(desk, "K", "DDD", "5")


def rolled_back_and_otherwise(desk):
    """What was nearly stored is forgotten, and something else takes its number."""
    with desk.app.app_context():
        with unit_of_work() as session:
            account = _reprice(session, "H", "900")
            ordered(session, account, owner_rates(session, 1), Wanted())
            session.rollback()
        with unit_of_work() as session:
            _reprice(session, "H", "1")


def _reprice(session, name, price):
    account = session.scalars(select(Account).where(Account.name == name)).one()
    newest = select(Holding.id).where(Holding.account_id == account.id).order_by(Holding.id.desc())
    changed = update(Holding).where(Holding.id == session.scalars(newest.limit(1)).one())
    session.execute(changed.values(price=Decimal(price)))
    touch(session, account, NOON)
    return account


def a_day_goes_by(desk):
    """And a sync that finds everything as it was, but for the day."""
    desk.turn(86_400)
    run = desk.sync("/portfolio/1/accounts/A").json["run"]
    assert (run["status"], run["changed"]) == ("succeeded", 0)


def only_a_day_is_added(desk):
    """What a sync adds on another day where all else is as it was, and no currency is foreign."""
    with desk.app.app_context(), unit_of_work() as session:
        account = session.scalars(select(Account).where(Account.name == "A")).one()
        totals = session.scalars(select(AccountTotals).filter_by(account_id=account.id)).one()
        later = desk.clock.now() + timedelta(days=1)
        daily_value(session, totals, account.portfolio.owner_id, Moment.at(later, UTC))


NAMED = {"ibkr": MANIFEST, "manual": replace(MANIFEST, key="manual")}
WRITES = {
    "a day goes by": a_day_goes_by,
    "only a day is added": only_a_day_is_added,
    "a holding is added": lambda desk: by_hand(desk, "H", "DDD", "50"),
    "a quantity is changed": lambda desk: patched(desk, find(desk, "H", "CCC"), quantity="99"),
    "a price is changed": lambda desk: patched(desk, find(desk, "H", "CCC"), price="99"),
    "a currency is changed": lambda desk: patched(desk, find(desk, "H", "CCC"), currency="EUR"),
    "notes are written": lambda desk: patched(desk, find(desk, "A", "SPY"), notes="long"),
    "an instrument of two accounts is described": lambda desk: patched(
        desk, find(desk, "H", "CCC"), underlying="BBB"
    ),
    "a holding is removed": lambda desk: desk.program.delete(find(desk, "H", "AAA")),
    "the account gets another currency": lambda desk: patched(desk, f"{P}/H", currency="EUR"),
    "a file is imported": imported,
    "prices move": prices_move,
    "something is sold": something_is_sold,
    "a sale is taken back": a_sale_is_taken_back,
    "the broker renames": a_broker_renames,
    "another account renames": another_account_renames,
    "the account is disconnected": lambda desk: disconnected(desk, "keep"),
    "the account is disconnected and emptied": lambda desk: disconnected(desk, "close"),
    "a rate is added": a_rate,
    "a rate is removed": a_rate_is_removed,
    "an account is made anew": made_anew,
    "a change is rolled back": rolled_back_and_otherwise,
}


@pytest.mark.parametrize("write", WRITES)
def test_what_is_remembered_is_what_is_stored(full, write):
    WRITES[write](full)
    remembered_is_true(full)


def states(desk):
    """What a sync compares with, of every source in every account."""
    with desk.app.app_context(), read_only() as session:
        found = {}
        for account in session.scalars(select(Account)).all():
            for source, broker_account in (("ibkr", MAIN), ("manual", "")):
                of = Source(manifest=NAMED[source], broker_account=broker_account)
                found[account.id, source] = stored_state(session, account, of)
        return found


@pytest.mark.parametrize("write", WRITES)
def test_what_a_sync_has_read_holds_as_long_as_the_stamp(full, write):
    before = states(full)
    assert any(of.holdings for of in before.values())
    WRITES[write](full)
    after = states(full)
    # The sync trusts a stamp in the other direction only.
    for place in before.keys() & after.keys():
        if after[place].stamp == before[place].stamp:
            assert after[place] == before[place], place


def test_a_copy_that_is_restored_brings_its_own_order_back(desk, tmp_path):
    desk.account("H")
    for symbol in ("AAA", "BBB"):
        by_hand(desk, "H", symbol, "1")
    file = desk.app.extensions["foliosync"].settings.sqlite_file
    backup.copy(file, tmp_path / "copy.db")
    by_hand(desk, "H", "CCC", "1")
    remembered_is_true(desk)
    # In another process, while this one goes on.
    backup.restore(file, tmp_path / "copy.db", NOON.now, without=())
    remembered_is_true(desk)
    by_hand(desk, "H", "DDD", "900")
    remembered_is_true(desk)
    symbols = [
        row["instrument"]["symbol"] for row in desk.program.get(f"{P}/H/holdings").json["holdings"]
    ]
    assert symbols == ["DDD", "AAA", "BBB"]


def test_the_order_is_asked_for_once(full, monkeypatch):
    asked = []
    found = order._asked
    monkeypatch.setattr(order, "_asked", lambda *of: asked.append(of) or found(*of))
    for _ in range(3):
        full.program.get("/portfolio/1/accounts/A", headers={"Accept": "text/html"})
    assert asked == []
    for _ in range(2):
        full.program.get("/portfolio/1/accounts/A?text=a", headers={"Accept": "text/html"})
    assert len(asked) == 2
    by_hand(full, "H", "DDD", "50")
    for _ in range(2):
        full.program.get("/portfolio/1/accounts/H", headers={"Accept": "text/html"})
    assert len(asked) == 3


def test_a_chart_is_drawn_once(full, monkeypatch):
    asked = []
    monkeypatch.setattr(queries, "line", lambda days: asked.append(days) or line(days))
    for _ in range(3):
        full.program.get("/portfolio/1/accounts/A", headers={"Accept": "text/html"})
    assert asked == []
    a_day_goes_by(full)
    for _ in range(2):
        full.program.get("/portfolio/1/accounts/A", headers={"Accept": "text/html"})
    assert len(asked) == 1


def test_a_writer_leaves_nothing_behind(full):
    """What it sees is not stored yet, and may change under its stamp."""
    with full.app.app_context(), unit_of_work() as session:
        account = session.scalars(select(Account).where(Account.name == "H")).one()
        owner = session.get_one(User, account.portfolio.owner_id)
        touch(session, account, NOON)
        early = ordered(session, account, owner_rates(session, owner.id), Wanted())
        early_rates = known_rates(session, owner).currencies
        held = Holding.account_id == account.id, Holding.source == "manual"
        session.execute(update(Holding).where(*held).values(closed_at=NOON.now))
        session.execute(delete(Rate))
    assert early.count
    assert early_rates
    remembered_is_true(full)


def test_a_cost_that_is_not_known_comes_last_whichever_way(anywhere):
    def without_average(body):
        for row in body if isinstance(body, list) else []:
            if row.get("contractDesc", "").startswith("SPY"):
                row["avgPrice"] = 0

    def costs(sort):
        rows = anywhere.program.get(f"{P}/A/holdings?sort={sort}&limit=500").json["holdings"]
        return [row["cost"] for row in rows]

    rewrite(anywhere, "/positions/", without_average)
    url = anywhere.connected()
    for sort in ("cost", "-cost", "pnl_pct", "-pnl_pct"):
        found = costs(sort)
        assert set(found[found.index(None) :]) == {None}, sort
    anywhere.simulator.state.rewrites.clear()
    assert anywhere.sync(url).status_code == 200
    assert None not in costs("cost")


def test_an_average_price_of_0_by_hand_has_no_cost_to_be_ordered_by(anywhere):
    def found(sort):
        rows = anywhere.program.get(f"{url}?sort={sort}").json["holdings"]
        return [row["instrument"]["symbol"] for row in rows]

    anywhere.program.post(
        P.removesuffix("/1/accounts"), json={"name": "P", "base_currency": "USD"}
    )
    anywhere.program.post(P, json={"name": "Bank", "currency": "USD"})
    url = f"{P}/Bank/holdings"
    given = {"kind": "stock", "currency": "USD", "quantity": "1", "price": "10"}
    made = [
        anywhere.program.post(url, json={"symbol": symbol, "average_price": average} | given).json
        for symbol, average in (("A", "0"), ("B", "4"), ("C", "12"))
    ]
    for sort in ("cost", "-cost", "pnl", "-pnl", "pnl_pct", "-pnl_pct"):
        assert found(sort)[-1] == "A", sort
    known = anywhere.program.patch(f"{url}/{made[0]['id']}", json={"average_price": "5"})
    assert known.status_code == 200
    assert found("cost") == ["B", "A", "C"]
    assert found("-pnl") == ["B", "A", "C"]


@pytest.mark.parametrize("typed", ["Über", "über", "ÜBERSEE", "U\u0308ber", "übersee f", "%"])
def test_letters_that_are_not_english_are_found_in_whichever_case(anywhere, typed):
    account = f"/api/v1{anywhere.account().replace('/portfolio', '/portfolios')}"
    fund = {"symbol": "LONG", "kind": "fund", "currency": "USD", "quantity": "1"}
    for name in ("Übersee Fonds 100%", "Uebersee"):
        made = anywhere.program.post(f"{account}/holdings", json={**fund, "name": name})
        assert made.status_code == 201
        fund["symbol"] = "OTHER"
    wanted = {"text": typed}
    (found,) = anywhere.program.get(f"{account}/holdings", query_string=wanted).json["holdings"]
    assert found["instrument"]["symbol"] == "LONG"
    offered = anywhere.program.get("/api/v1/instruments", query_string=wanted).json["items"]
    assert [of["symbol"] for of in offered] == ([] if typed == "%" else ["LONG"])
