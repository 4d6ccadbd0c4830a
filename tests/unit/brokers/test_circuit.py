from __future__ import annotations

from datetime import timedelta

from brokers.circuit import FIRST_PAUSE, LONGEST_PAUSE, Circuit
from brokers.testing.clock import FakeClock


def opened():
    clock = FakeClock()
    circuit = Circuit(clock)
    circuit.timed_out()
    assert circuit.closed_until(probe=False) is None
    circuit.timed_out()
    return clock, circuit


def test_two_time_outs_open_it_and_an_answer_closes_it():
    clock, circuit = opened()
    assert circuit.closed_until(probe=True) == clock.now() + FIRST_PAUSE
    clock.turn(FIRST_PAUSE.total_seconds())
    assert circuit.closed_until(probe=False) == clock.now()
    assert circuit.closed_until(probe=True) is None
    assert circuit.closed_until(probe=True) == clock.now() + FIRST_PAUSE
    circuit.succeeded()
    assert circuit.closed_until(probe=False) is None


def test_the_pauses_grow_and_end_somewhere():
    clock, circuit = opened()
    pauses = []
    for _ in range(8):
        until = circuit.closed_until(probe=True)
        pauses.append(until - clock.now())
        clock.turn((until - clock.now()).total_seconds())
        assert circuit.closed_until(probe=True) is None
        circuit.timed_out()
    assert pauses[:4] == [FIRST_PAUSE * n for n in (1, 2, 4, 8)]
    assert pauses[-1] == LONGEST_PAUSE
    assert all(isinstance(pause, timedelta) for pause in pauses)
