"""What pages cost whatever an account holds: statements, bytes, time; and they write nothing."""

from __future__ import annotations

import gzip
import math
import re
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from portfolio.accounts.queries import order, rates
from portfolio.db.base import db
from portfolio.db.memory import Memory
from tests.integration.conftest import make_desk
from tests.integration.crowd import fill
from tests.integration.test_daily_values import lived

HTML = {"Accept": "text/html"}
READS = re.compile(r"SELECT|WITH RECURSIVE (?!.*\b(?:INSERT|UPDATE|DELETE)\b)", re.DOTALL)
TABLE = {**HTML, "HX-Request": "true", "HX-Target": "holdings-table"}
P = "/api/v1/portfolios/1/accounts"
ACCOUNT = "/portfolio/1/accounts/A"
FRAGMENTS = [
    *("", "?page=2", "?page=200", "?sort=symbol", "?sort=-pnl_pct", "?kind=stock"),
    *("?text=corp", "?text=etf&kind=etf&sort=cost"),
]
# A person reads what fits into some packets.
PAGE, PAGE_PACKED, TABLE_ALONE, TABLE_PACKED = 48_000, 10_000, 30_000, 6_000


@contextmanager
def statements(desk):
    seen = []
    with desk.app.app_context():
        engine = db.engine

    def note(_connection, _cursor, statement, *_rest):
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def cost(desk, path, headers=HTML):
    """How many statements an answer takes."""
    with statements(desk) as seen:
        assert desk.program.get(path, headers=headers).status_code == 200
    return len(seen)


@pytest.fixture
def forgetful(monkeypatch):
    """Nothing is remembered of any request before."""

    def forget():
        monkeypatch.setattr(order, "_remembered", Memory(order.REMEMBERED_IDS))
        monkeypatch.setattr(rates, "_remembered", Memory(rates.OWNERS))

    forget()
    return forget


PAGES = [
    "/",
    "/portfolio/1",
    "/portfolio/1/accounts/A",
    "/api/v1/portfolios/1/accounts/A/holdings",
]


@pytest.mark.parametrize("path", PAGES)
def test_reading_changes_nothing_and_contacts_nobody(desk, path):
    desk.connected()
    asked = len(desk.simulator.requests)
    with statements(desk) as seen:
        assert desk.program.get(path, headers={"Accept": "text/html"}).status_code == 200
    assert [s for s in seen if not READS.match(s)] == []
    assert len(desk.simulator.requests) == asked


def test_an_account_costs_the_same_whatever_it_holds(desk):
    url = desk.account()
    with statements(desk) as empty:
        desk.program.get(url)
    desk.turn()
    desk.connect(url)
    desk.sync(url)
    with statements(desk) as full:
        desk.program.get(url)
    assert len(full) <= 8, full
    assert len(full) - len(empty) <= 1


# Path, and how many statements it takes: the first time, and again.
COSTS = {
    ACCOUNT: (8, 5),
    f"{ACCOUNT}?group=underlying": (8, 5),
    f"{ACCOUNT}?sort=-pnl&page=2": (8, 5),
    f"{ACCOUNT}?text=a": (8, 6),
    f"{ACCOUNT}/syncs": (3, 3),
    f"{ACCOUNT}/values": (3, 3),
    f"{P}/A/holdings": (8, 6),
    f"{P}/A/holdings?limit=500": (8, 6),
    f"{P}/A/cash": (5, 4),
    f"{P}/A/runs": (2, 2),
    f"{P}/A/values": (3, 3),
    P: (3, 3),
    "/": (4, 3),
    "/portfolio/1": (5, 4),
    "/connections": (5, 5),
    "/settings": (6, 6),
    "/rates": (1, 1),
    "/api/v1/portfolios": (4, 3),
    "/api/v1/connections": (2, 2),
}


@pytest.mark.parametrize("path", COSTS)
def test_no_page_costs_more_statements_where_there_is_more(desk, forgetful, path):
    first, again = COSTS[path]
    desk.connected()
    forgetful()
    assert cost(desk, path) <= first
    assert cost(desk, path) <= again
    for name in ("B", "C", "D"):
        desk.account(name)
        fill(desk, 120, name)
    fill(desk, 300)
    for _ in range(2):
        desk.sync(ACCOUNT)
    forgetful()
    assert cost(desk, path) <= first
    assert cost(desk, path) <= again


def test_an_account_kept_by_hand_is_asked_for_no_connection(desk):
    url = desk.account()
    fill(desk, 3)
    cost(desk, url)
    assert cost(desk, url) == 4
    desk.turn()
    desk.connect(url)
    assert "U1234567" in desk.program.get(url, headers=HTML).text
    assert desk.program.post(f"{url}/disconnect", json={}).status_code == 200
    assert "not connected to a broker" in desk.program.get(url, headers=HTML).text
    assert cost(desk, url) == 4


