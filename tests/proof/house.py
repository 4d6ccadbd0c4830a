"""Real processes for the long runs: a gateway on a TLS socket, and servers that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.server import Server, serve
from portfolio.clock import SystemClock
from tests.conftest import unused_port
from tests.e2e.conftest import answers, wait_until

ROOT = Path(__file__).parent.parent.parent
MAIN = "U1234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A simulated gateway, and the socket it listens on."""

    simulator: Simulator
    server: Server


@contextmanager
def opened_gateway(*, limits: bool = False) -> Iterator[Gateway]:
    """A gateway that somebody is signed in at; nobody is ever kept waiting by its limits."""
    simulator = Simulator(SystemClock(), limits=limits)
    with serve(simulator) as server:
        yield Gateway(simulator=simulator, server=server)
    assert simulator.trips == []


@dataclass
class House:
    """The shipped server as a process: it can be killed and started again on the same data.

    `more` are settings by their names; JOBS is off unless it is among them.
    """

    data: Path
    gateway: str
    more: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The file of what it logs."""
        return self.data.parent / "server.log"

    @property
    def environ(self) -> dict[str, str]:
        """The settings of its process, and nothing of ours."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
        return ours | {
            "FOLIOSYNC_DATA_DIR": str(self.data),
            "FOLIOSYNC_TIMEZONE": "UTC",
            "FOLIOSYNC_JOBS": "off",
            "FOLIOSYNC_IBKR_GATEWAY_URL": self.gateway,
            **self.more,
        }

    def start(self, *program: str) -> None:
        """Begin to serve; `program` replaces the command of a user (`-m portfolio.cli`)."""
        self.port = self.port or unused_port()
        command = [sys.executable, *(program or ("-m", "portfolio.cli"))]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "run", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environ,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def ready(self) -> None:
        """Wait until it serves."""
        wait_until(lambda: self._lives() and answers(f"{self.url}/readyz"))

    def _lives(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the server ended by itself"
        return True

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request of a program."""
        return requests.request(method, f"{self.url}{path}", timeout=120, **more)

    def linked(self, name: str = "A", account_id: str = MAIN) -> str:
        """An account of portfolio 1 that is connected; returns its documented URL."""
        self.call("POST", "/api/v1/portfolios", json={"name": "P", "base_currency": "USD"})
        made = {"name": name, "currency": "USD"}
        self.call("POST", "/api/v1/portfolios/1/accounts", json=made)
        url = f"/portfolio/1/accounts/{name}"
        done = self.call("POST", f"{url}/connect/ibkr", json={"account_id": account_id})
        assert done.status_code == 201, done.text
        return url


@contextmanager
def served(data: Path, gateway: str, **more: str) -> Iterator[House]:
    """A server that is ready, and is killed in the end."""
    house = House(data=data, gateway=gateway, more=more)
    house.start()
    try:
        house.ready()
        yield house
    finally:
        house.kill()
