"""The one source of time; everything else is handed a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """The computer's own clock; satisfies `brokers.contract.Clock`."""

    def now(self) -> datetime:
        """The time of day, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
