"""Who is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portfolio.errors import NotFound
from portfolio.names import folded, is_forbidden
from portfolio.users.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class UserView:
    """A user as a list shows them."""

    name: str
    created_at: datetime
    state: str
    second_step: bool


def first_user(session: Session) -> int:
    """The id of the first user, who set this installation up and is never removed."""
    return session.execute(select(func.min(User.id))).scalar_one()


def find_user(session: Session, name: str) -> User | None:
    """The user of a name as somebody types it, in whichever case."""
    # PostgreSQL refuses to compare with some of these.
    if any(is_forbidden(character) for character in name):
        return None
    return session.scalars(select(User).where(User.folded == folded(name))).first()


def named_user(session: Session, name: str) -> User:
    """The user of a name; `NotFound` where there is none."""
    user = find_user(session, name)
    if user is None:
        raise NotFound("user", "The command “foliosync user list” names them all.")
    return user


def users(session: Session) -> list[UserView]:
    """All users, the first one first."""
    return [
        UserView(
            name=of.name,
            created_at=of.created_at,
            state=_state(of),
            second_step=of.totp_since is not None,
        )
        for of in session.scalars(select(User).order_by(User.id))
    ]


def _state(user: User) -> str:
    if user.disabled_at is not None:
        return "disabled"
    return "active" if user.password_hash else "without a password"
