"""Who asks: read once per request by a callable of the composition root, and kept with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from flask import g, request
from sqlalchemy.orm import Session

from portfolio.db.session import read_only
from portfolio.errors import LoginRequired


class Kind(Enum):
    """How somebody is known to us."""

    LOCAL = "local"
    SESSION = "session"
    TOKEN = "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """On whose behalf a request acts, and how we know.

    `scopes` are what a token may do; a person may do everything that is theirs. `login` is the id
    of the login session, and `form_key` a secret of it, to which form tokens are bound.
    """

    user_id: int
    name: str
    kind: Kind
    scopes: frozenset[str] = frozenset()
    login: int | None = None
    form_key: str = field(default="", repr=False)


# Reads who asks from the current request; None for nobody.
Identify = Callable[[Session], Identity | None]


def begin(identify: Identify) -> None:
    """Let a request find out who asks once it wants to know; called by the gate."""
    g.identify = identify


def bearer() -> str | None:
    """The token that a program sends, or None; it need not be a good one."""
    sent = request.authorization
    return (sent.token or "") if sent is not None and sent.type == "bearer" else None


def forget() -> None:
    """Begin a request as nobody."""
    g.identity = g.identify = None


def renew(form_key: str) -> None:
    """Go on as the same user with a login that was just opened, to which forms belong now."""
    g.identity = replace(identity(), form_key=form_key)


def known() -> Identity | None:
    """Who asks, or None where nobody is signed in; read once, and only where it matters."""
    identify: Identify | None = g.get("identify")
    if identify is not None:
        # Where it cannot be read, the page that says so is shown to nobody.
        forget()
        # In a session of its own: the request's would see only what was there before it writes.
        with read_only() as session:
            g.identity = identify(session)
    found: Identity | None = g.get("identity")
    return found


def identity() -> Identity:
    """Who asks; `LoginRequired` where nobody is signed in."""
    found = known()
    if found is None:
        raise LoginRequired
    return found
