"""The periodic work, beat by beat, with a clock that a test turns."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from brokers.ibkr.simulator.scenarios import SCENARIOS
from portfolio.accounts.models import Account, DailyValue, Rate
from portfolio.clock import Moment
from portfolio.connections.models import Connection, Gateway
from portfolio.connections.runner import Runner
from portfolio.db.session import read_only, unit_of_work
from portfolio.errors import RatesUnavailable, StorageBusy
from portfolio.jobs.daily import DailyValues, ReferenceRates, newest_publication
from portfolio.jobs.schedule import BEAT, Daily, Means, Upkeep, schedule
from portfolio.sync.lease import LASTS
from portfolio.sync.models import SyncRun
from tests.integration.conftest import MAIN, Desk

SECOND_ACCOUNT = "U7654321"
DAILY = (Path(__file__).parent.parent / "data" / "ecb" / "daily.xml").read_bytes()


def at_once(task):
    done = Future()
    try:
        task()
        done.set_result(None)
    except Exception as error:  # noqa: BLE001
        done.set_exception(error)
    return done


@dataclass
class Night:
    """A desk whose periodic work is done at each beat of a turned clock."""

    desk: Desk
    means: Means
    care: Upkeep = field(init=False)

    def __post_init__(self):
        self.care = Upkeep(self.means)

    def beat(self):
        with self.desk.app.app_context():
            self.care.contact_gateways()
            self.care.sync_accounts()

    def pass_time(self, minutes, seconds=0):
        # Long times pass in larger steps, as if the computer were busy.
        step = 3 * BEAT if minutes else BEAT
        for _ in range((minutes * 60 + seconds) // step):
            self.desk.turn(step)
            self.beat()

    def calls(self, fragment="/v1/"):
        return [of for of in self.desk.simulator.requests if fragment in of.path]

    @contextmanager
    def asked(self, fragment="/v1/"):
        before, found = len(self.calls(fragment)), []
        yield found
        found += self.calls(fragment)[before:]

    def all(self, table):
        with self.desk.app.app_context(), read_only() as session:
            return list(session.scalars(select(table).order_by(table.id)))

    def gateway(self):
        (found,) = self.all(Gateway)
        return found

    def codes(self):
        return [of.attention_code for of in self.all(Account)]

    def runs(self, status="succeeded"):
        return len([of for of in self.all(SyncRun) if of.status == status])


def night_of(desk, **changes):
    outside = desk.app.extensions["foliosync"].outside
    runner = Runner(outside, at_once, UTC)
    means = Means(
        outside=outside, start_run=runner.start_planned, defer=at_once, draw=lambda n: n // 2
    )
    return Night(desk, replace(means, **changes))


def linked(desk):
    """A desk with two connected accounts."""
    url = desk.account("A")
    desk.account("B")
    desk.turn()
    assert desk.connect(url).status_code == 201
    desk.turn()
    body = {"account_id": SECOND_ACCOUNT}
    other = url.replace("/A", "/B")
    assert desk.program.post(f"{other}/connect/ibkr", json=body).status_code == 201
    desk.turn()
    return night_of(desk)


@pytest.fixture
def night(desk):
    return linked(desk)


@pytest.fixture
def quiet(night):
    """Both accounts are synced, and nothing is due for some time."""
    night.beat()
    night.pass_time(1)
    assert night.runs() == 2
    return night


def test_building_an_application_starts_no_thread_and_it_says_so(desk):
    assert desk.program.get("/readyz").json == {
        "status": "ok",
        "database": "ok",
        "jobs": {"mode": "embedded", "running": False, "leader": False, "led": False},
    }
    ours = [of.name for of in threading.enumerate() if "foliosync" in of.name]
    assert ours == []


def test_a_session_is_kept_alive_once_a_minute_and_known(quiet):
    with quiet.asked() as calls:
        quiet.pass_time(10)
    assert [of.path for of in calls] == ["/v1/api/tickle"] * 10
    gateway = quiet.gateway()
    assert (gateway.state, gateway.failures, gateway.message) == ("ready", 0, None)
    assert gateway.session["user"] == "demo42"
    assert gateway.next_contact_at - gateway.contacted_at == timedelta(minutes=1)


def test_it_is_the_same_on_both_databases(anywhere):
    night = linked(anywhere)
    anywhere.program.post("/api/v1/portfolios/1/accounts", json={"name": "C", "currency": "USD"})
    night.pass_time(2)
    assert (night.runs(), night.gateway().state) == (2, "ready")
    anywhere.simulator.play("signed-out")
    night.pass_time(5)
    assert night.codes() == ["not_authenticated", "not_authenticated", None]
    anywhere.turn(24 * 3600)
    today = Moment.at(anywhere.clock.now(), UTC)
    with anywhere.app.app_context():
        DailyValues(lambda: today)()
        ReferenceRates(lambda: DAILY, lambda: today)()
    assert today.day in [of.day for of in night.all(DailyValue)]
    assert len(night.all(Rate)) > 4
    anywhere.simulator.sign_in()
    night.pass_time(31)
    assert night.codes() == [None, None, None]


def test_a_gateway_without_connections_is_left_alone(desk):
    night = night_of(desk)
    night.pass_time(5)
    assert night.calls() == []


def test_each_account_is_synced_every_half_hour_one_after_the_other(quiet):
    with quiet.asked("/positions/0") as reads:
        quiet.pass_time(91)
    assert len(reads) == 6
    assert min(b.at - a.at for a, b in pairwise(reads)) >= timedelta(seconds=BEAT)
    assert quiet.runs() == 8


def test_zero_is_off_and_so_are_paused_and_disabled_connections(night, desk):
    off = night_of(desk, interval=timedelta(0))
    off.pass_time(40)
    assert off.runs() == 0
    with desk.app.app_context(), unit_of_work() as session:
        first, second = session.scalars(select(Connection).order_by(Connection.id))
        first.sync_enabled, second.paused_at = False, desk.clock.now()
    night.pass_time(40)
    assert night.runs() == 0


def by_an_undo(desk, url, run_id):
    assert desk.program.post(f"/api/v1/runs/{run_id}/undo").status_code == 200
    return {"paused": False}


def by_the_switch(desk, url, run_id):
    off, on = {"sync_enabled": False}, {"sync_enabled": True}
    assert desk.program.patch("/api/v1/connections/1", json=off).status_code == 200
    return on


@pytest.mark.parametrize("stopped", [by_an_undo, by_the_switch])
def test_a_schedule_that_is_stopped_while_it_waits_to_write_begins_nothing(
    anywhere, stopped, caplog
):
    url, again = anywhere.connected(), []
    anywhere.simulator.sell(MAIN, "SPY")
    run_id = anywhere.sync(url).json["run"]["id"]
    night = night_of(anywhere)
    start = night.means.start_run

    def start_run(where):
        if not again:
            again.append(stopped(anywhere, url, run_id))
        return start(where)

    night.care = Upkeep(replace(night.means, start_run=start_run))
    before = len(night.all(SyncRun))
    night.pass_time(40)
    (go_on,) = again
    # An undo is a run of its own.
    assert len(night.all(SyncRun)) == before + (stopped is by_an_undo)
    assert [of.getMessage() for of in caplog.records if "sync of" in of.getMessage()] == []
    assert anywhere.program.patch("/api/v1/connections/1", json=go_on).status_code == 200
    with night.asked("/positions/0") as reads:
        night.pass_time(1)
    assert reads
    planned = [of.status for of in night.all(SyncRun) if of.origin == "schedule"]
    assert planned == ["succeeded"]


def test_a_sync_by_hand_counts_as_the_planned_one(night):
    night.desk.sync("/portfolio/1/accounts/A")
    with night.asked("/positions/0") as reads:
        night.pass_time(25)
    assert [of.path.split("/")[4] for of in reads] == [SECOND_ACCOUNT]
    with night.asked("/positions/0") as reads:
        night.pass_time(10)
    assert len(reads) == 2


def test_a_login_lost_at_night_hammers_nobody_and_is_said_on_each_account(quiet, caplog):
    caplog.set_level(logging.INFO, "portfolio")
    quiet.desk.simulator.play("signed-out")
    with quiet.asked() as calls:
        quiet.pass_time(4 * 60)
    # Often enough that a login is seen before it falls asleep.
    assert 45 < len(calls) < 55
    assert {of.path for of in calls} == {"/v1/api/tickle"}
    assert quiet.codes() == ["not_authenticated"] * 2
    gateway = quiet.gateway()
    assert (gateway.state, gateway.session) == ("not_authenticated", None)
    assert gateway.message.startswith("Not authenticated with IBKR")
    assert "browser" in gateway.remedy
    assert (quiet.runs(), quiet.runs("failed")) == (2, 0)

    quiet.desk.simulator.sign_in()
    quiet.pass_time(31)
    assert quiet.codes() == [None, None]
    assert quiet.runs() == 4
    said = [of.getMessage() for of in caplog.records]
    assert said == [
        "gateway 1 is broken: not_authenticated",
        "gateway 1 is healed: it was not_authenticated",
    ]
    assert MAIN not in caplog.text


def test_a_test_of_the_connection_makes_a_login_known_at_once(quiet):
    quiet.desk.simulator.play("signed-out")
    quiet.pass_time(3 * 60)
    assert quiet.desk.program.get("/ibkr/test-connection").json["connected"] is False
    with quiet.asked() as calls:
        quiet.pass_time(0, 10)
    assert calls == []
    quiet.desk.simulator.sign_in()
    assert quiet.desk.program.get("/ibkr/test-connection").json["connected"] is True
    assert quiet.codes() == ["not_authenticated"] * 2
    quiet.pass_time(0, 20)
    assert quiet.codes() == [None, None]
    assert quiet.runs() == 4


def test_a_penalty_is_silence(quiet):
    quiet.desk.simulator.play("rate-limited")
    quiet.pass_time(1)
    assert quiet.gateway().state == "rate_limited"
    with quiet.asked() as calls:
        quiet.pass_time(14)
    assert calls == []
    quiet.pass_time(2)
    assert quiet.gateway().state == "ready"
    assert quiet.runs() == 4
    assert quiet.codes() == [None, None]


def test_maintenance_is_waited_for(quiet):
    quiet.desk.simulator.play("maintenance")
    with quiet.asked() as calls:
        quiet.pass_time(3 * 60)
    assert len(calls) < 20
    assert quiet.gateway().state == "broker_maintenance"
    assert quiet.codes() == [None, None]
    quiet.desk.simulator.play("calm")
    quiet.pass_time(31)
    assert (quiet.gateway().state, quiet.runs(), quiet.runs("failed")) == ("ready", 4, 0)


def test_the_reset_at_midnight_is_waited_for_to_its_announced_end(quiet):
    # Midnight in New York is five o'clock.
    start = quiet.desk.clock.now()
    midnight = start.replace(hour=5, minute=0, second=0) + timedelta(days=1)
    quiet.desk.turn((midnight - start).total_seconds() - 120)
    quiet.pass_time(1)
    quiet.desk.simulator.state.ends_at = midnight
    quiet.pass_time(2)
    gateway = quiet.gateway()
    assert (gateway.state, gateway.next_contact_at) == (
        "not_authenticated",
        midnight + timedelta(minutes=15),
    )
    with quiet.asked() as calls:
        quiet.pass_time(13)
    assert calls == []


def test_a_short_outage_and_a_late_login_cost_no_session(quiet):
    state = quiet.desk.simulator.state
    state.idle_limit = 360
    state.transport = "refused"
    quiet.pass_time(3, 15)
    state.transport = None
    quiet.pass_time(3)
    assert state.signed_in
    quiet.desk.simulator.sign_out()
    quiet.pass_time(45)
    quiet.desk.simulator.sign_in()
    quiet.pass_time(20)
    assert state.signed_in
    assert quiet.gateway().state == "ready"


def test_a_sign_in_that_comes_and_goes_is_said_once(quiet, caplog):
    caplog.set_level(logging.INFO, "portfolio")
    for _ in range(10):
        quiet.desk.simulator.sign_out()
        quiet.pass_time(2)
        quiet.desk.simulator.sign_in()
        quiet.pass_time(6)
    assert len(caplog.records) == 2
    quiet.desk.simulator.sign_out()
    quiet.pass_time(30)
    assert [of.getMessage() for of in caplog.records][2:] == [
        "gateway 1 is broken: not_authenticated"
    ]


@pytest.mark.parametrize("name", ["gateway-down", "silence"])
def test_a_gateway_that_comes_back_is_caught_up_with(quiet, name):
    quiet.desk.simulator.play(name)
    quiet.pass_time(40)
    assert quiet.gateway().state == SCENARIOS[name].leads_to
    assert quiet.codes() == [None, None]
    quiet.desk.simulator.play("calm")
    quiet.pass_time(31)
    assert (quiet.gateway().state, quiet.runs(), quiet.runs("failed")) == ("ready", 4, 0)


def test_another_certificate_stops_everything_until_it_is_accepted(quiet):
    quiet.desk.simulator.play("certificate-changed")
    quiet.pass_time(40)
    assert quiet.codes() == ["certificate_changed"] * 2
    with quiet.asked() as calls:
        quiet.pass_time(40)
    assert calls == []
    shown = quiet.desk.network.shown.fingerprint
    answer = quiet.desk.program.post("/api/v1/gateways/1/certificate", json={"fingerprint": shown})
    assert answer.status_code == 200
    quiet.pass_time(0, 20)
    assert quiet.codes() == [None, None]
    assert quiet.runs() == 4


def test_a_missing_account_waits_for_a_person_and_the_other_goes_on(quiet):
    quiet.desk.simulator.play("another-user")
    quiet.pass_time(31)
    assert quiet.codes() == ["broker_account_missing", None]
    runs = quiet.runs("failed"), quiet.runs()
    quiet.pass_time(65)
    assert (quiet.runs("failed"), quiet.runs()) == (runs[0], runs[1] + 2)
    assert quiet.gateway().state == "ready"
    quiet.desk.simulator.play("calm")
    quiet.desk.simulator.sign_out()
    quiet.pass_time(5)
    quiet.desk.simulator.sign_in()
    quiet.pass_time(31)
    assert quiet.codes() == [None, None]


@pytest.mark.parametrize("name", ["empty-positions", "html-answer", "positions-not-released"])
def test_a_run_that_fails_is_tried_again_at_the_next_interval_only(quiet, name):
    quiet.desk.simulator.play(name)
    with quiet.asked("/ledger") as reads:
        quiet.pass_time(61)
    assert len({of.at.replace(second=0, microsecond=0) for of in reads}) <= 6
    assert quiet.runs("failed") + quiet.runs("rejected") == 4
    quiet.desk.simulator.play("calm")
    quiet.pass_time(31)
    assert quiet.codes() == [None, None]
    assert quiet.runs() == 4


@pytest.mark.parametrize("hours", [-5, 5, 24 * 365])
def test_a_clock_jump_neither_floods_nor_stalls(quiet, hours):
    quiet.desk.clock._start += timedelta(hours=hours)
    with quiet.asked() as calls:
        quiet.pass_time(1)
    assert 1 <= len(calls) < 60
    with quiet.asked() as calls:
        quiet.pass_time(31)
    assert 25 <= len([of for of in calls if of.path.endswith("/tickle")]) < 50
    assert 4 <= quiet.runs() <= 6
    assert quiet.gateway().state == "ready"


def test_another_process_takes_over_where_the_first_one_stopped(quiet):
    quiet.pass_time(10)
    successor = night_of(quiet.desk)
    with quiet.asked() as calls:
        successor.beat()
    assert calls == []
    successor.pass_time(20)
    assert successor.runs() == 4


def test_a_gateway_at_another_address_is_a_new_one(quiet):
    quiet.desk.simulator.play("signed-out")
    quiet.pass_time(5)
    change = {"url": "https://localhost:5001"}
    assert quiet.desk.program.patch("/api/v1/gateways/1", json=change).status_code == 200
    assert quiet.gateway().state == "unknown"
    quiet.desk.simulator.play("calm")
    quiet.pass_time(1, 15)
    assert quiet.gateway().state == "ready"
    assert quiet.codes() == [None, None]


def test_an_error_of_one_does_not_stop_the_other(quiet, caplog):
    start, failing = quiet.means.start_run, True

    def start_run(where):
        if failing and where.name == "~1":
            raise StorageBusy("Another process is writing.")
        return start(where)

    quiet.care = Upkeep(replace(quiet.means, start_run=start_run))
    caplog.set_level(logging.INFO, "portfolio")
    quiet.pass_time(35)
    assert quiet.runs() == 3
    failing = False
    quiet.pass_time(1)
    assert quiet.runs() == 4
    assert [of.getMessage() for of in caplog.records] == [
        "sync of connection 1: broken (storage_busy); it is tried again",
        "sync of connection 1: healed",
    ]


def test_an_adapter_that_fails_in_its_own_way_is_not_asked_at_each_beat(
    quiet, monkeypatch, caplog
):
    from brokers.ibkr.adapter import GatewayConnection

    asked = []

    def keep_alive(self):
        asked.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(GatewayConnection, "keep_alive", keep_alive)
    quiet.pass_time(20)
    assert len(asked) < 12
    assert quiet.gateway().state == "bad_answer"
    assert len(caplog.records) == 2
    monkeypatch.undo()
    quiet.pass_time(20)
    assert quiet.gateway().state == "ready"


def test_a_run_of_somebody_else_is_waited_for(quiet):
    (other,) = [of for of in quiet.all(Account) if of.name == "A"]
    quiet.pass_time(28)
    now = quiet.desk.clock.now()
    with quiet.desk.app.app_context(), unit_of_work() as session:
        session.add(
            SyncRun(
                id="other",
                account_id=other.id,
                connection_id=1,
                status="running",
                started_at=now,
                lease_until=now,
                reconciliation={},
            )
        )
    for _ in range(12):
        # It lives as long as its process renews the lease.
        with quiet.desk.app.app_context(), unit_of_work() as session:
            session.get_one(SyncRun, "other").lease_until = quiet.desk.clock.now() + LASTS
        quiet.pass_time(0, 15)
    # It may be busy at the same gateway; once it is dead it is taken over.
    assert (quiet.runs(), quiet.runs("running")) == (2, 1)
    quiet.pass_time(2)
    assert (quiet.runs(), quiet.runs("interrupted")) == (4, 1)


def test_values_by_hand_are_stored_each_day_once(desk):
    url = desk.account()
    cash = f"/api/v1{url.replace('/portfolio', '/portfolios')}/cash"
    assert desk.program.post(cash, json={"currency": "USD", "amount": "5"}).status_code == 201
    zone = UTC
    values = DailyValues(lambda: Moment.at(desk.clock.now(), zone))
    night = night_of(desk)

    def stored():
        with desk.app.app_context():
            values()
        return [(of.day.isoformat(), str(of.net_liquidation)) for of in night.all(DailyValue)]

    assert stored() == [("2026-11-20", "5")]
    desk.turn(10 * 3600)
    assert stored() == stored() == [("2026-11-20", "5"), ("2026-11-21", "5")]


def test_a_value_that_fails_does_not_stop_the_others(desk, monkeypatch):
    desk.account("A")
    desk.account("B")
    from portfolio.jobs import daily

    store = daily.store

    def failing(session, account, *more):
        if account.name == "A":
            raise ValueError("it broke")
        return store(session, account, *more)

    monkeypatch.setattr(daily, "store", failing)
    desk.turn(24 * 3600)
    with desk.app.app_context(), pytest.raises(ValueError, match="it broke"):
        DailyValues(lambda: Moment.at(desk.clock.now(), UTC))()
    days = {of.account_id: of.day.day for of in night_of(desk).all(DailyValue)}
    assert days[2] == 21


def test_reference_rates_are_fetched_once_and_a_failure_is_retried_after_an_hour(desk, caplog):
    sent, asked = {"body": None}, []

    def fetch():
        asked.append(desk.clock.now())
        if sent["body"] is None:
            raise RatesUnavailable("The European Central Bank could not be reached.")
        return sent["body"]

    rates = ReferenceRates(fetch, lambda: Moment.at(desk.clock.now(), UTC))

    def pass_hours(hours):
        before = len(asked)
        for _ in range(hours * 4):
            desk.turn(900)
            with desk.app.app_context():
                rates()
        return len(asked) - before

    assert pass_hours(5) == 5
    sent["body"] = DAILY
    assert pass_hours(5) == 1
    assert {of.source for of in night_of(desk).all(Rate)} == {"ecb"}
    # A weekend brings no rates, Monday afternoon does.
    assert pass_hours(48) == 0
    assert pass_hours(24) == 1
    assert [of.getMessage() for of in caplog.records] == [
        "reference rates: broken (rates_unavailable); it is tried again",
        "reference rates: healed",
    ]


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-25T15:00", 24),
        ("2026-11-25T15:20", 25),
        ("2026-11-28T20:00", 27),
        ("2026-11-29T20:00", 27),
        ("2026-11-30T10:00", 27),
        ("2026-11-30T16:00", 30),
    ],
)
def test_rates_are_published_on_working_days(now, day):
    assert newest_publication(datetime.fromisoformat(now).replace(tzinfo=UTC)).day == day


class Listed:
    def __init__(self):
        self.names = []

    def every(self, name, seconds, task, jitter=0):
        self.names.append(name)


@pytest.mark.parametrize("wanted", [False, True])
def test_reference_rates_are_off_unless_they_are_wanted(desk, wanted):
    engine = Listed()
    daily = Daily(today=lambda: None, zone=UTC, fetch_rates=lambda: b"", reference_rates=wanted)
    schedule(engine, night_of(desk).means, daily, lambda: None)
    assert ("reference rates" in engine.names) is wanted
    assert len(engine.names) == 6 + wanted
