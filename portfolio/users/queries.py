"""Who is asking."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portfolio.users.models import LOCAL_OWNER, User


class LocalOwner:
    """The local owner, on whose behalf every request of this computer acts.

    The id is read once: this user is made at the first start and never removed.
    """

    def __init__(self) -> None:
        self._id: int | None = None

    def __call__(self, session: Session) -> int:
        """The id of the local owner."""
        if self._id is None:
            self._id = session.scalars(select(User.id).where(User.name == LOCAL_OWNER)).one()
        return self._id


def operator_id(session: Session) -> int:
    """Who runs this installation: the first user, whose the settings of the environment are."""
    return session.scalars(select(func.min(User.id))).one()
