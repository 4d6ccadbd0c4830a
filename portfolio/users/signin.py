"""How somebody signs in: a password, perhaps a second step, and a login of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from portfolio.db.session import read_only, unit_of_work
from portfolio.errors import Invalid
from portfolio.names import folded
from portfolio.users.models import User
from portfolio.users.passwords import Passwords, check_new
from portfolio.users.queries import find_user
from portfolio.users.services import locked_user, set_password
from portfolio.users.sessions import PENDING, Client, Limits, open_pending, open_session
from portfolio.users.throttle import attempt
from portfolio.users.tokens import revoke_each
from portfolio.web.runtime import runtime

WRONG = "The user name or the password is wrong."
NOT_THE_PASSWORD = "This is not the password."


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A login that was opened: the id for its cookie, how long it lasts, and if a step is left."""

    secret: str
    length: timedelta
    pending: bool = False


def limits() -> Limits:
    """How long a login lasts."""
    of = runtime().settings
    return Limits(idle=timedelta(minutes=of.login_idle), longest=timedelta(hours=of.login_longest))


def subject_of(name: str) -> str:
    """Under what the tries of a user are counted, whatever is guessed."""
    return f"user {folded(name)}"


def proven(name: str, password: str, address: str) -> User | None:
    """The user whose password this is, or None; counted, and as slow for a name that is none.

    `TooManyRequests` where there were too many tries.
    """
    of = runtime()
    passwords: Passwords = of.passwords
    with attempt(subject_of(name), address, of.clock.now()) as tried:
        with read_only() as session:
            user = find_user(session, name)
        stored = user.password_hash if user and user.disabled_at is None else None
        tried.passed = passwords.verify(stored, password)
    if not tried.passed or user is None or stored is None:
        return None
    if passwords.is_outdated(stored):
        _store_anew(user, passwords.hash(password))
    return user


def _store_anew(user: User, hashed: str) -> None:
    """Store the hash with the parameters in force, unless the password was changed meanwhile."""
    with unit_of_work() as session:
        mine = locked_user(session, user.id)
        if mine.password_hash == user.password_hash:
            mine.password_hash = user.password_hash = hashed


def sign_in(name: str, password: str, client: Client) -> Opened | None:
    """Sign a browser in, or as far as its second step; None where something is wrong."""
    user = proven(name, password, client.address)
    if user is None:
        return None
    now, length = runtime().clock.now(), limits().longest
    with unit_of_work() as session:
        mine = locked_user(session, user.id)
        if mine.password_hash != user.password_hash or mine.disabled_at is not None:
            # It was changed between the look and the login.
            return None
        if mine.totp_since is not None:
            secret = open_pending(session, mine.id, client, now)
            return Opened(secret=secret, length=PENDING, pending=True)
        return Opened(secret=open_session(session, mine.id, client, now, length), length=length)


def change_password(
    name: str, current: str, new: str, client: Client, *, end_tokens: bool = False
) -> Opened:
    """Change a password that is known, and end every login but a new one of this browser.

    Tokens stay unless `end_tokens`. `Invalid` where the current one is wrong or the new one is
    not taken.
    """
    check_new(new, name, "new")
    user = proven(name, current, client.address)
    if user is None:
        raise Invalid({"current": NOT_THE_PASSWORD})
    hashed, now, length = runtime().passwords.hash(new), runtime().clock.now(), limits().longest
    with unit_of_work() as session:
        mine = locked_user(session, user.id)
        if mine.password_hash != user.password_hash or mine.disabled_at is not None:
            raise Invalid({"current": "The password was changed meanwhile."})
        set_password(session, mine, hashed)
        if end_tokens:
            revoke_each(session, mine.id)
        return Opened(secret=open_session(session, mine.id, client, now, length), length=length)
