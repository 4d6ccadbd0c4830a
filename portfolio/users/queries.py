"""Who is asking."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio.users.models import LOCAL_OWNER, User


def owner_id(session: Session) -> int:
    """The id of the local owner, on whose behalf every request of this computer acts."""
    return session.scalars(select(User.id).where(User.name == LOCAL_OWNER)).one()
