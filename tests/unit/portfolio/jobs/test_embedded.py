from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from flask import Flask, current_app

from portfolio.clock import SystemClock
from portfolio.errors import StorageBusy
from portfolio.jobs.embedded import EmbeddedEngine, Pause
from portfolio.jobs.told import Told

PATIENCE = 60
SHORT = timedelta(milliseconds=5)


class Lead:
    def __init__(self, *, ours=True):
        self.ours = ours
        self.looks = 0
        self.failure = None

    def hold(self):
        self.looks += 1
        if self.failure:
            raise self.failure
        return self.ours

    def release(self):
        self.ours = False


@pytest.fixture
def lead():
    return Lead()


@pytest.fixture
def make(lead):
    made = []

    def make():
        made.append(EmbeddedEngine(Flask("t"), lead, SystemClock(), second=SHORT))
        return made[-1]

    yield make
    for engine in made:
        engine.stop()


class Count:
    """A task that counts its turns and lets a test wait for them."""

    def __init__(self):
        self.turns = 0
        self.changed = threading.Condition()

    def __call__(self):
        assert current_app.name == "t"
        with self.changed:
            self.turns += 1
            self.changed.notify_all()

    def wait_for(self, turns):
        with self.changed:
            assert self.changed.wait_for(lambda: self.turns >= turns, PATIENCE)


def wait_until(condition):
    waiting = Event()
    for _ in range(PATIENCE * 100):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not happen in time")


def test_nothing_runs_before_the_start(make, lead):
    before = threading.active_count()
    engine, task = make(), Count()
    engine.every("task", 1, task)
    assert threading.active_count() == before
    assert (engine.state.running, engine.state.leader, lead.looks) == (False, False, 0)


def test_a_task_runs_again_and_again_and_a_second_start_changes_nothing(make):
    engine, task = make(), Count()
    engine.every("task", 1, task)
    engine.start()
    engine.start()
    task.wait_for(2)
    assert (engine.state.running, engine.state.leader) == (True, True)
    engine.stop()
    turns = task.turns
    assert (engine.state.running, engine.state.leader) == (False, False)
    assert task.turns == turns


def test_who_does_not_lead_does_nothing_and_who_loses_the_lead_stops(make, lead):
    lead.ours = False
    engine, task = make(), Count()
    engine.every("task", 1, task)
    engine.start()
    wait_until(lambda: lead.looks > 3)
    assert task.turns == 0
    lead.ours = True
    task.wait_for(1)
    lead.ours = False
    wait_until(lambda: not engine.state.leader)
    seen = lead.looks
    wait_until(lambda: lead.looks > seen + 3)
    stood = task.turns
    wait_until(lambda: lead.looks > seen + 10)
    assert task.turns <= stood + 1
    lead.ours = True
    task.wait_for(task.turns + 1)


def test_who_cannot_tell_whether_it_leads_does_not(make, lead):
    engine = make()
    engine.start()
    wait_until(lambda: engine.state.leader)
    lead.failure = RuntimeError("no answer")
    wait_until(lambda: not engine.state.leader)
    assert engine.state.running
    lead.failure = None
    wait_until(lambda: engine.state.leader)


def test_an_error_in_a_task_does_not_stop_the_next_and_is_said_once(make, caplog):
    engine, good, turns = make(), Count(), []

    def bad():
        turns.append(1)
        if len(turns) < 4:
            raise ValueError("it broke")

    caplog.set_level(logging.WARNING, "portfolio")
    engine.every("bad", 1, bad)
    engine.every("good", 1, good)
    engine.start()
    wait_until(lambda: len(turns) > 5)
    good.wait_for(3)
    engine.stop()
    ours = [record for record in caplog.records if record.name.startswith("portfolio")]
    said = [record.getMessage() for record in ours]
    assert said == ["bad: broken; it is tried again", "bad: healed"]


def test_a_clock_put_back_by_a_year_holds_nothing_up(make):
    engine, task = make(), Count()
    engine.every("task", 1, task)
    engine.start()
    wait_until(lambda: engine.state.leader)
    (job,) = engine._scheduler.get_jobs()
    # As if the plan had been made before the clock was put back.
    job.modify(next_run_time=datetime.now(UTC) + timedelta(days=365))
    task.wait_for(task.turns + 1)


def test_a_clock_put_forward_leaves_nothing_to_make_up():
    pause, now = Pause(timedelta(seconds=5), timedelta()), datetime.now(UTC)
    long_ago = now - timedelta(days=20_000)
    assert pause.get_next_fire_time(long_ago, now) == now + timedelta(seconds=5)
    varied = {
        Pause(timedelta(seconds=5), timedelta(seconds=3)).get_next_fire_time(None, now) - now
        for _ in range(100)
    }
    assert all(timedelta(seconds=5) <= of <= timedelta(seconds=8) for of in varied)
    assert len(varied) > 1


def test_a_deferred_task_keeps_its_failure(make):
    engine = make()

    def fail():
        raise ValueError("it broke")

    assert engine.defer(lambda: current_app.name).result(PATIENCE) is None
    with pytest.raises(ValueError, match="it broke"):
        engine.defer(fail).result(PATIENCE)


def test_what_is_expected_is_said_by_its_code_only(caplog):
    caplog.set_level(logging.WARNING, "portfolio")
    told = Told()
    for _ in range(3):
        told.broken("storage", StorageBusy("Somebody's account is busy."))
    told.healed("storage")
    told.healed("storage")
    assert [record.getMessage() for record in caplog.records] == [
        "storage: broken (storage_busy); it is tried again",
        "storage: healed",
    ]
