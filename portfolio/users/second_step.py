"""The second step of a login: turned on and off by its user, and taken at each login."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portfolio.db.keycheck import hold_keys
from portfolio.db.session import changed_rows, read_only, unit_of_work
from portfolio.errors import Invalid, KeyUnavailable, LoginRequired, Unreadable
from portfolio.users import codes
from portfolio.users.models import RecoveryCode, User
from portfolio.users.services import locked_user, turn_off_second_step
from portfolio.users.sessions import (
    PENDING,
    Client,
    digest,
    end_all,
    end_pending,
    find_session,
    open_session,
    require_login,
)
from portfolio.users.signin import NOT_THE_PASSWORD, Opened, limits, proven, subject_of
from portfolio.users.throttle import attempt
from portfolio.web.identity import Identity
from portfolio.web.runtime import runtime

ENROLMENT = timedelta(minutes=15)
WRONG = "This code is wrong, over, or was used already."
UNCHECKED = (
    "Codes of your app cannot be checked now: use a recovery code, or ask whoever runs "
    "this server."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A key that is to be tried out; `ticket` brings it back, sealed for this login."""

    key: str
    picture: str
    ticket: str


def begin(me: Identity, password: str, address: str) -> Enrolment:
    """A new key, for who knows the password; nothing is stored. `Invalid` for a wrong one."""
    if proven(me.name, password, address) is None:
        raise Invalid({"totp": NOT_THE_PASSWORD})
    key, ends = codes.new_key(), runtime().clock.now() + ENROLMENT
    return _enrolment(me, key, runtime().sealer.seal(_ticket(me), f"{ends.isoformat()} {key}"))


def again(me: Identity, ticket: str) -> Enrolment:
    """The same enrolment once more; `Invalid` where its ticket is over or of another login."""
    return _enrolment(me, _key_of(me, ticket), ticket)


def turn_on(me: Identity, ticket: str, code: str, client: Client) -> tuple[Opened, Sequence[str]]:
    """Turn the second step on; a new login, the only one, and the recovery codes.

    `Invalid` for a ticket that is over or a code that is wrong.
    """
    key, now = _key_of(me, ticket), runtime().clock.now()
    with attempt(subject_of(me.name), client.address, now) as tried:
        step = codes.step_of(key, codes.bare(code), now, None)
        tried.passed = step is not None
    if step is None:
        raise Invalid({"code": WRONG})
    with unit_of_work() as session:
        hold_keys(session)
        user = locked_user(session, me.user_id)
        require_login(session, me.login)
        turn_off_second_step(session, user)
        user.totp_secret = runtime().sealer.seal(_place(user.id), key)
        user.totp_since, user.totp_step = now, step
        end_all(session, user.id)
        return _open(session, user, client, now), _new_recovery_codes(session, user.id)


def turn_off(me: Identity, password: str, client: Client) -> Opened:
    """Turn it off, for who knows the password; a new login, the only one."""
    known = proven(me.name, password, client.address)
    if known is None:
        raise Invalid({"totp": NOT_THE_PASSWORD})
    with unit_of_work() as session:
        user = locked_user(session, me.user_id)
        # A new password, or the end of this login, may have come between the look and now.
        require_login(session, me.login)
        if user.password_hash != known.password_hash:
            raise LoginRequired
        turn_off_second_step(session, user)
        end_all(session, user.id)
        return _open(session, user, client, runtime().clock.now())


def take(secret: str, code: str, client: Client) -> Opened:
    """Finish a login that waits for its second step.

    `Invalid` for a code that is wrong or cannot be checked, `LoginRequired` where the first step
    is over.
    """
    now = runtime().clock.now()
    name, user_id = _waiting(secret, now)
    with attempt(subject_of(name), client.address, now) as tried:
        with unit_of_work() as session:
            user = locked_user(session, user_id)
            if not _counts(session, user, codes.bare(code), now):
                raise Invalid({"code": WRONG})
            if not end_pending(session, secret) or user.disabled_at is not None:
                raise LoginRequired
            opened = _open(session, user, client, now)
        tried.passed = True
    return opened


def waits(secret: str) -> bool:
    """Whether the first step of this browser is done and not over."""
    with read_only() as session:
        now = runtime().clock.now()
        return find_session(session, secret, now, PENDING, pending=True) is not None


def codes_left(session: Session, user_id: int) -> int:
    """How many recovery codes are not used yet."""
    mine = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return session.execute(mine).scalar_one()


def is_checkable(user: User) -> bool:
    """Whether codes of the app can be checked, which takes the key that sealed its secret."""
    try:
        _key_of_app(user)
    except (Unreadable, KeyUnavailable):
        return False
    return True


def _waiting(secret: str, now: datetime) -> tuple[str, int]:
    with read_only() as session:
        found = find_session(session, secret, now, PENDING, pending=True)
        if found is None:
            raise LoginRequired
        return found[1].name, found[1].id


def _counts(session: Session, user: User, code: str, now: datetime) -> bool:
    """Whether a code counts, which it does no more from now on."""
    if not codes.is_code(code):
        mine = RecoveryCode.user_id == user.id, RecoveryCode.code_hash == _digest(user.id, code)
        return changed_rows(session, delete(RecoveryCode).where(*mine)) > 0
    try:
        key = _key_of_app(user)
    except (Unreadable, KeyUnavailable):
        # All that can be done is on paper or with the operator: an error page would hide both.
        raise Invalid({"code": UNCHECKED}) from None
    step = None if key is None else codes.step_of(key, code, now, user.totp_step)
    if step is not None:
        user.totp_step = step
    return step is not None


def _key_of_app(user: User) -> str | None:
    sealed = user.totp_secret
    return None if sealed is None else runtime().sealer.unseal(_place(user.id), sealed)


def _open(session: Session, user: User, client: Client, now: datetime) -> Opened:
    length = limits().longest
    return Opened(secret=open_session(session, user.id, client, now, length), length=length)


def _new_recovery_codes(session: Session, user_id: int) -> Sequence[str]:
    made = [codes.random_code(codes.RECOVERY_GROUPS) for _ in range(codes.RECOVERY_CODES)]
    session.add_all(
        RecoveryCode(user_id=user_id, code_hash=_digest(user_id, codes.bare(each)))
        for each in made
    )
    return made


def _digest(user_id: int, code: str) -> str:
    return digest(f"{user_id} {code}")


def _place(user_id: int) -> str:
    return f"user:{user_id}:totp_secret"


def _ticket(me: Identity) -> str:
    return f"login_session:{me.login}:totp_ticket"


def _enrolment(me: Identity, key: str, ticket: str) -> Enrolment:
    picture = codes.picture(codes.address_of(key, me.name))
    return Enrolment(key=key, picture=picture, ticket=ticket)


def _key_of(me: Identity, ticket: str) -> str:
    try:
        text = runtime().sealer.unseal(_ticket(me), ticket)
    except Unreadable:
        raise _over() from None
    ends, _, key = text.partition(" ")
    if datetime.fromisoformat(ends) <= runtime().clock.now():
        raise _over()
    return key


def _over() -> Invalid:
    return Invalid({"totp": "This took too long. Begin again."})
