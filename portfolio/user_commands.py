"""The command `user`: people are added, given a new password, disabled and listed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from getpass import getpass

from flask import Flask
from sqlalchemy import delete

from portfolio.accounts.models import Invitation
from portfolio.db.session import read_only, unit_of_work
from portfolio.errors import Invalid, SetupProblem
from portfolio.users.models import ApiToken, LoginSession
from portfolio.users.passwords import check_new
from portfolio.users.queries import named_user, users
from portfolio.users.services import (
    add_user,
    disable,
    locked_user,
    set_password,
    turn_off_second_step,
)
from portfolio.users.tokens import revoke_each
from portfolio.web.runtime import EXTENSION, Runtime

Ask = Callable[[str], str]
# What opens a door. A copy of the database has some that were ended since it was made.
DOORS = (LoginSession, ApiToken, Invitation)


def typed_password(asked: str) -> str:
    """A password from the terminal, without an echo; else the first line of standard input."""
    if sys.stdin.isatty():
        return getpass(asked)
    return sys.stdin.readline().rstrip("\r\n")


def add(app: Flask, name: str, ask: Ask) -> str:
    """Add a user with a password; what was done, as a line."""
    of: Runtime = app.extensions[EXTENSION]
    hashed, now = _new_hash(of, name, ask), of.clock.now()
    with app.app_context(), _said(), unit_of_work() as session:
        user = add_user(session, name, now)
        set_password(session, user, hashed)
        of.furnish(session, user.id, now)
        return f"“{user.name}” may sign in." + _hint(of)


def change_password(
    app: Flask, name: str, ask: Ask, *, one_step: bool = False, end_tokens: bool = False
) -> str:
    """Give a user a new password and end every login; what was done, as a line.

    With `one_step` the second step is off, for who lost phone and recovery codes. Tokens stay
    unless `end_tokens`.
    """
    of: Runtime = app.extensions[EXTENSION]
    with app.app_context(), _said():
        with read_only() as session:
            user_id = named_user(session, name).id
        hashed = _new_hash(of, name, ask)
        with unit_of_work() as session:
            user = locked_user(session, user_id)
            set_password(session, user, hashed)
            if one_step:
                turn_off_second_step(session, user)
            if end_tokens:
                revoke_each(session, user.id)
            return f"“{user.name}” signs in with the new password from now on." + _hint(of)


def stop(app: Flask, name: str) -> str:
    """Let a user sign in no more and end every login; what was done, as a line."""
    of: Runtime = app.extensions[EXTENSION]
    with app.app_context(), _said(), unit_of_work() as session:
        user = locked_user(session, named_user(session, name).id)
        disable(session, user, of.clock.now())
        return f"“{user.name}” signs in no more; a new password would end that."


def lines(app: Flask) -> Iterator[str]:
    """The users, each as a line."""
    with app.app_context(), read_only() as session:
        for of in users(session):
            step = ", with a second step" if of.second_step else ""
            yield f"{of.name}: {of.state}{step}; added {of.created_at:%Y-%m-%d}"


@contextmanager
def _said() -> Iterator[None]:
    """Tell what cannot be in one sentence, without the names of fields."""
    try:
        yield
    except Invalid as error:
        raise SetupProblem(next(iter(error.fields.values()))) from None


def _new_hash(of: Runtime, name: str, ask: Ask) -> str:
    password = ask(f"New password of {name}: ")
    with _said():
        check_new(password, name)
    if sys.stdin.isatty() and ask("Once more: ") != password:
        raise SetupProblem("The two passwords differ; nothing was changed.")
    hashed: str = of.passwords.hash(password)
    return hashed


def end_every_login(app: Flask) -> None:
    """End the logins, tokens and open invitations of all users."""
    with app.app_context(), unit_of_work() as session:
        for each in DOORS:
            session.execute(delete(each))


def _hint(of: Runtime) -> str:
    return "" if of.settings.has_logins else " Logins are off: set FOLIOSYNC_AUTH to password."
