"""Login sessions: made, found, listed and ended, in the database that all processes share."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from portfolio.db.session import changed_rows
from portfolio.errors import LoginRequired, NotFound
from portfolio.users.models import LoginSession, User

BYTES = 32
PENDING = timedelta(minutes=5)
# "Last seen" is brought up to date no more often than this: reading should not write.
COARSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """After how long without a request, and after how long in any case, a login ends."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What a list of logins says of a browser."""

    browser: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginView:
    """A login as its user sees it."""

    id: int
    browser: str
    address: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


def digest(secret: str) -> str:
    """What is stored of a random secret: enough to know it again."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def open_session(
    session: Session, user_id: int, client: Client, now: datetime, length: timedelta
) -> str:
    """Sign a browser in; the new id for its cookie. What is over is cleaned away."""
    return _open(session, user_id, client, now, now + length, pending=False)


def open_pending(session: Session, user_id: int, client: Client, now: datetime) -> str:
    """Remember for some minutes that the password was right; the id for the cookie."""
    return _open(session, user_id, client, now, now + PENDING, pending=True)


def _open(
    session: Session,
    user_id: int,
    client: Client,
    now: datetime,
    ends_at: datetime,
    *,
    pending: bool,
) -> str:
    session.execute(delete(LoginSession).where(LoginSession.ends_at <= now))
    secret = secrets.token_urlsafe(BYTES)
    made = LoginSession(user_id=user_id, token_hash=digest(secret), pending=pending)
    made.created_at = made.seen_at = now
    made.ends_at = ends_at
    made.browser, made.address = client.browser[:40], client.address[:60]
    session.add(made)
    return secret


def find_session(
    session: Session, secret: str, now: datetime, idle: timedelta, *, pending: bool = False
) -> tuple[LoginSession, User] | None:
    """The login of a cookie and its user, or None where it is over, or the user is disabled."""
    query = select(LoginSession, User).join(User, User.id == LoginSession.user_id)
    mine = LoginSession.token_hash == digest(secret), LoginSession.pending.is_(pending)
    alive = LoginSession.ends_at > now, LoginSession.seen_at > now - idle
    found = session.execute(query.where(*mine, *alive, User.disabled_at.is_(None))).first()
    return None if found is None else (found[0], found[1])


def require_login(session: Session, login_id: int | None) -> None:
    """Refuse (`LoginRequired`) what was begun by a login that has ended meanwhile."""
    if login_id is None or session.get(LoginSession, login_id) is None:
        raise LoginRequired


def touch(session: Session, login_id: int, now: datetime) -> None:
    """Note that a login is in use."""
    mine = update(LoginSession).where(LoginSession.id == login_id)
    session.execute(mine.values(seen_at=now))


def listed(session: Session, user_id: int, now: datetime, idle: timedelta) -> list[LoginView]:
    """The logins of a user that are in force, the newest first."""
    query = select(LoginSession).where(LoginSession.user_id == user_id)
    alive = LoginSession.ends_at > now, LoginSession.seen_at > now - idle
    rows = session.scalars(query.where(*alive, LoginSession.pending.is_(False)))
    found = [
        LoginView(
            id=of.id,
            browser=of.browser,
            address=of.address,
            created_at=of.created_at,
            seen_at=of.seen_at,
            ends_at=of.ends_at,
        )
        for of in rows
    ]
    return sorted(found, key=lambda of: (of.seen_at, of.id), reverse=True)


def end_session(session: Session, user_id: int, login_id: int) -> None:
    """End one login of a user; `NotFound` for that of somebody else."""
    mine = LoginSession.id == login_id, LoginSession.user_id == user_id
    if not changed_rows(session, delete(LoginSession).where(*mine)):
        raise NotFound("login")


def end_pending(session: Session, secret: str) -> bool:
    """Use up what the first step left; False where somebody else has done so."""
    mine = LoginSession.token_hash == digest(secret), LoginSession.pending
    return changed_rows(session, delete(LoginSession).where(*mine)) > 0


def end_all(session: Session, user_id: int) -> None:
    """End every login of a user, in every process."""
    session.execute(delete(LoginSession).where(LoginSession.user_id == user_id))
