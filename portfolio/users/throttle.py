"""How often somebody may guess: counted in the database, for passwords and codes alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address

from sqlalchemy import delete, or_, select, text
from sqlalchemy.orm import Session

from portfolio.db.session import unit_of_work
from portfolio.errors import TooManyRequests
from portfolio.users.models import LoginAttempt

WINDOW = timedelta(minutes=5)
OF_EACH, OF_ALL = 10, 1000
# Any number will do, as long as it is always the same: the letters "tries".
TRIES = 0x7472696573


@dataclass(slots=True)
class Attempt:
    """One try; who makes it says whether it went well."""

    id: int
    passed: bool = False


@contextmanager
def attempt(subject: str, address: str, now: datetime) -> Iterator[Attempt]:
    """One try at a secret of `subject` from a network address, counted unless it `passed`.

    It counts from its beginning, so that many at once are no way around. `TooManyRequests` after
    10 in 5 minutes of one subject or one address, or 1,000 of all; an earlier one that failed is
    not forgotten for a later one that passed. An empty subject is counted by its address only.
    """
    made = Attempt(_begin(_digest(subject), network_of(address), now))
    yield made
    if made.passed:
        with unit_of_work() as session:
            session.execute(delete(LoginAttempt).where(LoginAttempt.id == made.id))


def network_of(address: str) -> str:
    """What one person has: an address of the old kind, a whole network of the new kind."""
    bare = _without_port(address)
    try:
        found = ip_address(bare)
    except ValueError:
        return bare[:60]
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found) >> 64 << 64, 64)))


def _without_port(address: str) -> str:
    # Some proxies append the port, which is another one for each connection.
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _digest(subject: str) -> str:
    # Some type their password into the field of the name.
    return sha256(subject.encode("utf-8", "surrogatepass")).hexdigest() if subject else ""


def _begin(subject: str, address: str, now: datetime) -> int:
    with unit_of_work() as session:
        _one_at_a_time(session)
        # Rows of the future are left by a clock that was put back.
        over = or_(LoginAttempt.at <= now - WINDOW, LoginAttempt.at > now + WINDOW)
        session.execute(delete(LoginAttempt).where(over))
        _check(session, subject, address)
        made = LoginAttempt(subject=subject, address=address, at=now)
        session.add(made)
        session.flush()
        return made.id


def _one_at_a_time(session: Session) -> None:
    """Let nobody count beside us; SQLite's write transactions wait for each other anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TRIES})


def _check(session: Session, subject: str, address: str) -> None:
    limits = [(LoginAttempt.address == address, OF_EACH), (LoginAttempt.id > 0, OF_ALL)]
    if subject:
        limits.append((LoginAttempt.subject == subject, OF_EACH))
    for which, most in limits:
        newest = select(LoginAttempt.at).where(which).order_by(LoginAttempt.at.desc())
        first = session.scalars(newest.offset(most - 1).limit(1)).first()
        if first is not None:
            raise TooManyRequests(
                "There were too many tries that failed.",
                "Wait some minutes, then try again. Nothing was changed.",
                retry_at=first + WINDOW,
            )
