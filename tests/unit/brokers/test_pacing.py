from __future__ import annotations

from datetime import timedelta

import pytest

from brokers.contract import Limit
from brokers.errors import RateLimited
from brokers.pacing import Pacer
from brokers.testing.clock import FakeClock


def test_calls_wait_so_that_no_window_holds_more_than_the_limit():
    clock = FakeClock()
    pacer = Pacer([Limit(endpoint="*", calls=2, seconds=1)], clock)
    times = []
    for _ in range(6):
        pacer.wait("/a")
        times.append(clock.monotonic())
    assert times == [0, 0, 1, 1, 2, 2]


def test_an_endpoint_has_a_limit_of_its_own():
    clock = FakeClock()
    pacer = Pacer([Limit(endpoint="/slow", calls=1, seconds=5)], clock)
    pacer.wait("/slow")
    pacer.wait("/fast")
    assert clock.monotonic() == 0
    assert pacer.delay("/slow") == 5
    pacer.wait("/slow")
    assert clock.monotonic() == 5


def test_a_closed_gateway_is_silent_until_its_time_and_then_open():
    clock = FakeClock()
    pacer = Pacer([], clock)
    end = clock.now() + timedelta(minutes=15)
    pacer.close_until(end)
    pacer.close_until(end - timedelta(minutes=5))
    with pytest.raises(RateLimited) as caught:
        pacer.wait("/a")
    assert caught.value.retry_at == end
    clock.turn(15 * 60)
    pacer.wait("/a")


def test_the_pace_of_another_process_counts_as_our_own():
    clock = FakeClock()
    limits = [Limit(endpoint="*", calls=2, seconds=1), Limit(endpoint="/slow", calls=1, seconds=5)]
    other, ours = Pacer(limits, clock), Pacer(limits, clock)
    other.wait("/slow")
    clock.turn(0.25)
    ours.recall(other.last_calls())
    assert ours.delay("/slow") == 4.75
    assert ours.delay("/fast") == 0.75
    clock.turn(1)
    ours.wait("/fast")
    # What is known already, and what lies in the future, changes nothing.
    ours.recall(ours.last_calls() | {"/slow": clock.now() + timedelta(days=1)})
    assert ours.delay("/fast") == 0
    assert ours.delay("/slow") == 3.75


def test_a_rare_call_that_was_long_on_its_way_is_counted_from_its_answer():
    clock = FakeClock()
    pacer = Pacer([Limit(endpoint="/rare", calls=1, seconds=5)], clock)
    pacer.wait("/rare")
    clock.turn(4)
    pacer.answered("/rare")
    assert pacer.delay("/rare") == 5
    clock.turn(5)
    assert pacer.delay("/rare") == 0
    pacer.answered("/unknown")
