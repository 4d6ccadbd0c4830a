"""The demo: its own data folder, a simulated gateway, and a sample account connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

from flask import Flask

from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.server import Server
from brokers.ibkr.simulator.server import serve as serve_simulator
from portfolio.accounts.models import CONNECTED
from portfolio.accounts.queries.portfolios import accounts, portfolios
from portfolio.accounts.services.portfolios import create_account, create_portfolio
from portfolio.clock import Moment, SystemClock
from portfolio.connections.queries import connected_to
from portfolio.connections.services import LinkRequest, Place, connect
from portfolio.db.session import unit_of_work
from portfolio.errors import SetupProblem
from portfolio.jobs.leader import locked
from portfolio.settings import Settings
from portfolio.sync.models import SUCCEEDED
from portfolio.sync.queries import find_run
from portfolio.web.runtime import EXTENSION, Runtime

PORTFOLIO, ACCOUNT, BROKER_ACCOUNT = "Retirement", "IBKR Main", "U1234567"
LOCK = "demo.lock"


def demo_settings(settings: Settings) -> Settings:
    """The settings with a data folder of the demo's own, so that real data is never touched.

    Nobody is told of invented troubles.
    """
    own = settings.given_by(
        "demo",
        data_dir=settings.data_dir / "demo",
        database_url="",
        secret_key_file="",
        key_file="",
        encryption_keys=(),
        notify_urls=(),
        jobs="embedded",
    )
    return replace(own, demo=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep the demo's folder to this process; `SetupProblem` where another demo has it.

    Two would share the database, and with it the one address at which the gateway is. The lock is
    the operating system's: it ends with the process, however that ends.
    """
    try:
        # The data folder, which may be made here for all that comes later, is as private.
        for each in (folder.parent, folder):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        stream = (folder / LOCK).open("ab", buffering=0)
    except OSError as error:
        raise SetupProblem(
            f"The demo's folder {folder} cannot be used: {error.strerror}."
        ) from None
    with stream:
        if not locked(stream):
            raise SetupProblem(
                f"A demo runs in {folder} already: end that one with Ctrl+C, or give this one a "
                "folder and a port of its own with FOLIOSYNC_DATA_DIR and --port."
            )
        yield


@contextmanager
def demo_gateway(folder: Path) -> Iterator[tuple[Server, Simulator]]:
    """The simulator on a TLS socket of loopback, with a certificate that is kept."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    simulator = Simulator(SystemClock())
    with serve_simulator(simulator, certificate_file=folder / "gateway.pem") as server:
        yield server, simulator


def fill(app: Flask) -> str:
    """Connect and sync the sample account, at the first start with new rows; says what it did."""
    runtime: Runtime = app.extensions[EXTENSION]
    with app.app_context():
        place = _sample(runtime)
        connect(place, LinkRequest(account_id=BROKER_ACCOUNT), runtime.outside)
        started = runtime.runner.start(place)
        runtime.runner.wait(started)
        with unit_of_work() as session:
            run = find_run(session, place.owner_id, started.run_id)
    if run.status != SUCCEEDED:
        raise SetupProblem(f"The sample account could not be synced: {run.error or run.reason}.")
    return f"“{place.name}” is synced: {run.counted}."


def _sample(runtime: Runtime) -> Place:
    """Where the sample account is connected, under whatever name; else where it is made.

    Whoever plays with the demo renames, disconnects and deletes, and starts it again.
    """
    moment = Moment.at(runtime.clock.now(), runtime.zone)
    with unit_of_work() as session:
        owner = runtime.owner_of(session)
        held = connected_to(session, owner).get(BROKER_ACCOUNT)
        if held is not None:
            return Place(owner_id=owner, portfolio_id=held.portfolio_id, name=held.account_name)
        of_name = {each.name: each for each in portfolios(session, owner)}
        parent = of_name.get(PORTFOLIO) or create_portfolio(
            session, owner, name=PORTFOLIO, base_currency="USD", now=moment.now
        )
        modes = {each.name: each.mode for each in accounts(session, owner, [parent.id])}
        # An account of that name may be connected to the simulator's other account.
        free = (ACCOUNT if n == 1 else f"{ACCOUNT} {n}" for n in count(1))
        name = next(each for each in free if modes.get(each) != CONNECTED)
        if name not in modes:
            create_account(session, parent, {"name": name, "currency": "USD"}, moment)
        return Place(owner_id=owner, portfolio_id=parent.id, name=name)
