"""The interface of background work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

Task = Callable[[], None]


class Engine(Protocol):
    """Runs tasks outside the request that asked for them."""

    def defer(self, task: Task) -> Future[None]:
        """Run a task soon; the future tells when it is over."""

    def stop(self) -> None:
        """Take no more tasks and let those under way end."""
