"""Stops asking a gateway that does not answer, and tries again with one call after a pause."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from brokers.contract import Clock

# A hung call may hold one of the few places a gateway has: a second one is enough to know.
FAILURES = 2
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=5)


class Circuit:
    """One per gateway; opens after two time-outs in a row, closes with the first answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._open_until: datetime | None = None

    def closed_until(self, *, probe: bool) -> datetime | None:
        """Until when a call must wait, or None; only a probe is let through after the pause."""
        with self._lock:
            until = self._open_until
            if until is None:
                return None
            now = self._clock.now()
            if now < until or not probe:
                return max(until, now)
            # One probe at a time: the next one waits for another pause.
            self._open_until = now + self._pause()
            return None

    def succeeded(self) -> None:
        """An answer came, whatever it said."""
        with self._lock:
            self._failures, self._open_until = 0, None

    def timed_out(self) -> None:
        """No answer came in time."""
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES:
                self._open_until = self._clock.now() + self._pause()

    def _pause(self) -> timedelta:
        doublings = min(max(self._failures - FAILURES, 0), 10)
        return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)
