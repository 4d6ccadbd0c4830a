"""Who is there."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portfolio.users.models import User


def first_user(session: Session) -> int:
    """The id of the first user, who set this installation up and is never removed."""
    return session.execute(select(func.min(User.id))).scalar_one()
