"""Pages cost a constant number of statements, and write nothing."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from sqlalchemy import event

from portfolio.db.base import db


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
    assert [s for s in seen if not s.startswith("SELECT")] == []
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
