"""What a process remembers of the database, in a bounded room.

A key must name the state that the answer belongs to, so that it never means another one later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """The answers that were used last, as many as there is room for."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._used = 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def recall(self, key: Hashable) -> Value | None:
        """The answer that was kept under a key, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def keep(self, key: Hashable, value: Value, size: int = 1) -> None:
        """Keep an answer that takes so much of the room; what was not used for longest goes."""
        with self._lock:
            self._forget(key)
            if size > self._room:
                return
            self._kept[key] = value, size
            self._used += size
            while self._used > self._room:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: Hashable) -> None:
        _, size = self._kept.pop(key, (None, 0))
        self._used -= size
