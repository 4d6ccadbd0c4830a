"""The command `token`: tokens of programs, made and revoked on a terminal."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask
from sqlalchemy.orm import Session

from portfolio.db.session import read_only, unit_of_work
from portfolio.errors import Invalid, NotFound, SetupProblem
from portfolio.users.models import ApiToken
from portfolio.users.queries import first_user, named_user
from portfolio.users.tokens import TokenView, Wanted, create, listed, revoke
from portfolio.web.runtime import EXTENSION, Runtime

UNKNOWN_TOKEN = "“foliosync token list” names them; --user NAME says whose, else the first user's."


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The user of this name; without one the first user."""

    name: str | None = None

    def find(self, session: Session) -> int:
        """The user's id, or `NotFound`."""
        return first_user(session) if self.name is None else named_user(session, self.name).id


def create_token(app: Flask, whose: Whose, wanted: Wanted) -> str:
    """A new token; nobody can read it again."""
    runtime: Runtime = app.extensions[EXTENSION]
    with app.app_context(), unit_of_work() as session:
        user, now = whose.find(session), runtime.clock.now()
        try:
            return create(session, user, wanted, now, secrets.token_urlsafe)
        except Invalid as error:
            # On a terminal there are no fields to correct, and nothing to send again.
            raise SetupProblem(f"{error.message} No token was made.") from None


def list_tokens(app: Flask, whose: Whose) -> Iterator[str]:
    """A line on each token of a user."""
    runtime: Runtime = app.extensions[EXTENSION]
    with app.app_context(), read_only() as session:
        found = listed(session, whose.find(session), runtime.clock.now())
    yield from map(_line, found) if found else ["There are no tokens."]


def _line(of: TokenView) -> str:
    ends = f"until {of.expires_at:%Y-%m-%d}" if of.expires_at else "until revoked"
    used = f"last used {of.last_used_on}" if of.last_used_on else "never used"
    return f"{of.name}: {', '.join(of.scopes)}; {'ended' if of.is_over else ends}; {used}"


def revoke_token(app: Flask, whose: Whose, name: str) -> None:
    """End a token of a user by its name."""
    with app.app_context(), unit_of_work() as session:
        user = whose.find(session)
        try:
            revoke(session, user, ApiToken.name == name)
        except NotFound:
            raise NotFound("token", UNKNOWN_TOKEN) from None
