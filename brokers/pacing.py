"""Keeps calls below a broker's declared limits, and silent while a penalty runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock

from brokers.contract import Clock, Limit
from brokers.errors import RateLimited

EVERY = "*"
# Two readings of the same moment differ by this much.
SAME_MOMENT = 0.01


class Pacer:
    """One per gateway, shared by all that talk to it; waits through the clock it was given."""

    def __init__(self, limits: Sequence[Limit], clock: Clock) -> None:
        self._limits = tuple(limits)
        self._clock = clock
        self._lock = Lock()
        self._sent: dict[Limit, deque[float]] = {limit: deque() for limit in self._limits}
        self._silent_until: datetime | None = None

    @property
    def silent_until(self) -> datetime | None:
        """Until when nothing may be sent, or None."""
        until = self._silent_until
        return until if until is not None and until > self._clock.now() else None

    def close_until(self, when: datetime | None) -> None:
        """Send nothing before this time; a later end that is already known stays."""
        with self._lock:
            if when is not None and (self._silent_until is None or when > self._silent_until):
                self._silent_until = when

    def last_calls(self) -> dict[str, datetime]:
        """When each endpoint was last asked ("*": any of them), for another process to know."""
        with self._lock:
            now, at = self._clock.monotonic(), self._clock.now()
            return {
                limit.endpoint: at - timedelta(seconds=now - sent[-1])
                for limit, sent in self._sent.items()
                if sent
            }

    def recall(self, last_calls: Mapping[str, datetime]) -> None:
        """Count what another process sent, as far as it is newer than what was sent here.

        How much it sent is not known: all that the limit allows.
        """
        with self._lock:
            now, at = self._clock.monotonic(), self._clock.now()
            for limit, sent in self._sent.items():
                when = last_calls.get(limit.endpoint)
                if when is None or when > at:
                    continue
                then = now - (at - when).total_seconds()
                if not sent or then > sent[-1] + SAME_MOMENT:
                    sent.extend([then] * limit.calls)

    def wait(self, endpoint: str) -> None:
        """Wait for a place; raises `RateLimited` while the gateway is closed."""
        while delay := self._take(endpoint):
            self._clock.sleep(delay)

    def answered(self, endpoint: str) -> None:
        """Count a rare call from its answer on: how long it was on its way is not known.

        A handshake can hold a call up; the next one, let go a second after it, may be faster and
        arrive within that second. Where several calls are allowed, the limits have room for this.
        """
        with self._lock:
            now = self._clock.monotonic()
            for limit in self._that_apply(endpoint):
                if limit.calls == 1 and self._sent[limit]:
                    self._sent[limit][-1] = now

    def delay(self, endpoint: str) -> float:
        """Seconds until this endpoint could be asked."""
        with self._lock:
            return self._delay(endpoint, self._clock.monotonic())

    def _take(self, endpoint: str) -> float:
        until = self.silent_until
        if until is not None:
            raise RateLimited(
                "The broker asked for silence after too many requests.",
                "Nothing to do: it is tried again afterwards.",
                retry_at=until,
            )
        with self._lock:
            now = self._clock.monotonic()
            delay = self._delay(endpoint, now)
            if delay <= 0:
                for limit in self._that_apply(endpoint):
                    self._sent[limit].append(now)
            return max(0.0, delay)

    def _that_apply(self, endpoint: str) -> list[Limit]:
        return [limit for limit in self._limits if limit.endpoint in {EVERY, endpoint}]

    def _delay(self, endpoint: str, now: float) -> float:
        delays = [0.0]
        for limit in self._that_apply(endpoint):
            sent = self._sent[limit]
            while sent and now - sent[0] >= limit.seconds:
                sent.popleft()
            if len(sent) >= limit.calls:
                delays.append(sent[-limit.calls] + limit.seconds - now)
        return max(delays)