@pytest.fixture(scope="module")
def crowded(tmp_path_factory, prepared):
    """Three accounts: A has ten thousand holdings, S a thousand, and L thirty thousand."""
    folder = tmp_path_factory.mktemp("crowded")
    environ = {"FOLIOSYNC_DATA_DIR": str(folder), "FOLIOSYNC_TIMEZONE": "UTC"}
    for desk in make_desk(environ):
        desk.connected()
        for currency, rate in (("EUR", "1.08"), ("CHF", "1.13"), ("GBP", "1.27")):
            made = {"from": currency, "to": "USD", "rate": rate}
            assert desk.program.post("/api/v1/rates", json=made).status_code == 201
        fill(desk, 10_000)
        lived(desk, 2 * rates.LONGEST_CHART)
        for name, count in (("S", 1_000), ("L", 30_000)):
            desk.account(name)
            fill(desk, count, name)
        yield desk


@pytest.mark.parametrize("query", FRAGMENTS)
def test_a_table_of_ten_thousand_is_sent_in_small_pieces(crowded, query):
    answer = crowded.program.get(ACCOUNT + query, headers={**TABLE, "Accept-Encoding": "gzip"})
    whole = gzip.decompress(answer.data)
    assert whole.count(b'<th scope="row"') == 50
    assert (len(whole) <= TABLE_ALONE, len(answer.data) <= TABLE_PACKED) == (True, True), (
        len(whole),
        len(answer.data),
    )


@pytest.mark.parametrize("query", ["", "?sort=symbol", "?kind=option"])
def test_a_page_of_ten_thousand_is_small(crowded, query):
    answer = crowded.program.get(ACCOUNT + query, headers={**HTML, "Accept-Encoding": "gzip"})
    whole = gzip.decompress(answer.data)
    assert whole.count(b'<th scope="row"') > 50
    assert (len(whole) <= PAGE, len(answer.data) <= PAGE_PACKED) == (True, True), (
        len(whole),
        len(answer.data),
    )


def least_cpu(desk, path):
    """The least CPU seconds of several rounds."""
    spent = []
    for _ in range(12):
        began = time.process_time()
        for _ in range(5):
            assert desk.program.get(path, headers=HTML).status_code == 200
        spent.append(time.process_time() - began)
    return min(spent)


def test_a_page_of_thirty_thousand_takes_as_long_as_one_of_a_thousand(crowded):
    small, large = (f"/portfolio/1/accounts/{name}?page=3" for name in ("S", "L"))
    exponent = math.log(least_cpu(crowded, large) / least_cpu(crowded, small)) / math.log(30)
    assert exponent <= 0.3, exponent


def test_short_sales_are_said_of_the_whole_account_whatever_the_page_shows(desk):
    url = desk.connected()
    said = "includes short-sale proceeds"
    for query in ("", "?page=2", "?kind=etf", "?text=SPY", "?text=none-of-them"):
        assert said in desk.program.get(f"{url}{query}", headers=HTML).get_data(as_text=True)
    other = desk.account("B")
    api = f"/api/v1{other.replace('/portfolio', '/portfolios')}/holdings"
    row = {"symbol": "ES", "kind": "future", "currency": "USD", "quantity": "-1", "price": "5"}
    row |= {"expiry": "2027-01-15", "multiplier": "50"}
    made = desk.program.post(api, json=row)
    assert made.status_code == 201, made.json
    # The price of what adds nothing to the value is not in the cash.
    assert said not in desk.program.get(other, headers=HTML).get_data(as_text=True)
    cash = {"currency": "USD", "amount": "5"}
    assert desk.program.post(api.replace("/holdings", "/cash"), json=cash).status_code == 201
    stock = {**row, "symbol": "X", "kind": "stock", "expiry": None, "multiplier": "1"}
    assert desk.program.post(api, json=stock).status_code == 201
    assert said in desk.program.get(other, headers=HTML).get_data(as_text=True)


def test_each_page_of_an_account_says_where_it_stands(desk):
    url = desk.connected()
    held = desk.holdings(url)["holdings"][0]["id"]
    cash = desk.program.get(f"{P}/A/cash").json["items"][0]["id"]
    forms = (f"holdings/{held}", "holdings/new", f"cash/{cash}", "cash/new")
    for path in (*forms, "import", "delete", "edit", "syncs", "values"):
        page = desk.program.get(f"{url}/{path}", headers=HTML)
        assert page.status_code == 200, path
        line = re.search(r'<p class="crumbs">(.*?)</p>', page.text, re.DOTALL)
        assert line is not None, path
        links = re.findall(r'href="([^"]*)">([^<]*)<', line[1])
        assert links == [("/", "Portfolios"), ("/portfolio/1", "P"), (url, "A")], path
