"""Whether any process at all does the periodic work: asked by those that do not."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from portfolio.db.session import read_only
from portfolio.jobs.leader import KEY, lead_file, locked
from portfolio.settings import Settings

# PostgreSQL shows the two halves of the key of an advisory lock.
HELD = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
    " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = :high AND objid::bigint = :low)"
)


def is_led(settings: Settings, session: Session) -> bool:
    """Whether a process holds the lead of this database now; takes nothing and changes nothing."""
    if settings.database.startswith("postgresql"):
        return bool(session.scalar(HELD, {"high": KEY >> 32, "low": KEY & 0xFFFFFFFF}))
    return _is_locked(lead_file(settings))


def told_of_lead(settings: Settings) -> dict[str, object]:
    """Where background work is to run, and whether any process does it."""
    with read_only() as session:
        return {"mode": settings.jobs, "led": is_led(settings, session)}


def _is_locked(file: Path) -> bool:
    try:
        opened = os.open(file, os.O_RDWR)
    except OSError:
        return False
    with os.fdopen(opened, "r+b", buffering=0) as stream:
        # For a moment it is ours where it was free; whoever wants it looks again in seconds.
        return not locked(stream)
