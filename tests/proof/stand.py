"""A real server on a disk that fails to order, and an account that changes to and fro."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.proof.disk import Disk
from tests.proof.house import Gateway, House, opened_gateway
from tests.proof.truth import Truth, look

MAIN, KIDS = "U1234567", "U7654321"
JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html"}


@dataclass(kw_only=True)
class Sides:
    """Two states of an account at the gateway, and what is stored of each when all is well."""

    gateway: Gateway
    account_id: str
    states: list[Any] = field(default_factory=list)
    stored: list[Any] = field(default_factory=list)
    side: int = 0

    def __post_init__(self) -> None:
        """The other side: one holding sold, one larger, one new amount of cash."""
        first = deepcopy(self.gateway.simulator.state.accounts[self.account_id])
        second = deepcopy(first)
        second.held.remove(second.find("SAP"))
        second.find("MSFT").quantity += Decimal("2.5")
        second.cash["EUR"].balance += Decimal("1224.3")
        self.states = [first, second]

    def turn(self) -> None:
        """Show the other side from now on."""
        self.side = 1 - self.side
        self.gateway.simulator.state.accounts[self.account_id] = self.states[self.side]

    def learn(self, place: Any) -> None:
        """See what is stored of each side when all is well; `place` syncs and knows its state."""
        for _ in self.states:
            place.sync()
            self.stored.append(place.state())
            self.turn()
        assert self.stored[0] != self.stored[1]


@dataclass(kw_only=True)
class Stand:
    """A server, the disk below it, and its account."""

    house: House
    disk: Disk
    sides: Sides
    url: str = ""

    @property
    def file(self) -> Path:
        """The database."""
        return self.disk.folder / "foliosync.db"

    @property
    def database(self) -> str:
        """The URL of the database."""
        return f"sqlite:///{self.file}"

    @property
    def api(self) -> str:
        """The URL of the account's holdings as JSON."""
        return f"/api/v1{self.url.replace('/portfolio', '/portfolios')}/holdings"

    def sync(self) -> None:
        """A sync that succeeds."""
        done = self.house.call("POST", f"{self.url}/sync", headers=JSON)
        assert done.status_code == 200, done.text
        assert done.json()["run"]["status"] == "succeeded", done.text

    def state(self) -> tuple[Truth, str]:
        """What is held, and the digest of the last run that was applied."""
        digest = "SELECT digest FROM sync_run WHERE status = 'succeeded' ORDER BY rowid DESC"
        return look(self.database), answer(self.file, f"{digest} LIMIT 1")[0][0]

    def shown(self) -> tuple[int, Any]:
        """The status of the account's page, and its holdings as a program reads them."""
        page = self.house.call("GET", self.url, headers=PAGE)
        figures = self.house.call("GET", self.api, headers=JSON)
        assert figures.status_code == 200, figures.text
        return page.status_code, figures.json()["holdings"]


@contextmanager
def stand(disk: Disk, account_id: str) -> Iterator[Stand]:
    """A server that is ready, linked and synced, and keeps no pace with its gateway."""
    with opened_gateway() as gateway:
        house = House(data=disk.folder, gateway=gateway.server.url, more=disk.environ)
        house.start("-m", "tests.proof.hurried")
        try:
            house.ready()
            found = Stand(
                house=house,
                disk=disk,
                sides=Sides(gateway=gateway, account_id=account_id),
            )
            found.url = house.linked(account_id=account_id)
            yield found
        finally:
            house.kill()
    assert "Traceback" not in house.log.read_text(encoding="utf-8")


def answer(file: Path, statement: str) -> list[Any]:
    """What an SQLite file answers."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def content(file: Path) -> list[str]:
    """All of an SQLite file as text."""
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def is_whole(file: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file."""
    broken = answer(file, "PRAGMA foreign_key_check")
    return answer(file, "PRAGMA integrity_check") == [("ok",)] and not broken
