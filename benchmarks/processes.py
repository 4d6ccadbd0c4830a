"""The gateway simulator, the server as shipped, and PostgreSQL as processes of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import requests
import urllib3

from benchmarks.figures import MissingPrerequisite
from benchmarks.measuring import ROOT

Found = TypeVar("Found")
# The account of `--positions` of the simulator.
LARGE = "U9000000"
PATIENCE = 300


def _session() -> requests.Session:
    """A connection that is kept, as a browser keeps it, without anybody's environment."""
    session = requests.Session()
    session.trust_env = False
    # A program sends none, and is asked for no form's token.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process that serves, and where."""

    pid: int
    url: str
    session: requests.Session = field(default_factory=_session, repr=False)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request, which must succeed; by one thread at a time."""
        if method != "GET":
            # Who brings a cookie is a browser, and would need a token of its page.
            self.session.cookies.clear()
        answer = self.session.request(method, f"{self.url}{path}", timeout=300, **more)
        answer.raise_for_status()
        return answer


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="foliosync-bench-") as folder:
        yield Path(folder)


@contextmanager
def gateway(positions: int = 0, *options: str) -> Iterator[Running]:
    """The simulator with an account `LARGE` of so many positions; `options` are those it takes."""
    command = [sys.executable, "-m", "brokers.ibkr.simulator", "--port", "0", *options]
    command += ["--positions", str(positions)] if positions else []
    with _running(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = next(word.strip(";") for word in line.split() if word.startswith("https://"))
        yield Running(pid=process.pid, url=url)


@contextmanager
def server(
    data: Path, gateway: str, program: str = "portfolio.cli", **settings: str
) -> Iterator[Running]:
    """The server as shipped, ready; `settings` by their names without the prefix.

    JOBS is off unless it is among them: what runs by itself would be measured, too.
    """
    port = free_port()
    command = [sys.executable, "-m", program, "run", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (
        (data.parent / f"{data.name}.log").open("ab") as log,
        _running(
            command, env=environ(data, gateway, **settings), stdout=log, stderr=log
        ) as process,
    ):
        _await(f"{url}/readyz", process)
        yield Running(pid=process.pid, url=url)


@contextmanager
def bare_server(folder: Path) -> Iterator[Running]:
    """The libraries that we serve with, and one empty page."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare", str(folder), str(port)]
    with serving(command, port) as running:
        yield running


@contextmanager
def serving(command: list[str], port: int) -> Iterator[Running]:
    """Any program that serves on a port, once it answers."""
    url = f"http://127.0.0.1:{port}"
    with _running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _await(url, process)
        yield Running(pid=process.pid, url=url)


def environ(data: Path, gateway: str, **settings: str) -> dict[str, str]:
    """The environment of a server that knows nothing of this computer's."""
    ours = {name: of for name, of in os.environ.items() if not name.startswith("FOLIOSYNC_")}
    given = {"DATA_DIR": str(data), "IBKR_GATEWAY_URL": gateway, "TIMEZONE": "UTC", "JOBS": "off"}
    return ours | {f"FOLIOSYNC_{name}": of for name, of in (given | settings).items()}


def connected(served: Running, account: str = LARGE, name: str = "A") -> str:
    """An account of a portfolio of its own, connected; returns its URL."""
    made = {"name": f"P of {name}", "base_currency": "USD"}
    portfolio = served.call("POST", "/api/v1/portfolios", json=made).json()["id"]
    made = {"name": name, "currency": "USD"}
    served.call("POST", f"/api/v1/portfolios/{portfolio}/accounts", json=made)
    url = f"/portfolio/{portfolio}/accounts/{name}"
    served.call("POST", f"{url}/connect/ibkr", json={"account_id": account})
    return url


def synced(served: Running, url: str) -> dict[str, Any]:
    """A sync that succeeds, waited for to its end; the run as the API shows it."""
    answer = served.call("POST", f"{url}/sync", headers={"Accept": "application/json"})
    run: dict[str, Any] = answer.json()["run"]
    while run["status"] == "running":
        time.sleep(0.05)
        run = served.call("GET", f"/api/v1/runs/{run['id']}").json()
    if run["status"] != "succeeded":
        raise RuntimeError(f"the sync {run['status']}: {run}")
    return run


def calls_of(gateway: Running) -> int:
    """How many calls the simulator has answered."""
    with _trusting() as session:
        facts = session.get(f"{gateway.url}/simulator/state.json", timeout=10).json()
    counted: int = facts["requests"]
    return counted


def control(gateway: Running, action: str, **values: str) -> None:
    """Do something at the simulator's control page."""
    with _trusting() as session:
        page = f"{gateway.url}/simulator/{action}"
        session.post(page, data=values, timeout=10).raise_for_status()


def _trusting() -> requests.Session:
    """The simulator's certificate was made for this run, on this computer."""
    urllib3.disable_warnings()
    session = _session()
    session.verify = False
    return session


def apart(task: Callable[..., Found], *arguments: object) -> Found:
    """What a function returns in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return process.submit(task, *arguments).result()


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL server that lives as long as this."""
    # What starts one for the tests; it comes with all that the tests need.
    from tests.conftest import as_postgres, postgres_tools

    tools = postgres_tools()
    if tools is None:
        raise MissingPrerequisite("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="foliosync-bench-pg-"))
    folder.chmod(0o777)
    port = free_port()
    as_postgres([str(tools / "initdb"), "-D", f"{folder}/data", "-U", "bench", "-A", "trust"])
    control = [str(tools / "pg_ctl"), "-D", f"{folder}/data", "-w"]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    as_postgres([*control, "-o", options, "-l", f"{folder}/log", "start"])
    try:
        yield f"postgresql+psycopg://bench@127.0.0.1:{port}/postgres"
    finally:
        as_postgres([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """One more database of a PostgreSQL server, removed in the end."""
    from tests.conftest import fresh_database

    with fresh_database(server) as url:
        yield url


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], **more: Any) -> Iterator[subprocess.Popen[Any]]:
    with subprocess.Popen(command, cwd=ROOT, **more) as process:
        try:
            yield process
        finally:
            process.terminate()


def _await(url: str, process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{process.args!r} did not begin to serve") from None
            time.sleep(0.05)
