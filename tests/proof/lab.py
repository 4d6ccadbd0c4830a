"""The application in process, for the model: a wire that is listened to, a fuse, a loose clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.data import Account, Cash, accounts
from brokers.testing.clock import FakeClock
from brokers.testing.network import WsgiNetwork
from portfolio.app import create_app, prepare_database
from portfolio.db.base import db
from portfolio.settings import Settings

MAIN, KIDS = "U1234567", "U7654321"
OF_MAIN = ("AAPL", "SPY", "VWCE", "T", "JNJ", "SAP", "MSFT")


class LooseClock(FakeClock):
    """A clock whose time of day can be set, while seconds pass evenly."""

    def __init__(self) -> None:
        super().__init__()
        self._off = timedelta(0)

    def now(self) -> datetime:
        """The time of day, as it was set."""
        return super().now() + self._off

    def jump(self, seconds: float) -> None:
        """Set the time of day."""
        self._off += timedelta(seconds=seconds)


class Crash(BaseException):
    """The end of a process; nobody in the program may catch it."""


class Fuse:
    """Ends the process at its n-th step from now: a statement, a commit, or a call to a broker.

    Once blown, nothing of this process reaches the database or the gateway any more.
    """

    def __init__(self) -> None:
        self._left: int | None = None

    def light(self, steps: int) -> None:
        """Blow after so many steps."""
        self._left = steps

    def put_out(self) -> None:
        """Never mind."""
        self._left = None

    def step(self, *_: Any, **__: Any) -> None:
        """One step of the process."""
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            raise Crash

    def watch(self, engine: Engine) -> None:
        """Count what is done with a database."""
        event.listen(engine, "before_cursor_execute", self.step)
        event.listen(engine, "commit", self.step)


class Wire:
    """What is said between the program and the gateway; `said` has each good answer."""

    def __init__(self, simulator: Simulator, fuse: Fuse) -> None:
        self.simulator, self.fuse = simulator, fuse
        self.said: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.simulator, name)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.fuse.step()
        status: list[str] = []

        def started(line: str, *more: Any) -> Any:
            status.append(line)
            return start(line, *more)

        body = b"".join(self.simulator(environ, started))
        if status[0].startswith("200") and "/portfolio" in environ["PATH_INFO"]:
            with suppress(ValueError):
                self.said.append((environ["PATH_INFO"], json.loads(body, parse_float=Decimal)))
        return [body]


def small_accounts() -> dict[str, Account]:
    """Two accounts of the simulated broker with a handful of positions, one of them in both."""
    main, kids = accounts()[MAIN], accounts()[KIDS]
    options = [row for row in main.held if row.asset == "OPT"]
    main.held = [row for row in main.held if row.asset == "STK" and row.ticker in OF_MAIN]
    main.held += options[:1]
    kids.held = [row for row in kids.held if row.ticker in ("EIMI", "ALV", "MSFT", "DIS")]
    kids.find("MSFT").conid = main.find("MSFT").conid
    main.cash = {of: Cash(balance=main.cash[of].balance) for of in ("USD", "EUR")}
    return {MAIN: main, KIDS: kids}


class Stand:
    """The application on a database, everything behind it, and a way to end its process."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.fuse = LooseClock(), Fuse()
        self.simulator = Simulator(self.clock)
        self.simulator.state.accounts = small_accounts()
        self.wire = Wire(self.simulator, self.fuse)
        self._network = WsgiNetwork(self.wire)
        environ = {"FOLIOSYNC_DATA_DIR": str(folder), "FOLIOSYNC_TIMEZONE": "UTC"}
        self._settings = Settings.load(environ)
        self.start()

    def start(self) -> None:
        """Start the program, as after a crash."""
        self.app = create_app(self._settings, clock=self.clock, network=self._network)
        prepare_database(self.app)
        with self.app.app_context():
            self.engine = db.engine
        self.fuse.watch(self.engine)

    def stop(self) -> None:
        """End its threads and its database connections."""
        self.app.extensions["foliosync"].stop()
        self.engine.dispose()

    def call(self, method: str, path: str, **more: Any) -> Any:
        """One request of a program; its answer."""
        return self.app.test_client().open(path, method=method, **more)

    def hide(self, symbol: str, fragment: str) -> None:
        """Leave one position out of the answers whose path has the fragment."""

        def hidden(path: str, reply: Any) -> Any:
            if fragment not in path or reply.status != 200 or not isinstance(reply.body, list):
                return reply
            state = self.simulator.state
            ids = {
                str(r.conid) for a in state.accounts.values() for r in a.held if r.ticker == symbol
            }
            return reply._replace(body=[r for r in reply.body if str(r.get("conid")) not in ids])

        self.simulator.state.rewrites.append(hidden)

    def buy(self, broker_account: str, symbol: str, conid: int) -> None:
        """Something new is held."""
        account = self.simulator.state.accounts[broker_account]
        like = accounts()[MAIN].find("AAPL")
        new = replace(like, conid=conid, ticker=symbol, quantity=Decimal(7), description=symbol)
        account.held.append(replace(new, currency=account.base))
