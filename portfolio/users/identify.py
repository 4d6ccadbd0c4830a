"""Who asks: on this computer alone the local owner."""

from __future__ import annotations

from sqlalchemy.orm import Session

from portfolio.users.models import User
from portfolio.users.queries import first_user
from portfolio.web.identity import Identity, Kind


class LocalOwner:
    """The first user, on whose behalf every request acts while there are no logins.

    Read once: this user is made at the first start and never removed.
    """

    def __init__(self) -> None:
        self._found: Identity | None = None

    def __call__(self, session: Session) -> Identity:
        """The identity of the local owner."""
        if self._found is None:
            user = session.get_one(User, first_user(session))
            self._found = Identity(user_id=user.id, name=user.name, kind=Kind.LOCAL)
        return self._found
