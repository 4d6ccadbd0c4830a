"""Applications and accounts to measure: built in this process, or filled row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import process_time
from zoneinfo import ZoneInfo

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from benchmarks.measuring import cpu_of
from benchmarks.processes import LARGE
from brokers.addresses import split_address
from brokers.contract import Connection, Context
from brokers.ibkr import InteractiveBrokers
from brokers.ibkr.state import GatewayState
from brokers.registry import Registry
from portfolio.accounts.models import Holding, Instrument, InstrumentIdentifier
from portfolio.accounts.services.portfolios import create_account, create_portfolio
from portfolio.accounts.services.totals import touch
from portfolio.app import create_app, prepare_database
from portfolio.clock import Moment
from portfolio.connections.services import LinkRequest, Place, connect
from portfolio.db.base import db
from portfolio.db.session import end_reading, read_only, unit_of_work
from portfolio.serving import begin, end
from portfolio.settings import Settings
from portfolio.sync.models import SUCCEEDED
from portfolio.sync.queries import RunView, find_run
from portfolio.web.runtime import EXTENSION, Runtime

AT_ONCE = 10_000
CURRENCIES = ("USD", "EUR", "CHF", "GBP", "JPY")
KINDS = ("stock", "etf", "bond")


class Unpaced(InteractiveBrokers):
    """The adapter without limits: it never waits before a call."""

    manifest = replace(InteractiveBrokers.manifest, limits=())

    def connect(self, context: Context) -> Connection:
        """A connection whose gateway has no pace."""
        place = split_address(context.address)
        self._states.setdefault(place, GatewayState((), context.clock))
        return super().connect(context)


@contextmanager
def application(
    data: Path, gateway: str = "https://localhost:5001", *, paced: bool = True, **settings: str
) -> Iterator[Flask]:
    """The application in this process, ready as a server is, with its context.

    `settings` are those by their names.
    """
    given = {"DATA_DIR": str(data), "IBKR_GATEWAY_URL": gateway, "TIMEZONE": "UTC", "JOBS": "off"}
    named = {f"FOLIOSYNC_{name}": value for name, value in (given | settings).items()}
    brokers = Registry({"ibkr": InteractiveBrokers() if paced else Unpaced()}, {})
    app = create_app(Settings.load(named), brokers=brokers)
    prepare_database(app)
    begin(app)
    try:
        with app.app_context():
            yield app
            db.engine.dispose()
    finally:
        end(app)


def new_account(app: Flask, name: str = "A") -> Place:
    """An account kept by hand in a portfolio of the same name."""
    runtime: Runtime = app.extensions[EXTENSION]
    now = runtime.clock.now()
    with unit_of_work() as session:
        owner = runtime.owner_of(session)
        made = create_portfolio(session, owner, name=name, base_currency="USD", now=now)
        values = {"name": name, "currency": "USD"}
        create_account(session, made, values, Moment.at(now, runtime.zone))
        return Place(owner_id=owner, portfolio_id=made.id, name=name)


def linked(app: Flask, account: str = LARGE) -> Place:
    """An account connected to an account of the gateway."""
    runtime: Runtime = app.extensions[EXTENSION]
    place = new_account(app)
    connect(place, LinkRequest(account_id=account), runtime.outside)
    return place


def sync(app: Flask, place: Place) -> RunView:
    """A whole sync by the real runner, to its end, which must be a good one."""
    runtime: Runtime = app.extensions[EXTENSION]
    started = runtime.runner.start(place)
    if started.done is None:
        raise RuntimeError("another sync is under way")
    started.done.result()
    with unit_of_work() as session:
        run = find_run(session, place.owner_id, started.run_id)
    if run.status != SUCCEEDED:
        raise RuntimeError(f"the sync {run.status}: {run.error or run.reason}")
    return run


def spent(task: Callable[[], object]) -> float:
    """CPU seconds of a task in this process, and in those of the database server behind it."""
    began = process_time() + _of_database()
    task()
    return process_time() + _of_database() - began


def _of_database() -> float:
    """What the processes behind our connections have used: the pool keeps them alive."""
    if db.engine.dialect.name == "sqlite":
        return 0.0
    ours = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    with read_only() as session:
        pids = session.scalars(ours).all()
    used = 0.0
    for pid in pids:
        with suppress(FileNotFoundError):
            used += cpu_of(pid)
    return used


def visit(client: FlaskClient, path: str) -> bytes:
    """A page as a server answers it: with a session of its own, not with that of our context."""
    end_reading()
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return answer.get_data()


def fill(place: Place, count: int, source: str = "manual") -> None:
    """Give an account so many holdings, written straight into the database, and their totals."""
    now = datetime.now(UTC)
    with unit_of_work() as session:
        account = place.find(session)
        for first in range(1, count + 1, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, count + 1))
            _fill(session, [_values(number, source) for number in numbers], account.id, now, place)
        # As any change does: without them, each page would add all rows up.
        touch(session, account, Moment.at(now, ZoneInfo("UTC")))


def _fill(
    session: Session,
    rows: list[Mapping[str, Mapping[str, object]]],
    account_id: int,
    now: datetime,
    place: Place,
) -> None:
    instruments = [{**row["instrument"], "owner_id": place.owner_id} for row in rows]
    made = insert(Instrument).returning(Instrument.id, sort_by_parameter_order=True)
    ids = session.scalars(made, instruments).all()
    named = [
        {**row["identifier"], "owner_id": place.owner_id, "instrument_id": of}
        for row, of in zip(rows, ids, strict=True)
    ]
    session.execute(insert(InstrumentIdentifier), named)
    times = {"opened_at": now, "quoted_at": now}
    held = [
        {**row["holding"], **times, "account_id": account_id, "instrument_id": of}
        for row, of in zip(rows, ids, strict=True)
    ]
    session.execute(insert(Holding), held)


def _values(number: int, source: str) -> Mapping[str, Mapping[str, object]]:
    """One row of an account: all columns differ from those of its neighbours."""
    quantity = Decimal(number % 997 + 1)
    price = Decimal(number % 4999 + 100) / 100
    cost = price * Decimal("0.9")
    return {
        "instrument": {
            "source": source,
            "symbol": f"S{number:06}",
            "name": f"Security {number}",
            "kind": KINDS[number % len(KINDS)],
            "currency": CURRENCIES[number % len(CURRENCIES)],
            "multiplier": Decimal(1),
        },
        "identifier": {"scheme": "symbol", "value": f"S{number:06}", "is_key": False},
        "holding": {
            "source": source,
            "quantity": quantity,
            "average_price": cost,
            "price": price,
            "market_value": price * quantity,
            "unrealized_pnl": (price - cost) * quantity,
        },
    }
