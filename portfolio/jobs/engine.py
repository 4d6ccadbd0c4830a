"""The interface of background work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

Task = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """Whether periodic work can run in this process, and whether it is this one that does it."""

    running: bool
    leader: bool


class Engine(Protocol):
    """Runs tasks outside the request that asked for them, and others again and again."""

    def defer(self, task: Task) -> Future[None]:
        """Run a task soon; the future tells when it is over."""

    def every(self, name: str, seconds: int, task: Task, jitter: int = 0) -> None:
        """Run a task so often, in one process only, and never twice at a time.

        `jitter` seconds at most are added each time. To be said before `start`.
        """

    def start(self) -> None:
        """Begin with the periodic tasks, as soon as no other process does them."""

    def stop(self) -> None:
        """Take no more tasks and let those under way end."""

    @property
    def state(self) -> EngineState:
        """What the engine does now."""
