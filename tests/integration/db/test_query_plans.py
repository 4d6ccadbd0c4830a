"""No page and no sync goes through a whole table that grows with the years."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event

from portfolio.db.base import db

GROWING = "holding|sync_run|change|rate|daily_value|instrument|instrument_identifier|cash_balance"
# A table by its own name or by an alias that SQLAlchemy makes of it.
SCANNED = re.compile(rf"SCAN (?:{GROWING})(?:_\d+)?\b")
READS = ("SELECT", "UPDATE", "DELETE", "WITH")


class Watch:
    """The statements of an engine, with what they were given."""

    def __init__(self, engine):
        self._engine = engine
        self.seen = {}

    def note(self, _connection, _cursor, statement, parameters, _context, many):
        if statement.startswith(READS):
            self.seen[statement] = parameters[0] if many else parameters

    def __enter__(self):
        event.listen(self._engine, "before_cursor_execute", self.note)
        return self

    def __exit__(self, *_):
        event.remove(self._engine, "before_cursor_execute", self.note)

    def scans(self):
        """Each statement that reads all rows of a growing table, with the line that says so."""
        with self._engine.connect() as connection:
            explained = [
                (of, connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {of}", given).all())
                for of, given in self.seen.items()
            ]
        return [(of, line) for of, plan in explained for *_, line in plan if SCANNED.search(line)]


@pytest.fixture
def linked(desk):
    url = desk.connected()
    desk.simulator.sell("U1234567", "SPY")
    return desk, url


def watched(desk, *tasks):
    with desk.app.app_context(), Watch(db.engine) as watch:
        for task in tasks:
            assert task().status_code in (200, 303)
        assert len(watch.seen) > 3
        return watch.scans()


def test_a_sync_scans_no_table(linked):
    desk, url = linked
    assert watched(desk, lambda: desk.sync(url), lambda: desk.sync(url)) == []


def test_pages_of_an_account_scan_no_table(linked):
    desk, url = linked
    run = desk.sync(url).json["run"]["id"]
    html = {"Accept": "text/html"}
    paths = (url, "/", f"{url}/syncs", f"{url}/syncs/{run}", "/api/v1/rates?source=ecb")
    paths += (f"/api/v1{url.replace('/portfolio', '/portfolios')}/holdings", "/rates")
    pages = [lambda path=path: desk.program.get(path, headers=html) for path in paths]
    assert watched(desk, *pages) == []


def test_an_undo_scans_no_table(linked):
    desk, url = linked
    run = desk.sync(url).json["run"]["id"]
    assert watched(desk, lambda: desk.program.post(f"/api/v1/runs/{run}/undo")) == []
