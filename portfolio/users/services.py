"""What creates and changes users."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portfolio.errors import Invalid, NotFound
from portfolio.names import clean_name, folded
from portfolio.users.models import LOCAL_OWNER, RecoveryCode, User
from portfolio.users.sessions import end_all
from portfolio.users.tokens import revoke_each

LONGEST_FOLDED = 300


def ensure_owner(session: Session, now: datetime) -> User:
    """The first user, created at the first start as the local owner."""
    owner = session.scalars(select(User).order_by(User.id).limit(1)).first()
    return add_user(session, LOCAL_OWNER, now) if owner is None else owner


def add_user(session: Session, name: str, now: datetime) -> User:
    """A new user without a password; `Invalid` for a name that is taken or cannot be one."""
    user = User(created_at=now)
    rename(session, user, name)
    session.add(user)
    session.flush()
    return user


def rename(session: Session, user: User, name: str) -> None:
    """Give a user a name that nobody else has, in whichever case; `Invalid` where it cannot be."""
    cleaned = clean_name(name)
    key = folded(cleaned)
    if len(key) > LONGEST_FOLDED:
        raise Invalid({"name": "The name is too long."})
    taken = session.scalar(select(User.id).where(User.folded == key, User.id != (user.id or 0)))
    if taken is not None:
        raise Invalid({"name": "There is a user of this name."})
    user.name, user.folded = cleaned, key


def locked_user(session: Session, user_id: int) -> User:
    """A user whom nobody else changes meanwhile; `NotFound` where there is none."""
    user = session.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None:
        raise NotFound("user")
    return user


def set_password(session: Session, user: User, hashed: str) -> None:
    """Store a new password and end every login; a disabled user may sign in again."""
    user.password_hash, user.disabled_at = hashed, None
    end_all(session, user.id)


def disable(session: Session, user: User, now: datetime) -> None:
    """Let a user sign in no more, and end every login and token; what is theirs stays."""
    user.disabled_at = user.disabled_at or now
    end_all(session, user.id)
    revoke_each(session, user.id)


def turn_off_second_step(session: Session, user: User) -> None:
    """Let the password alone be enough, and forget the recovery codes."""
    user.totp_secret = user.totp_since = user.totp_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
