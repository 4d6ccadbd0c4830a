"""Shared by all tests: no network but loopback, no silent skips in CI, real servers."""

from __future__ import annotations

import logging
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text

from brokers.ibkr.simulator import Simulator
from portfolio import redaction

NO_SKIPS = "FOLIOSYNC_TEST_NO_SKIPS"
# The same in each run of CI: there, red means a change and never bad luck.
SEED = 20261125
ENOUGH_MEMORY = 4_000_000_000
POSTGRES = "FOLIOSYNC_TEST_POSTGRES"
FIGURE = "figure"
# Below the ports that systems give to clients.
PORTS = range(12_000, 32_000, 2_500)
_connect = socket.socket.connect

# The machines are noisy: no test fails for being slow.
settings.register_profile(
    "calm", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("calm")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much `tests/proof` tries, and with which seed."""
    proof = parser.getgroup("proof")
    proof.addoption("--full", action="store_true", help="the full counts, not CI's slice")
    proof.addoption("--seed", type=int, default=SEED, help="the seed of every random schedule")


class Figures:
    """What was measured, shown at the end as a table; it comes with the reports of the tests."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test has noted."""
        if report.when == "teardown":
            self.noted += [
                cast(tuple[str, str], of) for name, of in report.user_properties if name == FIGURE
            ]

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """The table of what was measured."""
        if self.noted:
            terminalreporter.section(f"measured with --seed {config.getoption('seed')}")
        for what, value in sorted(self.noted):
            terminalreporter.write_line(f"| {what} | {value} |")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests’ files in memory where there is plenty: a disk is what they wait for most."""
    config.pluginmanager.register(Figures())
    memory = Path("/dev/shm")
    if config.option.basetemp or not memory.is_dir() or not os.access(memory, os.W_OK):
        return
    if shutil.disk_usage(memory).free >= ENOUGH_MEMORY:
        config.option.basetemp = str(memory / f"foliosync-tests-{os.getpid()}")


# Whoever changes the code a thousand times does without plugins.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """None of them where a file is named: it stays in one worker anyway, which starts slowly.

    And a worker that does not find what is named ends without a word of it.
    """
    named = config.option.file_or_dir
    return None if all(Path(each).is_dir() for each in named) else 0


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the memory back."""
    if config.option.basetemp == f"/dev/shm/foliosync-tests-{os.getpid()}":
        shutil.rmtree(config.option.basetemp, ignore_errors=True)


def pytest_report_header(config: pytest.Config) -> str:
    """The seed that repeats this run."""
    return f"proof: --seed {config.getoption('seed')}"


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Refuse every connection that would leave this computer."""

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "local"
        if self.family in (socket.AF_INET, socket.AF_INET6) and not (
            str(host).startswith("127.") or host in ("::1", "localhost")
        ):
            raise AssertionError(f"a test tried to reach {host}")
        _connect(self, address)

    socket.socket.connect = connect  # type: ignore[method-assign,assignment]
    yield
    socket.socket.connect = _connect  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def trip_wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No simulated gateway of any test is ever asked for what a reader does not need."""
    made: list[Simulator] = []
    start = Simulator.__init__

    def remembered(self: Simulator, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Simulator, "__init__", remembered)
    yield
    assert [trip for simulator in made for trip in simulator.trips] == []


@pytest.fixture(autouse=True)
def unredacted_logs() -> Iterator[None]:
    """What one test hides from the log must show in the log of the next one, if it leaks there."""
    hooks = logging.getLogRecordFactory(), sys.excepthook, threading.excepthook
    yield
    logging.setLogRecordFactory(hooks[0])
    sys.excepthook, threading.excepthook = hooks[1:]
    redaction._known.clear()
    redaction._sealed.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """In CI a skipped test is a failed one: what it needs must be installed there."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get(NO_SKIPS) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where nothing may be: {report.longrepr}"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A throwaway PostgreSQL server, or the one that is named."""
    named = os.environ.get(POSTGRES)
    if named:
        yield named
        return
    tools = postgres_tools()
    if tools is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path("/tmp") / f"foliosync-pg-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    data, port = folder / "data", unused_port()
    as_postgres([str(tools / "initdb"), "-D", str(data), "-U", "test", "-A", "trust", "-N"])
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [str(tools / "pg_ctl"), "-D", str(data), "-w"]
    as_postgres([*control, "-o", options, "-l", str(folder / "log"), "start"])
    try:
        yield f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
    finally:
        as_postgres([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


def postgres_tools() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def as_postgres(command: list[str]) -> None:
    # PostgreSQL refuses to run as root.
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(command, check=True, capture_output=True, cwd="/tmp", timeout=60)


def unused_port() -> int:
    """A port that nobody uses; each of several workers has a range of its own."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % len(PORTS)
    while True:
        port = PORTS[number] + random.SystemRandom().randrange(PORTS.step)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """An empty database of a PostgreSQL server, removed in the end."""
    name = f"t{uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.rsplit("/", 1)[0] + f"/{name}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'foliosync.db'}"
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def free_port() -> int:
    """A port of loopback that nobody uses."""
    return unused_port()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    quiet = ["disable-gpu", "no-first-run", "disable-background-networking"]
    quiet += ["disable-component-update", "disable-sync", "disable-quic"]
    quiet += ["no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[f"--{name}" for name in quiet]
        )
        yield browser
        browser.close()
