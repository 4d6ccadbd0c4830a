"""The list of periodic jobs, and the thin glue between what is due and what is done about it.

Due times are in the database: a short beat asks what is due, so that sleep, clock jumps, restarts
and other processes leave nothing to be planned anew.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any

from brokers.errors import BadAnswer, BrokerError
from portfolio.clock import Moment
from portfolio.connections import contacts, upkeep
from portfolio.connections.gateways import Outside, Route, reaching
from portfolio.connections.services import Place
from portfolio.connections.upkeep import Outcome, Planned
from portfolio.db.session import read_only, unit_of_work
from portfolio.errors import DomainError, StorageBusy
from portfolio.jobs.daily import DailyValues, OldRuns, ReferenceRates
from portfolio.jobs.engine import Engine, Task
from portfolio.jobs.told import Told
from portfolio.sync.services import bury

BEAT, SLOW_BEAT = 5, 60
BETWEEN_NEWS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the jobs work with; `start_run` begins a sync, `draw(n)` gives a number below n."""

    outside: Outside
    start_run: Callable[[Place], Any]
    defer: Callable[[Task], Future[None]]
    draw: Callable[[int], int]
    keepalive: timedelta = timedelta(seconds=60)
    interval: timedelta = timedelta(minutes=30)

    def varied(self, pause: timedelta) -> timedelta:
        """The pause, up to a tenth longer or shorter: many programs must not call in step."""
        tenth = int(pause.total_seconds()) // 10
        return pause + timedelta(seconds=self.draw(2 * tenth + 1) - tenth)


class Upkeep:
    """Keeps sessions alive and syncs what is due; used by one thread at a time."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._told = Told()
        self._calls: dict[int, Future[None]] = {}
        self._runs: dict[int, tuple[Planned, Future[None]]] = {}

    def contact_gateways(self) -> None:
        """Ask each gateway whose time has come, side by side."""
        outside, pause = self._means.outside, self._means.keepalive
        now = outside.clock.now()
        with read_only() as session:
            found = contacts.watched(session, outside.brokers)
        for each in found:
            due = upkeep.contact_is_due(each.standing, now, pause, each.linked_at)
            if each.keeps_alive and due and not self._is_busy(each.route.id):
                task = partial(self._contact, each.route)
                self._calls[each.route.id] = self._means.defer(task)

    def _contact(self, route: Route) -> None:
        """One call that keeps a session alive, and a note of how it ended."""
        name = f"keep-alive of gateway {route.id}"
        try:
            outcome = self._called(route)
            now, pause = self._means.outside.clock.now(), self._means.varied(self._means.keepalive)
            with unit_of_work() as session:
                contacts.record_contact(session, route, outcome, now, pause)
        except StorageBusy:
            # Somebody else talks to the gateway now, which keeps the session alive as well.
            return
        except Exception as error:  # noqa: BLE001
            # In the pool nobody would hear of it.
            self._told.broken(name, error)
        else:
            self._told.healed(name)

    def _called(self, route: Route) -> Outcome:
        try:
            with reaching(route, pin=True, outside=self._means.outside) as broker:
                broker.keep_alive()
                return Outcome.of_call(None, broker.session)
        except BrokerError as error:
            return Outcome.of_call(error)
        except DomainError:
            raise
        except Exception as error:  # noqa: BLE001
            # A plug-in may raise anything; its gateway must not be asked at each beat for that.
            self._told.broken(f"adapter {route.broker}", error)
            return Outcome(code=BadAnswer.code, message="The adapter failed unexpectedly.")

    def sync_accounts(self) -> None:
        """Begin the syncs that are due, one after the other for each gateway."""
        self._end_runs()
        if not self._means.interval:
            return
        now, interval = self._means.outside.clock.now(), self._means.interval
        for due in upkeep.turns(self._free(now), now, interval).values():
            # One at a time: the next of these has its turn once this one is over.
            next(filter(self._begin_run, due), None)

    def _free(self, now: datetime) -> list[Planned]:
        """The connections that nothing stands in the way of; plans are brought up to date."""
        with read_only() as session:
            found = contacts.watched(session, self._means.outside.brokers)
            listed = contacts.planned(session)
        through = {of.route.id: of for of in found if not self._is_busy(of.route.id)}
        mended = {of.connection_id: self._mended(of, now) for of in listed}
        contacts.plan_runs({of: at for of, at in mended.items() if at is not None})
        return [
            of
            for of in listed
            if (gateway := through.get(of.gateway_id)) is not None
            and upkeep.may_run(of, gateway.standing, now, keeps_alive=gateway.keeps_alive)
        ]

    def _mended(self, planned: Planned, now: datetime) -> datetime | None:
        """The time of the next run where it is not the stored one: pages show it."""
        at = upkeep.next_run(planned, now, self._means.interval)
        return at if at != planned.next_run_at else None

    def _begin_run(self, planned: Planned) -> bool:
        """Begin a sync; False where none has begun, so that others are not held up."""
        name = f"sync of connection {planned.connection_id}"
        where = Place(
            owner_id=planned.owner_id,
            portfolio_id=planned.portfolio_id,
            name=f"~{planned.account_id}",
        )
        try:
            started = self._means.start_run(where)
        except Exception as error:  # noqa: BLE001
            self._told.broken(name, error)
            return False
        self._told.healed(name)
        if started is None:
            return False
        # A run of somebody else is waited for; if it succeeds, it counts as the planned one.
        if started.done is not None:
            self._runs[planned.gateway_id] = planned, started.done
        return True

    def _end_runs(self) -> None:
        """Plan what comes after the runs that are over, whatever became of them."""
        over = {of: run for of, (run, done) in self._runs.items() if done.done()}
        now, interval = self._means.outside.clock.now(), self._means.interval
        contacts.plan_runs(
            {run.connection_id: now + self._means.varied(interval) for run in over.values()}
        )
        for gateway_id in over:
            del self._runs[gateway_id]

    def _is_busy(self, gateway_id: int) -> bool:
        call, run = self._calls.get(gateway_id), self._runs.get(gateway_id)
        return (call is not None and not call.done()) or (run is not None and not run[1].done())


def end_dead_runs(outside: Outside) -> None:
    """Mark runs whose process ended without a word, so that nobody waits for them."""
    with unit_of_work() as session:
        bury(session, outside.clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """What the jobs of each day work with."""

    today: Callable[[], Moment]
    zone: tzinfo
    fetch_rates: Callable[[], bytes]
    reference_rates: bool = False


def schedule(engine: Engine, means: Means, daily: Daily, tell: Task) -> None:
    """Give the engine all that is to be done again and again; `tell` sends what is new."""
    care = Upkeep(means)
    engine.every("contact gateways", BEAT, care.contact_gateways)
    engine.every("sync accounts", BEAT, care.sync_accounts)
    engine.every("end dead runs", BEAT, partial(end_dead_runs, means.outside))
    engine.every("tell what is new", BETWEEN_NEWS, tell)
    engine.every("daily values", SLOW_BEAT, DailyValues(daily.today), jitter=BEAT)
    engine.every("old runs", SLOW_BEAT, OldRuns(daily.today, daily.zone), jitter=BEAT)
    if daily.reference_rates:
        rates = ReferenceRates(daily.fetch_rates, daily.today)
        engine.every("reference rates", SLOW_BEAT, rates, jitter=BEAT)
