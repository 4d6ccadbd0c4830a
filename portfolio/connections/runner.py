"""Runs a sync from the button or the API to its end, one at a time per account."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from zoneinfo import ZoneInfo

from brokers.errors import BrokerError
from portfolio.connections.gateways import Outside, Route, as_error, reaching, route_of
from portfolio.connections.services import Place, connection_of
from portfolio.db.session import unit_of_work
from portfolio.errors import DomainError, NotConnected
from portfolio.sync import services as sync
from portfolio.sync.apply import Source, stored_state
from portfolio.sync.plan import Stored

log = logging.getLogger(__name__)

# More than these would starve the pages of threads; the others get the run to look at later.
MOST_WAITING = 8
LONGEST_WAIT = 60

Defer = Callable[[Callable[[], None]], "Future[None]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a run needs to know, as plain data."""

    run_id: str
    route: Route
    source: Source
    stored: Stored
    emptied_before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run, and the end of it where this request began it."""

    run_id: str
    done: Future[None] | None


class Runner:
    """Starts runs in the background and lets a few requests wait for their end."""

    def __init__(
        self, outside: Outside, defer: Defer, zone: ZoneInfo, new_id: Callable[[], str]
    ) -> None:
        self._outside = outside
        self._defer = defer
        self._zone = zone
        self._new_id = new_id
        self._seats = BoundedSemaphore(MOST_WAITING)

    def start(self, place: Place) -> Started:
        """Begin a run, or name the one that is under way; `NotConnected` for a manual account."""
        with unit_of_work() as session:
            account = place.find(session)
            connection = connection_of(session, account)
            if connection is None:
                raise NotConnected(account.name)
            run, is_new = sync.begin(
                session, account.id, connection.id, self._outside.clock.now(), self._new_id()
            )
            if not is_new:
                return Started(run_id=run.id, done=None)
            source = Source(
                manifest=self._outside.broker(connection.broker).manifest,
                broker_account=connection.broker_account,
            )
            job = Job(
                run_id=run.id,
                route=route_of(connection.gateway),
                source=source,
                stored=stored_state(session, account, source),
                emptied_before=sync.emptied_before(session, account.id),
            )
        return Started(run_id=job.run_id, done=self._defer(lambda: self._run(job)))

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
            with reaching(job.route, pin=True, outside=self._outside) as broker:
                reading = sync.read(broker, job.source, job.stored, job.emptied_before)
            sync.store(job.run_id, reading, job.source, self._outside.clock.now(), self._zone)
        except BrokerError as error:
            self._fail(job, as_error(error), attention=error.needs_user)
        except sync.LeaseLost:
            self._interrupt(job)
        except DomainError as error:
            self._fail(job, _described(error.code, error.message, error.remedy), attention=False)
        except Exception:
            # The outermost guard of a thread: a silent end would leave the run "running".
            log.exception("sync run failed unexpectedly")
            self._fail(job, _described(*UNEXPECTED), attention=False)

    def _fail(self, job: Job, error: dict[str, object], *, attention: bool) -> None:
        now = self._outside.clock.now()
        sync.fail(job.run_id, error, now, attention=attention)

    def _interrupt(self, job: Job) -> None:
        with unit_of_work() as session:
            sync.interrupt(session, job.run_id, self._outside.clock.now())


UNEXPECTED = (
    "storage_failed",
    "The sync ended unexpectedly; your holdings are unchanged.",
    "Try again; the log of the program says what happened.",
)


def _described(code: str, message: str, remedy: str | None) -> dict[str, object]:
    return {"code": code, "message": message, "remedy": remedy, "fields": {}, "retry_at": None}
