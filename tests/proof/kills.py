"""What the kill tests share: a server that is killed, a market that moves, and a look beside."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from brokers.ibkr.simulator.data import Held
from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.state import GatewayState
from tests.e2e.conftest import wait_until
from tests.proof import points
from tests.proof.house import MAIN, Gateway, House

LAUNCHER = ("-m", "tests.proof.launch")
KILLED = -9
LONG_AGO = {"sqlite": "2020-01-01 00:00:00.000000", "postgresql": "2020-01-01 00:00:00+00"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """How the server is killed: at a point, after a time, or at a request to the gateway."""

    kind: str
    point: str = ""
    number: int = 1
    seconds: float = 0

    @property
    def by_point(self) -> bool:
        """Whether the program ends itself."""
        return bool(self.point)

    @property
    def name(self) -> str:
        """What the table calls it."""
        return self.point if self.kind == "point" else f"random: {self.kind}"


@dataclass
class Ring:
    """A server that is killed round after round, on one database.

    With `hurry`, it keeps no pace with the gateway; otherwise blows that need no point fall on
    exactly the shipped command.
    """

    house: House
    gateway: Gateway
    engine: Engine
    armed: Path
    hurry: bool
    slowest: float = 0
    tally: Counter[str] = field(default_factory=Counter)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        name = self.engine.url.database
        return Path(name or "") if self.engine.dialect.name == "sqlite" else None

    def start(self, blow: Blow | None) -> None:
        """Serve, ready for this blow; the slowest start is remembered."""
        self.armed.unlink(missing_ok=True)
        program = LAUNCHER if self.hurry or (blow is not None and blow.by_point) else ()
        began = time.monotonic()
        self.house.start(*program)
        self.house.ready()
        self.slowest = max(self.slowest, time.monotonic() - began)

    def strike(self, blow: Blow, path: str, nonce: object, **more: Any) -> Any:
        """Send a POST and kill the server meanwhile; the answer, or None where none came."""
        with ThreadPoolExecutor(max_workers=1) as pool, self._falling(blow, nonce):
            answer = pool.submit(self.house.call, "POST", path, **more)
            self._dies(blow, answer)
            self.armed.unlink(missing_ok=True)
            return answered(answer)

    def _dies(self, blow: Blow, answer: Future[Any]) -> None:
        process = self.house.process
        assert process is not None
        if blow.kind == "point":
            # It may end a moment after the answer: no other hand helps.
            wait_until(lambda: process.poll() is not None)
            assert process.returncode == KILLED, process.returncode
            return
        wait_until(lambda: answer.done() or process.poll() is not None)
        self.house.kill()
        answered(answer)

    @contextmanager
    def _falling(self, blow: Blow, nonce: object) -> Iterator[None]:
        process = self.house.process
        assert process is not None
        if blow.by_point:
            points.arm(self.armed, blow.point, blow.number, nonce)
            yield
        elif blow.kind == "request":
            rewrites = self.gateway.simulator.state.rewrites
            rewrites.append(_at_request(blow.number, process.kill))
            yield
            rewrites.clear()
        else:
            timer = threading.Timer(blow.seconds, process.kill)
            timer.start()
            yield
            timer.cancel()
            timer.join()

    def settle(self) -> None:
        """Wait until the database has noticed that its client is gone."""
        if self.engine.dialect.name == "sqlite":
            return
        others = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        wait_until(lambda: self.value(others) == 0)

    def value(self, statement: str, **values: Any) -> Any:
        """The first value that a statement answers with."""
        with self.engine.connect() as connection:
            return connection.execute(text(statement), values).scalar()

    def change(self, *statements: str) -> None:
        """Write beside the program."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def count(self, blow: Blow, left: str) -> None:
        """Note what a blow left."""
        self.tally[left] += 1
        self.tally[f"{blow.name}: {left}"] += 1

    def age(self) -> None:
        """Half a minute passes for the leases, and more for what paces calls."""
        then = LONG_AGO[self.engine.dialect.name]
        self.change(
            f"UPDATE lease SET until = '{then}'",
            f"UPDATE sync_run SET lease_until = '{then}' WHERE status = 'running'",
            "UPDATE gateway SET last_calls = '{}'",
        )

    def intact(self) -> None:
        """The database itself finds nothing wrong with its pages and references."""
        if self.file is not None:
            sound(self.file)


