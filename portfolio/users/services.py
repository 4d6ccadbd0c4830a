"""What creates users."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio.users.models import LOCAL_OWNER, User


def ensure_owner(session: Session, now: datetime) -> User:
    """The first user, created at the first start as the local owner."""
    owner = session.scalars(select(User).order_by(User.id).limit(1)).first()
    if owner is None:
        owner = User(name=LOCAL_OWNER, created_at=now)
        session.add(owner)
        session.flush()
    return owner
