"""What could not be stored when it happened, and is stored before anything new begins."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from portfolio.errors import StorageBusy, StorageFailed

# What ends by itself: a disk gets room again, a server comes back.
Task = Callable[[], None]
FAILURES = (StorageBusy, StorageFailed)


class Unsaid:
    """Remembers, in the order in which it happened, what is still to be stored.

    Each must be safe to be done late, or twice. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._left: list[Task] = []
        self._lock = Lock()

    def say(self, what: Task, how: Callable[[Task], None] = lambda task: task()) -> None:
        """Store something; where that fails it is left for later, and the failure is raised.

        `how` is how it is tried this time.
        """
        try:
            how(what)
        except FAILURES:
            with self._lock:
                self._left.append(what)
            raise

    def catch_up(self) -> None:
        """Store what was left; raises the failure of the first that still cannot be stored."""
        with self._lock:
            left, self._left = self._left, []
        try:
            while left:
                left[0]()
                del left[0]
        finally:
            with self._lock:
                self._left = left + self._left
