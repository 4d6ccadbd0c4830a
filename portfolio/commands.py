"""The commands `worker` and `sync`: background work without a web server, and a sync by hand."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from types import FrameType

from flask import Flask
from sqlalchemy import select

from portfolio.accounts.models import Account, Portfolio
from portfolio.connections.models import Connection
from portfolio.connections.services import Place
from portfolio.db.session import read_only
from portfolio.errors import DomainError, SetupProblem
from portfolio.settings import Settings
from portfolio.sync.models import FAILED, REJECTED, RUNNING, SUCCEEDED
from portfolio.sync.queries import RunView, find_run
from portfolio.users.people import not_disabled
from portfolio.web.runtime import EXTENSION, Runtime

# A run that another process has begun is over after its deadline, or taken over.
LOOKS, BETWEEN = 180, 1


def check_worker(settings: Settings) -> None:
    """Refuse to be the worker where another process does the work, or none should."""
    if settings.jobs != "worker":
        raise SetupProblem(
            f"FOLIOSYNC_JOBS is {settings.jobs}: set it to worker, here and for the web process."
        )


def work(app: Flask) -> None:
    """Do the background work until a signal says to stop."""
    runtime: Runtime = app.extensions[EXTENSION]
    stopped = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        runtime.start()
        # Some systems deliver signals only to a thread that wakes now and then.
        while not stopped.wait(1):
            pass
    finally:
        runtime.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A connected account as people call it, and where it is."""

    portfolio: str
    account: str
    place: Place

    @property
    def name(self) -> str:
        """Its name, which other people may have given as well."""
        return f"{self.portfolio}/{self.account}"


def sync(app: Flask, wanted: str | None) -> Iterator[tuple[str, bool]]:
    """Sync the connected accounts, or the one that is named; a line on each, and if it is well.

    `SetupProblem` where the name is none, or that of several.
    """
    runtime: Runtime = app.extensions[EXTENSION]
    with app.app_context():
        targets = _chosen(_connected(), wanted)
        if not targets:
            yield "No account is connected.", True
        try:
            for target in targets:
                yield _synced(runtime, target)
        finally:
            runtime.stop()


def _connected() -> list[Target]:
    """The connected accounts of everybody who is not disabled."""
    query = (
        select(Portfolio, Account)
        .join(Account, Account.portfolio_id == Portfolio.id)
        .join(Connection, Connection.account_id == Account.id)
        .where(not_disabled(Portfolio.owner_id))
        .order_by(Portfolio.name, Account.name)
    )
    with read_only() as session:
        return [
            Target(
                portfolio=portfolio.name,
                account=account.name,
                place=Place(
                    owner_id=portfolio.owner_id, portfolio_id=portfolio.id, name=f"~{account.id}"
                ),
            )
            for portfolio, account in session.execute(query)
        ]


def _chosen(targets: list[Target], wanted: str | None) -> list[Target]:
    if wanted is None:
        return targets
    # A name may contain the separator: the whole name comes first.
    found = [of for of in targets if of.name == wanted]
    found = found or [of for of in targets if of.account == wanted]
    if not found:
        raise SetupProblem(f"There is no connected account “{wanted}”.")
    if len(found) > 1 and len({of.name for of in found}) == 1:
        # Of several people, mostly; each of them has names of their own.
        raise SetupProblem(
            f"“{found[0].name}” is the name of several accounts: press Sync on the page of the "
            "one that is meant, or sync all accounts."
        )
    if len(found) > 1:
        raise SetupProblem(f"“{wanted}” is one of several: name it as “{found[0].name}”.")
    return found


def _synced(runtime: Runtime, target: Target) -> tuple[str, bool]:
    """Sync one account to the end of the run, whoever began it."""
    try:
        started = runtime.runner.start(target.place)
        if started.done is not None:
            started.done.result()
        run = _ended(runtime, target, started.run_id)
    except DomainError as error:
        return f"{target.name}: failed: {error.message}", False
    return f"{target.name}: {_said(run)}", run.status == SUCCEEDED


def _ended(runtime: Runtime, target: Target, run_id: str) -> RunView:
    for _ in range(LOOKS):
        with read_only() as session:
            run = find_run(session, target.place.owner_id, run_id)
        if run.status != RUNNING:
            break
        runtime.clock.sleep(BETWEEN)
    return run


def _said(run: RunView) -> str:
    if run.status == SUCCEEDED:
        return run.counted
    if run.status == REJECTED:
        return f"not applied: {run.saw}"
    error = run.error or {}
    if run.status == FAILED and error:
        return f"failed: {' '.join(filter(None, (error['message'], error['remedy'])))}"
    return run.status
