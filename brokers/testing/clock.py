"""A clock that stands still until somebody turns it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


class FakeClock:
    """Satisfies `brokers.contract.Clock`; sleeping turns it, and takes no time."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = Lock()

    def now(self) -> datetime:
        """The time of day, aware UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Turn the clock by that much."""
        self.turn(seconds)

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._elapsed += seconds
