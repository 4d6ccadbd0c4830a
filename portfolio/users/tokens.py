"""Tokens with which programs act for a user: made, found, listed and revoked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from portfolio.db.session import changed_rows
from portfolio.errors import Conflict, Invalid, NotFound
from portfolio.names import clean_name
from portfolio.users.models import ApiToken, User
from portfolio.users.sessions import digest

# Nothing follows from another: one that writes but may not read is a choice as well.
SCOPES = {
    "read": "read everything that you see",
    "sync": "start syncs, and decide about them",
    "write": "change portfolios, accounts, holdings and connections",
}
PREFIX = "fls_"
# 192 bits.
BYTES = 24
MOST, LONGEST_DAYS = 50, 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A token as somebody wants it; without `days` it lasts until it is revoked."""

    name: str
    scopes: Iterable[str]
    days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """A token as its user sees it; the token itself is shown only once."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_on: date | None
    is_over: bool


def create(
    session: Session, user_id: int, wanted: Wanted, now: datetime, draw: Callable[[int], str]
) -> str:
    """A new token, which nobody can read again; `draw(n)` makes a text of n random bytes.

    `Invalid` for a name, a scope or a number of days that cannot be; `Conflict` for too many.
    """
    name, scopes = clean_name(wanted.name), _checked(wanted.scopes)
    if wanted.days is not None and not 1 <= wanted.days <= LONGEST_DAYS:
        raise Invalid({"days": f"A number of days from 1 to {LONGEST_DAYS}."})
    mine = ApiToken.user_id == user_id
    if session.scalar(select(ApiToken.id).where(mine, ApiToken.name == name)) is not None:
        raise Invalid({"name": "There is a token of this name: choose another, or revoke it."})
    if (session.scalar(select(func.count()).where(mine)) or 0) >= MOST:
        raise Conflict(f"There are {MOST} tokens already.", "Revoke those that nobody uses.")
    secret = PREFIX + draw(BYTES)
    made = ApiToken(user_id=user_id, name=name, token_hash=digest(secret), scopes=scopes)
    made.created_at = now
    made.expires_at = None if wanted.days is None else now + timedelta(days=wanted.days)
    session.add(made)
    session.flush()
    return secret


def _checked(scopes: Iterable[str]) -> list[str]:
    given = set(scopes)
    if not given or given - set(SCOPES):
        raise Invalid({"scopes": f"At least one of {', '.join(SCOPES)}."})
    return [scope for scope in SCOPES if scope in given]


def listed(session: Session, user_id: int, now: datetime) -> list[TokenView]:
    """The tokens of a user, the newest first; those that have ended are there to be removed."""
    query = select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc())
    return [
        TokenView(
            id=of.id,
            name=of.name,
            scopes=tuple(of.scopes),
            created_at=of.created_at,
            expires_at=of.expires_at,
            last_used_on=of.last_used_on,
            is_over=of.expires_at is not None and of.expires_at <= now,
        )
        for of in session.scalars(query)
    ]


def revoke(session: Session, user_id: int, which: ColumnElement[bool]) -> None:
    """End the token of a user that `which` names, from the next request on; or `NotFound`."""
    if not changed_rows(session, delete(ApiToken).where(ApiToken.user_id == user_id, which)):
        raise NotFound("token")


def working(session: Session, user_id: int, now: datetime) -> int:
    """How many tokens of a user have not ended."""
    return sum(not of.is_over for of in listed(session, user_id, now))


def revoke_each(session: Session, user_id: int) -> None:
    """End every token of a user."""
    session.execute(delete(ApiToken).where(ApiToken.user_id == user_id))


def find_token(session: Session, secret: str, now: datetime) -> tuple[ApiToken, User] | None:
    """The token and its user, or None where it has ended, or the user is disabled."""
    query = select(ApiToken, User).join(User, User.id == ApiToken.user_id)
    alive = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now)
    known = ApiToken.token_hash == digest(secret), alive, User.disabled_at.is_(None)
    found = session.execute(query.where(*known)).first()
    return None if found is None else (found[0], found[1])


def note_use(session: Session, token_id: int, day: date) -> None:
    """Note the day on which a token was used; once a day, so that reading hardly writes."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_on=day))
