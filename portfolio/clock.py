"""The one source of time; everything else is handed a clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, and the day it falls on where the owner lives: daily values and rates have a day."""

    now: datetime
    day: date

    @classmethod
    def at(cls, now: datetime, zone: tzinfo) -> Moment:
        """This moment in this time zone."""
        return cls(now=now, day=now.astimezone(zone).date())


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
