"""Who may talk to a gateway or run a connection: one at a time, over processes, with a fence.

A holder that was stopped longer than its time and comes back finds a higher fence and is refused;
that is the last gate of a sync.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portfolio.db.session import changed_rows
from portfolio.sync.models import Lease

LASTS = timedelta(seconds=30)
RENEWED_EVERY = timedelta(seconds=10)
# What lasts longer than any lease was taken before the clock was put back. Twice the time, since
# two computers on one database never agree on it.
FURTHEST = 2 * LASTS


class LeaseLost(Exception):
    """Somebody else has taken over; who finds this must not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease that was taken: its name, its holder, and the fence it was taken with."""

    name: str
    owner: str
    fence: int


def take(session: Session, name: str, owner: str, now: datetime) -> Held | None:
    """Take a lease that is free or whose time is over, or None while somebody holds it."""
    row = session.scalar(select(Lease).where(Lease.name == name).with_for_update())
    if row is None:
        row = Lease(name=name, owner="", until=now, fence=0)
        session.add(row)
    elif row.owner and now < row.until <= now + FURTHEST:
        return None
    row.owner, row.until, row.fence = owner, now + LASTS, row.fence + 1
    session.flush()
    return Held(name=name, owner=owner, fence=row.fence)


def renew(session: Session, held: Held, now: datetime) -> None:
    """Hold a lease for longer; `LeaseLost` where it is not ours any more."""
    mine = Lease.name == held.name, Lease.owner == held.owner, Lease.fence == held.fence
    longer = update(Lease).where(*mine).values(until=now + LASTS)
    if changed_rows(session, longer) != 1:
        raise LeaseLost(held.name)


def check(session: Session, held: Held, now: datetime) -> None:
    """The fence: `LeaseLost` unless the lease is ours and its time is not over."""
    mine = Lease.name == held.name, Lease.owner == held.owner, Lease.fence == held.fence
    query = select(Lease.name).where(*mine, Lease.until > now).with_for_update()
    if session.scalar(query) is None:
        raise LeaseLost(held.name)


def release(session: Session, held: Held) -> None:
    """Give a lease back; the fence stays, so that nobody is ever given the same one twice."""
    mine = Lease.name == held.name, Lease.owner == held.owner, Lease.fence == held.fence
    session.execute(update(Lease).where(*mine).values(owner=""))


def revoke(session: Session, name: str) -> None:
    """Raise the fence, so that whoever holds the lease is refused."""
    row = session.scalar(select(Lease).where(Lease.name == name).with_for_update())
    if row is not None:
        row.owner, row.fence = "", row.fence + 1
