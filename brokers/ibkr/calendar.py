"""When IBKR ends sessions and rests, as far as it says; turns an outage into a time to come back.

Sources: IBKR's Web API documentation (sessions end at midnight of their region; short maintenance
about one hour later; the whole service rests on Saturday evening in New York).
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
REGIONS = {
    "NJ": NEW_YORK,
    "US": NEW_YORK,
    "ZG": ZoneInfo("Europe/Zurich"),
    "EU": ZoneInfo("Europe/Zurich"),
    "HK": ZoneInfo("Asia/Hong_Kong"),
    "ASIA": ZoneInfo("Asia/Hong_Kong"),
}
RESET = timedelta(minutes=15)
MAINTENANCE = time(0, 45), time(1, 15)
SATURDAY = 5
SATURDAY_EVENING = time(18, 0), timedelta(hours=9)


def quiet_until(now: datetime, region: str | None = None) -> datetime | None:
    """When an expected outage that is under way will be over, in UTC; None outside of any.

    `region` is IBKR's own code where it is known; New York otherwise, where most sessions are.
    """
    zone = REGIONS.get((region or "").upper(), NEW_YORK)
    weekend = _weekend(now)
    if weekend is not None:
        return weekend
    local = now.astimezone(zone)
    midnight = datetime.combine(local.date(), time(0), zone)
    if local < midnight + RESET:
        return (midnight + RESET).astimezone(now.tzinfo)
    begins, ends = (datetime.combine(local.date(), at, zone) for at in MAINTENANCE)
    return ends.astimezone(now.tzinfo) if begins <= local < ends else None


def session_end(now: datetime, region: str | None) -> datetime | None:
    """When a session of now ends, in UTC: at midnight of its region; None where not known."""
    zone = REGIONS.get((region or "").upper())
    if zone is None:
        return None
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(0), zone).astimezone(now.tzinfo)


def _weekend(now: datetime) -> datetime | None:
    begins_at, lasts = SATURDAY_EVENING
    local = now.astimezone(NEW_YORK)
    days_since = (local.weekday() - SATURDAY) % 7
    begins = datetime.combine(local.date() - timedelta(days=days_since), begins_at, NEW_YORK)
    return (begins + lasts).astimezone(now.tzinfo) if begins <= local < begins + lasts else None
