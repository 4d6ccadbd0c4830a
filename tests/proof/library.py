"""A furnished application, and a way back to how it stood: for what tries everything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from portfolio.jobs.embedded import EmbeddedEngine
from tests.integration.conftest import Desk, make_desk
from tests.integration.web.test_nothing_breaks import DOCUMENTED_503

DAILY = Path(__file__).parents[1] / "data" / "ecb" / "daily.xml"
P = "/api/v1/portfolios"
__all__ = ["DOCUMENTED_503", "Library", "P", "furnished"]
LINKED, BY_HAND = "IBKR Main", "Mine, 50% ~ née/Ω"


def _memory() -> sqlite3.Connection:
    # Schemathesis asks from a thread of its own, one request after the other.
    return sqlite3.connect(":memory:", check_same_thread=False)


@dataclass
class Library:
    """The application with something in every list, and a copy of it to go back to."""

    desk: Desk
    file: Path
    copy: sqlite3.Connection = field(default_factory=_memory)
    places: dict[str, list[Any]] = field(default_factory=dict)
    background: list[Future[None]] = field(default_factory=list)

    def keep(self) -> None:
        """Remember how everything stands."""
        with closing(sqlite3.connect(self.file)) as source:
            source.backup(self.copy)

    def restore(self) -> None:
        """Put everything back, through SQLite itself: nobody sees half of it."""
        with closing(sqlite3.connect(self.file)) as target:
            self.copy.backup(target)

    def settle(self) -> None:
        """Wait for everything that goes on in the background."""
        while self.background:
            self.background.pop().result(timeout=60)


@contextmanager
def furnished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """The application with something in every list."""
    background: list[Future[None]] = []
    defer = EmbeddedEngine.defer

    def remembered(self: EmbeddedEngine, task: Any) -> Future[None]:
        background.append(defer(self, task))
        return background[-1]

    monkeypatch.setattr(EmbeddedEngine, "defer", remembered)
    environ = {"FOLIOSYNC_DATA_DIR": str(folder), "FOLIOSYNC_TIMEZONE": "UTC"}
    environ["FOLIOSYNC_NOTIFY_URLS"] = "ntfy://topic"
    maker = make_desk(environ, send=lambda title, body: 1)
    desk = next(maker)
    runtime = desk.app.extensions["foliosync"]
    desk.app.extensions["foliosync"] = replace(runtime, fetch_rates=DAILY.read_bytes)
    found = Library(desk, folder / "foliosync.db", background=background)
    _furnish(found)
    found.keep()
    yield found
    found.copy.close()
    next(maker, None)


def _furnish(library: Library) -> None:
    desk, program = library.desk, library.desk.program

    def make(path: str, **body: Any) -> int:
        answer = program.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return int(answer.json["id"])

    make(P, name="Start", base_currency="USD")
    make(P, name="Empty", base_currency="EUR")
    one = make(f"{P}/1/accounts", name=LINKED, currency="USD")
    two = make(f"{P}/1/accounts", name=BY_HAND, currency="EUR", notes="<b>&amp;")
    held = {"kind": "stock", "currency": "EUR", "quantity": "2"}
    holdings = [make(f"{P}/1/accounts/~{of}/holdings", symbol="Ω<i>", **held) for of in (one, two)]
    money = {"currency": "EUR", "amount": "12.50"}
    cash = [make(f"{P}/1/accounts/~{of}/cash", **money) for of in (one, two)]
    rate = make("/api/v1/rates", **{"from": "CHF", "to": "EUR", "rate": "1.1"})
    spare = make("/api/v1/gateways", url="https://localhost:5001")
    library.places = {
        "portfolio_id": [1, 1, 2],
        "account_name": [LINKED, f"~{two}", f"~{two}"],
        "holding_id": [*holdings, holdings[-1], max(holdings) + 1],
        "cash_id": [*cash, cash[-1], max(cash) + 1],
        "rate_id": [rate],
        "gateway_id": [1, spare],
        "connection_id": [1],
        "run_id": _runs(desk, f"/portfolio/1/accounts/{LINKED}"),
        "broker": ["ibkr"],
    }


def _runs(desk: Desk, url: str) -> list[str]:
    """A first sync, one that changed something, and one that was not believed."""
    desk.turn()
    assert desk.connect(url, username="api").status_code == 201
    found = [desk.sync(url).json["run"]["id"]]
    desk.simulator.sell("U1234567", "SPY")
    found.append(desk.sync(url).json["run"]["id"])
    desk.simulator.play("empty-positions")
    return [*found, desk.sync(url).json["run"]["id"]]
