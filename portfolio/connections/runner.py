"""Runs a sync from a button, the API or the schedule to its end, one at a time per account."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import BoundedSemaphore
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from brokers.errors import BrokerError
from brokers.types import Snapshot
from portfolio.accounts.models import Account
from portfolio.connections.contacts import is_planned, record_contact
from portfolio.connections.gateways import Outside, Route, as_error, reaching, route_of
from portfolio.connections.models import Connection
from portfolio.connections.services import Place, connection_of
from portfolio.connections.upkeep import Outcome
from portfolio.connections.watch import RunWatch
from portfolio.db.session import read_only, unit_of_work
from portfolio.db.unsaid import FAILURES
from portfolio.errors import DomainError, NotConnected, StorageLost
from portfolio.sync import services as sync
from portfolio.sync.lease import Held, LeaseLost
from portfolio.sync.models import BY_HAND, BY_SCHEDULE
from portfolio.sync.past import past_of
from portfolio.sync.plan import Source
from portfolio.sync.reading import Past, Reading, read
from portfolio.sync.target import Replaced

log = logging.getLogger(__name__)

# More than these would starve the pages of threads; the others get the run to look at later.
MOST_WAITING = 8
LONGEST_WAIT = 90
# Runs through one gateway follow each other; a long queue is not a failure.
QUEUE = timedelta(minutes=15)
# A database server that is started again is back within these seconds.
COMES_BACK = (1, 1, 2, 4)

Found = TypeVar("Found")
Defer = Callable[[Callable[[], None]], "Future[None]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a run needs to know, as plain data."""

    run_id: str
    connection_id: int
    held: Held
    route: Route
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run, and the end of it where this request began it."""

    run_id: str
    done: Future[None] | None


class Runner:
    """Starts runs in the background and lets a few requests wait for their end."""

    def __init__(self, outside: Outside, defer: Defer, zone: ZoneInfo) -> None:
        self._outside = outside
        self._defer = defer
        self._zone = zone
        self._seats = BoundedSemaphore(MOST_WAITING)

    def start(self, place: Place) -> Started:
        """Begin a run by hand, or name the one under way; `NotConnected` for a manual account.

        It ends the pause that an undo began.
        """
        started = self._start(place, BY_HAND)
        assert started is not None
        return started

    def start_planned(self, place: Place) -> Started | None:
        """Begin a run of the schedule, as `start` does; None where that has been stopped."""
        return self._start(place, BY_SCHEDULE)

    def _start(self, place: Place, origin: str) -> Started | None:
        self._outside.unsaid.catch_up()
        new_id = self._outside.new_id()
        try:
            begun = self._begin(place, origin, new_id)
        except StorageLost:
            # Perhaps it did begin; nobody would ever carry it out.
            self._end(new_id, _described(*UNBEGUN), attention=False)
            raise
        if begun is None:
            return None
        if isinstance(begun, str):
            return Started(run_id=begun, done=None)
        return Started(run_id=begun.run_id, done=self._defer(lambda: self._run(begun)))

    def _begin(self, place: Place, origin: str, new_id: str) -> Job | str | None:
        """What is to be done, or the run that is under way; None where the schedule stands."""
        with unit_of_work() as session:
            account = place.find(session)
            connection = connection_of(session, account)
            if connection is None:
                raise NotConnected(account.name)
            # An undo may have paused it since the list was read, while this waited to write.
            if origin == BY_SCHEDULE and not is_planned(session, connection.id):
                return None
            manifest = self._outside.broker(connection.broker).manifest
            if origin == BY_HAND:
                connection.paused_at = connection.paused_state_at = None
            begun = sync.begin(
                session,
                account.id,
                connection.id,
                now=self._outside.clock.now(),
                new_id=new_id,
                origin=origin,
            )
            if begun.held is None:
                return begun.run.id
            return Job(
                run_id=begun.run.id,
                connection_id=connection.id,
                held=begun.held,
                route=route_of(connection.gateway),
                source=Source(manifest=manifest, broker_account=connection.broker_account),
            )

    def wait(self, started: Started) -> bool:
        """Wait for the end; False where there is no seat, or it is somebody else's run."""
        if started.done is None or not self._seats.acquire(blocking=False):
            return False
        try:
            started.done.result(timeout=LONGEST_WAIT)
        except TimeoutError:
            return False
        finally:
            self._seats.release()
        return True

    def _run(self, job: Job) -> None:
        try:
            self._carry_out(job)
        except BrokerError as error:
            self._end(job.run_id, as_error(error), attention=error.needs_user)
            self._note(job, Outcome.of_run(error))
        except LeaseLost:
            self._interrupt(job)
        except DomainError as error:
            told = _described(error.code, error.message, error.remedy)
            self._end(job.run_id, told, attention=False)
        except Exception:
            # The outermost guard of a thread: a silent end would leave the run "running".
            log.exception("sync run failed unexpectedly")
            self._end(job.run_id, _described(*UNEXPECTED), attention=False)
        finally:
            # The run has ended, whatever becomes of this.
            with suppress(*FAILURES):
                self._outside.unsaid.say(partial(sync.give_back, job.held))

    def _carry_out(self, job: Job) -> None:
        clock = self._outside.clock
        watch = RunWatch(clock, job.run_id, job.held, QUEUE, self._outside.unsaid)
        with reaching(job.route, pin=True, outside=self._outside, watch=watch) as broker:
            # Before the broker is called: what was disconnected meanwhile is not read any more.
            replaced = _replaced(job)
            reading = read(broker, job.source, partial(_past, job), clock)
            session_of_broker = broker.session
        with_ = sync.Storing(
            source=job.source,
            now=clock.now(),
            zone=self._zone,
            leases=(job.held,),
            replaced=replaced,
            settle=partial(settle, connection_id=job.connection_id),
        )
        self._store(job.run_id, reading, with_)
        self._note(job, Outcome.of_run(None, session_of_broker))

    def _store(self, run_id: str, reading: Reading, with_: sync.Storing) -> None:
        try:
            sync.store(run_id, reading, with_)
        except StorageLost:
            # Lost during COMMIT it may be stored or not: look first, then decide.
            if not self._patiently(partial(sync.has_ended, run_id)):
                raise

    def _patiently(self, what: Callable[[], Found]) -> Found:
        """Do something with the database, which may come back within some seconds."""
        for pause in COMES_BACK:
            try:
                return what()
            except StorageLost:
                self._outside.clock.sleep(pause)
        return what()

    def _note(self, job: Job, outcome: Outcome) -> None:
        """What the run has told about the gateway holds for all its accounts."""
        # The next contact tells it again.
        with suppress(*FAILURES), unit_of_work() as session:
            record_contact(session, job.route, outcome, self._outside.clock.now())

    def _end(self, run_id: str, error: dict[str, object], *, attention: bool) -> None:
        """Say why a run failed; where that cannot be stored, before the next one begins."""
        now = self._outside.clock.now()
        fail = partial(sync.fail, run_id, error, now, attention=attention)
        try:
            self._outside.unsaid.say(fail, self._patiently)
        except FAILURES:
            log.warning("a sync run failed (%s), which could not be stored yet", error["code"])
            raise

    def _interrupt(self, job: Job) -> None:
        with unit_of_work() as session:
            sync.interrupt(session, job.run_id, self._outside.clock.now())


