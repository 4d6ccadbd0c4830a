"""Who may have Apprise asked now: each time is a process of its own, for a second or more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import BoundedSemaphore, Lock

from portfolio.errors import TooManyRequests

PAUSE = timedelta(seconds=2)
# At once in this process, of each sort; slow targets of tests keep nobody from adding one.
MOST = 2


class Turns:
    """The few turns of one process; who gets none is told so at once and holds no thread.

    Messages of the schedule need none: they are sent one after the other, and must arrive.
    """

    def __init__(self) -> None:
        self._adding = BoundedSemaphore(MOST)
        self._testing = BoundedSemaphore(MOST)
        self._lock = Lock()
        self._began: dict[int, datetime] = {}

    @contextmanager
    def adding(self, owner: int, now: datetime) -> Iterator[None]:
        """One new address is looked at; `TooManyRequests` within two seconds of the last one."""
        with self._lock:
            # Times of the future are left by a clock that was put back.
            recent = {who: at for who, at in self._began.items() if now - PAUSE < at <= now}
            self._began = recent
            if owner in recent:
                raise _later("An address was looked at a moment ago.", now)
            _take(self._adding, now)
            recent[owner] = now
        try:
            yield
        finally:
            self._adding.release()

    @contextmanager
    def testing(self, now: datetime) -> Iterator[None]:
        """One test message is sent; `TooManyRequests` where others are being sent."""
        _take(self._testing, now)
        try:
            yield
        finally:
            self._testing.release()


def _take(turns: BoundedSemaphore, now: datetime) -> None:
    if not turns.acquire(blocking=False):
        raise _later("Others are doing this now.", now)


def _later(message: str, now: datetime) -> TooManyRequests:
    return TooManyRequests(message, "Try again in a few seconds.", retry_at=now + PAUSE)
