"""Everybody of this installation: what jobs walk, and what only one of them may have."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from portfolio.users.models import User


def user_ids(session: Session) -> list[int]:
    """All users, the first one first."""
    return list(session.scalars(select(User.id).order_by(User.id)))


def not_disabled(user_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """The condition that a column names a user who is not disabled: nobody is asked for others."""
    return user_id.in_(select(User.id).where(User.disabled_at.is_(None)))


def one_at_a_time(session: Session) -> None:
    """Let nobody else decide, until this transaction ends, what only one user may have."""
    # Without the lock two users could both find it free; those who only refer to a user go on.
    first = select(User.id).order_by(User.id).limit(1)
    session.execute(first.with_for_update(key_share=True))
