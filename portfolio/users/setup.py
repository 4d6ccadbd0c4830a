"""The first start with logins: a code that only the operator sees makes the first user."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from portfolio.db.session import changed_rows, read_only, unit_of_work
from portfolio.errors import Invalid, NotFound
from portfolio.users.codes import bare, random_code
from portfolio.users.models import SetupCode, User
from portfolio.users.passwords import check_new
from portfolio.users.queries import first_user
from portfolio.users.services import locked_user, rename, set_password
from portfolio.users.sessions import Client, digest, open_session
from portfolio.users.signin import Opened, limits
from portfolio.users.throttle import attempt
from portfolio.web.runtime import EXTENSION, Runtime, runtime

GROUPS = 6
LIFETIME = timedelta(hours=1)
SUBJECT = "the code of the first start"


def is_open(session: Session) -> bool:
    """Whether the first user has no password yet."""
    return session.get_one(User, first_user(session)).password_hash is None


def new_code(session: Session, now: datetime) -> str | None:
    """A new code, after which no earlier one counts; None where the first user is set up."""
    session.execute(delete(SetupCode))
    if not is_open(session):
        return None
    code = random_code(GROUPS)
    session.add(SetupCode(code_hash=digest(bare(code)), ends_at=now + LIFETIME))
    return code


def fresh_code(app: Flask) -> str | None:
    """A new code for the program that starts to serve; None without logins, or after set-up."""
    of: Runtime = app.extensions[EXTENSION]
    if not of.settings.has_logins:
        return None
    with app.app_context(), unit_of_work() as session:
        return new_code(session, of.clock.now())


def make_first_user(code: str, name: str, password: str, client: Client) -> Opened:
    """Give the local owner a name and a password, and sign this browser in.

    `Invalid` for a code that does not count, a name or a password that is not taken; `NotFound`
    where this was done already.
    """
    now, length, hashed_code = runtime().clock.now(), limits().longest, digest(bare(code))
    check_new(password, name)
    with attempt(SUBJECT, client.address, now) as tried, read_only() as session:
        _check_open(session)
        counts = select(SetupCode.id).where(*_valid(hashed_code, now))
        tried.passed = session.scalar(counts) is not None
    if not tried.passed:
        raise _wrong()
    hashed = runtime().passwords.hash(password)
    with unit_of_work() as session:
        owner = locked_user(session, first_user(session))
        _check_open(session)
        if not changed_rows(session, delete(SetupCode).where(*_valid(hashed_code, now))):
            raise _wrong()
        rename(session, owner, name)
        set_password(session, owner, hashed)
        return Opened(secret=open_session(session, owner.id, client, now, length), length=length)


def _valid(hashed: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return SetupCode.code_hash == hashed, SetupCode.ends_at > now


def _check_open(session: Session) -> None:
    if not is_open(session):
        raise NotFound("page")


def _wrong() -> Invalid:
    return Invalid({"code": "This code does not count. “foliosync user code” prints a new one."})