def _at_request(number: int, kill: Callable[[], None]) -> Callable[[str, Reply], Reply]:
    left = iter(range(number - 1))

    def rewrite(_path: str, reply: Reply) -> Reply:
        if next(left, None) is None:
            kill()
        return reply

    return rewrite


def answered(answer: Future[Any]) -> Any:
    """What a request was answered with, or None where its server died."""
    try:
        return answer.result(timeout=90)
    except requests.RequestException:
        return None


def sound(file: Path) -> None:
    """Nothing is wrong with the pages and references of a file."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def opened(url: str) -> Engine:
    """An engine that keeps no connection open."""
    return create_engine(url, poolclass=NullPool)


# What is drawn anew by whoever writes it, and says nothing.
DRAWN = frozenset({"held_stamp"})


def contents(engine: Engine, *, but: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """All rows of all tables, as text."""
    found = {}
    with engine.connect() as connection:
        for table in sorted(inspect(connection).get_table_names()):
            if table not in but:
                rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').mappings()
                kept = (tuple(v for name, v in row.items() if name not in DRAWN) for row in rows)
                found[table] = sorted(map(str, kept))
    return found


def of_file(file: Path) -> dict[str, list[str]]:
    """All rows of an SQLite file, which is sound."""
    sound(file)
    return contents(opened(f"sqlite:///{file}"))


@dataclass
class Market:
    """Genuine changes at the simulated broker, after which its books still add up."""

    state: GatewayState
    sold: list[Held] = field(default_factory=list)

    def move(self, draw: random.Random, *, sale: bool = False) -> None:
        """Buy and sell a little; with `sale`, one position is gone for certain."""
        shares = [row for row in self._held if row.asset == "STK"]
        for row in draw.sample(shares, draw.randint(1, 3)):
            self._trade(row, Decimal(draw.randint(1, 40)) / 8)
            row.price += Decimal(draw.randint(1, 50)) / 100
        if self.sold and draw.random() < 0.6:
            self._buy_back()
        if sale or draw.random() < 0.4:
            self._sell(draw.choice(shares[40:]))

    @property
    def _held(self) -> list[Held]:
        return self.state.accounts[MAIN].held

    def _trade(self, row: Held, quantity: Decimal) -> None:
        row.quantity += quantity
        cash = self.state.accounts[MAIN].cash[row.currency]
        cash.balance -= quantity * row.price * row.multiplier

    def _sell(self, row: Held) -> None:
        self.sold.append(replace(row))
        self._trade(row, -row.quantity)
        self._held.remove(row)

    def _buy_back(self) -> None:
        row = self.sold.pop(0)
        quantity, row.quantity = row.quantity, Decimal(0)
        self._held.append(row)
        self._trade(row, quantity)

    @property
    def truth(self) -> dict[str, tuple[Decimal, ...]]:
        """What the broker has: quantity and average price by contract, and cash by currency."""
        held: dict[str, tuple[Decimal, ...]] = {
            str(row.conid): (row.quantity, row.average) for row in self._held
        }
        cash = self.state.accounts[MAIN].cash
        return held | {currency: (of.balance,) for currency, of in cash.items()}


def stored(rows: tuple[tuple[str, ...], ...]) -> dict[str, tuple[Decimal, ...]]:
    """Rows of a look in the form of `Market.truth`."""
    return {
        (row[4] if len(row) > 5 else row[3]): (
            (Decimal(row[8]), Decimal(row[9])) if len(row) > 5 else (Decimal(row[4]),)
        )
        for row in rows
    }
