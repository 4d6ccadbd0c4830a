"""An application on a real database, whose gateway is the simulator in the same process."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, MetaData, create_engine

from brokers.ibkr.simulator import Simulator
from brokers.testing.clock import FakeClock
from brokers.testing.network import WsgiNetwork
from portfolio.app import create_app, prepare_database
from portfolio.db.base import db
from portfolio.settings import Settings
from portfolio.users.passwords import Passwords

MAIN = "U1234567"


@dataclass
class Desk:
    """The application, a program and a browser that use it, and everything behind it."""

    app: Flask
    clock: FakeClock
    simulator: Simulator
    network: WsgiNetwork

    @property
    def program(self) -> FlaskClient:
        return self.app.test_client()

    def account(self, name: str = "A") -> str:
        """A portfolio with one account; returns its documented URL."""
        client = self.program
        made = client.post("/api/v1/portfolios", json={"name": "P", "base_currency": "USD"})
        number = made.json["id"] if made.status_code == 201 else 1
        body = {"name": name, "currency": "USD"}
        client.post(f"/api/v1/portfolios/{number}/accounts", json=body)
        return f"/portfolio/{number}/accounts/{name}"

    def connected(self) -> str:
        """An account that is linked and synced."""
        url = self.account()
        self.turn()
        assert self.connect(url).status_code == 201
        assert self.sync(url).status_code == 200
        return url

    def connect(self, url: str, **more: Any) -> Any:
        return self.program.post(f"{url}/connect/ibkr", json={"account_id": MAIN, **more})

    def sync(self, url: str) -> Any:
        self.turn()
        return self.program.post(f"{url}/sync")

    def holdings(self, url: str) -> Any:
        return self.program.get(f"/api/v1{url.replace('/portfolio', '/portfolios')}/holdings").json

    def turn(self, seconds: float = 6) -> None:
        self.clock.turn(seconds)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a first start leaves in its folder: made once, because migrations take their time."""
    folder = tmp_path_factory.mktemp("prepared")
    for _ in make_desk({"FOLIOSYNC_DATA_DIR": str(folder), "FOLIOSYNC_TIMEZONE": "UTC"}):
        pass
    return folder


@pytest.fixture
def desk(tmp_path: Path, prepared: Path) -> Iterator[Desk]:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    yield from make_desk({"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_TIMEZONE": "UTC"})


# Hashing is slow on purpose, and tests hash a lot.
CHEAP = Passwords(passes=1, kibibytes=8)


def make_desk(environ: dict[str, str], send: Any = None, **more: Any) -> Iterator[Desk]:
    clock = FakeClock()
    simulator = Simulator(clock)
    network = WsgiNetwork(simulator)
    app = create_app(Settings.load(environ), clock=clock, network=network, send=send, **more)
    prepare_database(app)
    yield Desk(app=app, clock=clock, simulator=simulator, network=network)
    assert simulator.trips == []
    app.extensions["foliosync"].stop()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def engine_of(database_url: str) -> Iterator[Callable[..., Engine]]:
    """Makes an engine whose database has some tables, given with the engine's options."""
    made: list[Engine] = []

    def of(metadata: MetaData, **options: Any) -> Engine:
        made.append(create_engine(database_url, **options))
        metadata.create_all(made[-1])
        return made[-1]

    yield of
    for each in made:
        each.dispose()


@pytest.fixture
def anywhere(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """The application on SQLite and on PostgreSQL."""
    yield from make_desk(
        {
            "FOLIOSYNC_DATA_DIR": str(tmp_path),
            "FOLIOSYNC_DATABASE_URL": database_url,
            "FOLIOSYNC_TIMEZONE": "UTC",
        }
    )


@pytest.fixture
def guarded(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    """The application with logins, on SQLite and on PostgreSQL; nobody is set up yet."""
    yield from make_desk(guarded_by(database_url, tmp_path), passwords=CHEAP)


def guarded_by(database_url: str, folder: Path) -> dict[str, str]:
    return {
        "FOLIOSYNC_AUTH": "password",
        "FOLIOSYNC_DATA_DIR": str(folder),
        "FOLIOSYNC_DATABASE_URL": database_url,
        "FOLIOSYNC_TIMEZONE": "UTC",
    }


@contextmanager
def no_room(longest: int) -> Iterator[None]:
    """As on a full disk, no file of this process becomes any longer."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
