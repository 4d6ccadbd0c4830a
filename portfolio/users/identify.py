"""Who asks: without logins the first user, with logins whoever the cookie is of."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy.orm import Session

from portfolio.db.session import unit_of_work
from portfolio.errors import DomainError, TokenRefused
from portfolio.users import cookies
from portfolio.users.models import User
from portfolio.users.queries import first_user
from portfolio.users.sessions import COARSE, find_session, touch
from portfolio.users.signin import limits
from portfolio.users.throttle import attempt
from portfolio.users.tokens import find_token, note_use
from portfolio.web.identity import Identity, Kind, bearer
from portfolio.web.runtime import runtime

# A page must not wait for a long sync only to note that somebody was there: the next one does it.
PATIENCE_MS = 50


def by_token(session: Session) -> Identity | None:
    """For whom the token of a program acts; None where it sends none.

    `TokenRefused` for one that is not good, which counts as a try; the day of use is noted.
    """
    secret = bearer()
    if secret is None:
        return None
    now = runtime().clock.now()
    found = find_token(session, secret, now)
    if found is None:
        # Good ones are not counted: nobody is shut out by the tries of others.
        with attempt("", cookies.address(), now):
            raise TokenRefused
    token, user = found
    if token.last_used_on != now.date():
        with suppress(DomainError), unit_of_work(patience_ms=PATIENCE_MS) as writing:
            note_use(writing, token.id, now.date())
    scopes = frozenset(token.scopes)
    return Identity(user_id=user.id, name=user.name, kind=Kind.TOKEN, scopes=scopes)


class LocalOwner:
    """The first user, on whose behalf every request acts while there are no logins.

    Read once: this user is made at the first start and never removed.
    """

    def __init__(self) -> None:
        self._found: Identity | None = None

    def __call__(self, session: Session) -> Identity:
        """The identity of the local owner, or of a token."""
        program = by_token(session)
        if program is not None:
            return program
        if self._found is None:
            user = session.get_one(User, first_user(session))
            self._found = Identity(user_id=user.id, name=user.name, kind=Kind.LOCAL)
        return self._found


def signed_in(session: Session) -> Identity | None:
    """Who signed this browser in, or whose token it is, read anew each time; None for nobody."""
    program = by_token(session)
    if program is not None:
        return program
    secret = cookies.read()
    if not secret:
        return None
    now = runtime().clock.now()
    found = find_session(session, secret, now, limits().idle)
    if found is None:
        return None
    login, user = found
    if now - login.seen_at >= COARSE:
        _note(login.id, now)
    return Identity(
        user_id=user.id,
        name=user.name,
        kind=Kind.SESSION,
        login=login.id,
        form_key=login.token_hash,
    )


def _note(login_id: int, now: datetime) -> None:
    # A database that is busy must not end a login that is in use.
    with suppress(DomainError), unit_of_work(patience_ms=PATIENCE_MS) as session:
        touch(session, login_id, now)
