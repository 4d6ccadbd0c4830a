"""From the answer to a tickle to who is signed in; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.ibkr import errors
from brokers.types import SessionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickle:
    """The session, and a mark by which it is told from the next one."""

    mark: str
    state: SessionState


def read_tickle(answer: Any, login_address: str, now: datetime) -> Tickle:
    """Who is signed in; raises `NotAuthenticated` or `Malformed`.

    Only the read-only session counts. A trading session is neither needed nor opened; whether
    there is one, and whether another program uses it, is passed on as information.
    """
    if not isinstance(answer, Mapping):
        raise errors.bad("The gateway's answer about the session is not one.")
    mark = answer.get("session") or answer.get("userId")
    left = answer.get("ssoExpires")
    if not mark or left == 0:
        raise errors.not_authenticated(login_address)
    status = _status(answer)
    return Tickle(
        mark=str(mark),
        state=SessionState(
            signed_in=True,
            trading_session=_flag(status, "authenticated"),
            signed_in_elsewhere=_flag(status, "competing"),
            expires_at=_expiry(left, now),
        ),
    )


def _status(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    server = answer.get("iserver")
    status = server.get("authStatus") if isinstance(server, Mapping) else None
    return status if isinstance(status, Mapping) else {}


def _flag(status: Mapping[str, Any], name: str) -> bool | None:
    value = status.get(name)
    return value if isinstance(value, bool) else None


def _expiry(left: Any, now: datetime) -> datetime | None:
    """The session renews itself near this time; it is information, not a deadline."""
    usable = isinstance(left, int | Decimal) and 0 < left < 10**9
    return now + timedelta(milliseconds=int(left)) if usable else None


def with_user(state: SessionState, answer: Any) -> SessionState:
    """The state with the name of the signed-in user, where the gateway tells it."""
    found = answer if isinstance(answer, Mapping) else {}
    user = found.get("USER_NAME")
    kind = found.get("LOGIN_TYPE")
    return SessionState(
        signed_in=state.signed_in,
        trading_session=state.trading_session,
        signed_in_elsewhere=state.signed_in_elsewhere,
        user=str(user) if user else None,
        is_paper=None if kind not in (1, 2) else kind == 2,
        expires_at=state.expires_at,
    )
