"""Background work in threads of this process: a small pool, and APScheduler for what repeats."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from secrets import randbelow
from threading import Event, Thread
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from flask import Flask

from brokers.contract import Clock
from portfolio.jobs.engine import EngineState, Task
from portfolio.jobs.leader import Leader
from portfolio.jobs.told import Told

log = logging.getLogger(__name__)

THREADS = 8
# Seconds between two looks at who leads: another process takes over within this time.
LOOK = 3
SECOND = timedelta(seconds=1)


class Pause(BaseTrigger):
    """So many seconds after now, whenever that is: after a sleep there is nothing to make up."""

    def __init__(self, pause: timedelta, jitter: timedelta) -> None:
        self._pause = pause
        self._jitter = jitter

    @property
    def longest(self) -> timedelta:
        """The longest time to the next run."""
        return self._pause + self._jitter

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next run, in the words of APScheduler."""
        return now + self._pause + self._jitter * randbelow(101) / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """A task that is run again and again."""

    name: str
    task: Task
    pause: Pause


class EmbeddedEngine:
    """Threads are made by `start` and the first task: building an application makes none.

    `second` is how long a second lasts; tests make it short.
    """

    def __init__(
        self, app: Flask, leader: Leader, clock: Clock, second: timedelta = SECOND
    ) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="foliosync")
        self._leader = leader
        self._clock = clock
        self._second = second
        self._told = Told()
        self._periodic: list[Periodic] = []
        self._scheduler: Any = None
        self._watch: Thread | None = None
        self._leads = False
        self._stopped = Event()

    def defer(self, task: Task) -> Future[None]:
        """Run a task soon, with the application at hand."""
        return self._pool.submit(self._within, task)

    def _within(self, task: Task) -> None:
        with self._app.app_context():
            task()

    def every(self, name: str, seconds: int, task: Task, jitter: int = 0) -> None:
        """Run a task so often once the engine is started, as long as this process leads."""
        pause = Pause(self._second * seconds, self._second * jitter)
        self._periodic.append(Periodic(name=name, task=task, pause=pause))

    def start(self) -> None:
        """Begin to ask for the lead, and to do the periodic work while we have it."""
        if self._watch is not None:
            return
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for each in self._periodic:
            run = partial(self._run, each)
            self._scheduler.add_job(run, each.pause, id=each.name, name=each.name)
        self._scheduler.start(paused=True)
        self._watch = Thread(target=self._watch_over, name="foliosync-leader", daemon=True)
        self._watch.start()

    def _run(self, each: Periodic) -> None:
        """One turn of a task; whatever happens in it, there is a next one."""
        if not self._leads:
            return
        try:
            with self._app.app_context():
                each.task()
        except Exception as error:  # noqa: BLE001
            self._told.broken(each.name, error)
        else:
            self._told.healed(each.name)

    def _watch_over(self) -> None:
        while not self._stopped.is_set():
            try:
                self._lead(leads=self._leader.hold())
            except Exception as error:  # noqa: BLE001
                # Who cannot tell whether it leads must not act as if it did.
                self._lead(leads=False)
                self._told.broken("the lead", error)
            else:
                self._told.healed("the lead")
            self._stopped.wait((self._second * LOOK).total_seconds())
        self._lead(leads=False)

    def _lead(self, *, leads: bool) -> None:
        if leads and not self._leads:
            log.info("periodic work runs in this process")
            self._leads = True
            self._scheduler.resume()
            # Whoever led before may have stopped some time ago.
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=self._clock.now())
        elif self._leads and not leads:
            log.info("periodic work does not run in this process any more")
            self._leads = False
            self._scheduler.pause()
        if leads:
            self._mend()

    def _mend(self) -> None:
        """Bring back what waits for a time that a clock put back has moved away."""
        now = self._clock.now()
        for job in self._scheduler.get_jobs():
            if job.next_run_time > now + job.trigger.longest * 2:
                job.modify(next_run_time=now)

    def stop(self) -> None:
        """Take no more tasks, let those under way end, and let another process lead."""
        self._stopped.set()
        if self._watch is not None and self._scheduler.running:
            self._watch.join()
            self._scheduler.shutdown(wait=True)
            self._leader.release()
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def state(self) -> EngineState:
        """Whether the threads live, and whether it is us who lead."""
        running = self._watch is not None and self._watch.is_alive()
        return EngineState(running=running, leader=running and self._leads)