def _past(job: Job, found: Snapshot) -> Past:
    """What is known of the account that a run has read."""
    with read_only() as session:
        connection = _connection(session, job)
        account = session.scalars(select(Account).where(Account.id == connection.account_id)).one()
        learnt, of = connection.futures_profit_counts, (account, job.source)
        return past_of(session, *of, learnt, found.positions, connection_id=connection.id)


def _replaced(job: Job) -> Replaced:
    """What the user has chosen to be replaced; `LeaseLost` where the connection is gone."""
    with read_only() as session:
        return replaced_of(_connection(session, job))


def _connection(session: Session, job: Job) -> Connection:
    connection = session.get(Connection, job.connection_id)
    if connection is None:
        raise LeaseLost(job.run_id)
    return connection


def replaced_of(connection: Connection) -> Replaced:
    """The rows kept by hand that the first applied run closes."""
    return Replaced(
        holdings=tuple(connection.replaced_holdings),
        cash=tuple(connection.replaced_cash),
        only_alike=connection.manual_holdings == "replace_duplicates",
    )


def settle(session: Session, reading: Reading, *, connection_id: int) -> None:
    """What an applied run leaves on its connection."""
    connection = session.get(Connection, connection_id)
    if connection is None:
        raise LeaseLost(str(connection_id))
    connection.replaced_holdings, connection.replaced_cash = [], []
    connection.futures_profit_counts = reading.judgement.futures_profit_counts


UNBEGUN = (
    "storage_failed",
    "The connection to the database was lost; the sync did not begin.",
    "Try again.",
)
UNEXPECTED = (
    "storage_failed",
    "The sync ended unexpectedly; your holdings are unchanged.",
    "Try again; the log of the program says what happened.",
)


def _described(code: str, message: str, remedy: str | None) -> dict[str, object]:
    return {"code": code, "message": message, "remedy": remedy, "fields": {}, "retry_at": None}
