"""A backlog is read as fast as IBKR allows and no faster; by a turned clock, so all is exact."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from brokers.contract import Context
from brokers.errors import BrokerMaintenance
from brokers.ibkr import MANIFEST, InteractiveBrokers
from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.data import large
from brokers.testing.clock import FakeClock
from brokers.testing.network import WsgiNetwork

OURS = next(limit for limit in MANIFEST.limits if limit.endpoint == "*")
ENOUGH = 0.9 * OURS.calls / OURS.seconds
SECOND = timedelta(seconds=1)
ADDRESS = "https://localhost:5000"


class Backlog:
    """Large accounts behind one gateway that enforces IBKR's limits."""

    def __init__(self, *sizes, latency=0.08):
        self.clock = FakeClock()
        self.simulator = Simulator(self.clock)
        self.simulator.state.delay = latency
        accounts = [large(size, f"U900{number:04}") for number, size in enumerate(sizes)]
        self.simulator.state.accounts = {of.id: of for of in accounts}
        self.network = WsgiNetwork(self.simulator)
        self.process = InteractiveBrokers()

    def read(self, account_id, process=None, **more):
        connection = (process or self.process).connect(
            Context(
                clock=self.clock,
                network=self.network,
                address=ADDRESS,
                login_address=ADDRESS,
                **more,
            )
        )
        found = connection.snapshot(account_id)
        held = self.simulator.state.accounts[account_id].held
        assert len(found.positions) == len(held)
        return connection.last_calls

    def read_all(self):
        for account_id in self.simulator.state.accounts:
            self.read(account_id)

    @property
    def times(self):
        assert not [request for request in self.simulator.requests if request.status == 429]
        assert self.simulator.trips == []
        return [request.at for request in self.simulator.requests]

    @property
    def pace(self):
        times = self.times
        return len(times) / (times[-1] - times[0]).total_seconds()


def most_in_a_second(times):
    return max(
        sum(start <= at < start + SECOND - timedelta(microseconds=1) for at in times)
        for start in times
    )


@pytest.mark.parametrize("latency", [0, 0.02, 0.08, 0.12])
def test_accounts_of_a_thousand_positions_one_after_the_other_leave_no_second_unused(latency):
    backlog = Backlog(*[1_000] * 6, latency=latency)
    backlog.read_all()
    assert backlog.pace >= ENOUGH
    assert most_in_a_second(backlog.times) <= OURS.calls
    # What is known by now is read at once: a second each, because each tickle waits for one.
    before, began = len(backlog.times), backlog.clock.monotonic()
    backlog.read_all()
    assert len(backlog.times) - before <= 6 * 5 + 3
    assert backlog.clock.monotonic() - began <= 6 * (1 + latency) + 1


def test_ten_thousand_positions_leave_no_second_unused_and_a_second_process_loses_one():
    """What another process has sent is not known but for its last call: it waits for a second."""
    backlog = Backlog(10_000)
    (account_id,) = backlog.simulator.state.accounts
    last_calls = backlog.read(account_id)
    before, handed_over = len(backlog.times), backlog.clock.monotonic()
    assert before > 107
    assert backlog.pace >= ENOUGH
    backlog.read(account_id, InteractiveBrokers(), last_calls=last_calls)
    spent = backlog.clock.monotonic() - handed_over
    assert (len(backlog.times) - before) / spent >= ENOUGH


def test_uneven_answers_do_not_lead_above_the_limit():
    backlog, rng = Backlog(1_000, 700), Random(5)
    answer = backlog.network.app

    def uneven(environ, start_response):
        backlog.simulator.state.delay = rng.choice([0, 0.01, 0.05, 0.3])
        return answer(environ, start_response)

    backlog.network.app = uneven
    for _ in range(5):
        backlog.read_all()
    assert most_in_a_second(backlog.times) <= 10


def test_two_processes_that_take_turns_are_never_above_the_limits():
    """Each knows of the other what is stored between turns: when each call was made last."""
    backlog = Backlog(*[1_000] * 6, latency=0.01)
    processes = InteractiveBrokers(), InteractiveBrokers()
    last_calls = {}
    for turn, account_id in enumerate([*backlog.simulator.state.accounts] * 3):
        last_calls = backlog.read(account_id, processes[turn % 2], last_calls=last_calls)
    assert most_in_a_second(backlog.times) <= OURS.calls


def test_a_run_that_follows_at_once_does_with_the_tickle_that_ended_the_last_one():
    backlog = Backlog(5, 5, latency=0)
    backlog.read_all()
    tickles = [of for of in backlog.simulator.requests if of.path.endswith("/tickle")]
    # Two of the first run, which asks before and after, and one of the second.
    assert len(tickles) == 3
    backlog.clock.turn(1)
    backlog.read_all()
    tickles = [of for of in backlog.simulator.requests if of.path.endswith("/tickle")]
    assert len(tickles) == 3 + 3


def test_a_call_that_failed_since_ends_what_the_last_tickle_told():
    backlog = Backlog(5, latency=0)
    (account_id,) = backlog.simulator.state.accounts
    backlog.read(account_id)
    backlog.simulator.fail_next("/ledger", status=503)
    with pytest.raises(BrokerMaintenance):
        backlog.read(account_id)
    before = len(backlog.times)
    backlog.read(account_id)
    assert backlog.simulator.requests[before].path.endswith("/tickle")
