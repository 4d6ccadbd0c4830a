"""The session at a gateway: from an answer, or its absence, to a state; all of it pure.

    unreachable ─▶ not_a_gateway ─▶ certificate ─▶ address_not_allowed ─▶ silent ─▶ maintenance
                                                                            │
    signed_out ─▶ starting ─▶ signed_in ─▶ not_released                     penalty

Any state may follow any other: each call tells anew. Two flags come beside the state: whether
there is a trading session, and whether another program uses it. We need neither and open none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from brokers.errors import (
    AddressNotAllowed,
    BrokerAccountMissing,
    BrokerError,
    BrokerMaintenance,
    CertificateChanged,
    CertificateUntrusted,
    GatewaySilent,
    GatewayUnreachable,
    NotAGateway,
    NotAuthenticated,
    PositionsNotReleased,
    RateLimited,
    SessionStarting,
)
from brokers.ibkr import errors
from brokers.ibkr.errors import Situation
from brokers.ibkr.mapping.values import text
from brokers.types import SessionState

SHORTEST_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(minutes=30)
# A tickle may be sent once a second: who needs one earlier has to do with the last one.
STILL_TRUE = timedelta(seconds=1)


class State(StrEnum):
    """Where the way to IBKR ends, or that it is open."""

    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    NOT_A_GATEWAY = "not_a_gateway"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    SIGNED_OUT = "signed_out"
    STARTING = "starting"
    SIGNED_IN = "signed_in"
    NOT_RELEASED = "not_released"
    PENALTY = "penalty"
    MAINTENANCE = "maintenance"
    CERTIFICATE = "certificate"


STATES: tuple[tuple[type[BrokerError], State], ...] = (
    (GatewayUnreachable, State.UNREACHABLE),
    (GatewaySilent, State.SILENT),
    (NotAGateway, State.NOT_A_GATEWAY),
    (AddressNotAllowed, State.ADDRESS_NOT_ALLOWED),
    (NotAuthenticated, State.SIGNED_OUT),
    (SessionStarting, State.STARTING),
    (PositionsNotReleased, State.NOT_RELEASED),
    (RateLimited, State.PENALTY),
    (BrokerMaintenance, State.MAINTENANCE),
    (CertificateChanged, State.CERTIFICATE),
    (CertificateUntrusted, State.CERTIFICATE),
    # The session is well; it is only another person's.
    (BrokerAccountMissing, State.SIGNED_IN),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickle:
    """The session, a mark by which it is told from the next one, and its region if known."""

    mark: str
    state: SessionState
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a gateway's session: the state, since when, and when to look again.

    `mark`, `region`, `user` and `is_paper` are those of the newest session, also once a call of it
    has failed: IBKR tells the user's name at most once a minute. `tickled_at` is when the session
    was last told of; None once a call has failed since.
    """

    state: State = State.UNKNOWN
    since: datetime | None = None
    session: SessionState | None = None
    mark: str = ""
    region: str | None = None
    user: str | None = None
    is_paper: bool | None = None
    failures: int = 0
    next_try: datetime | None = None
    tickled_at: datetime | None = None

    @property
    def signed_in(self) -> bool:
        """Whether positions could be read."""
        return self.state is State.SIGNED_IN


def after_tickle(facts: Facts, found: Tickle, now: datetime) -> Facts:
    """The facts once a tickle was answered."""
    entered, same = _entered(facts, State.SIGNED_IN, now), facts.mark == found.mark
    return replace(
        entered,
        user=found.state.user or (facts.user if same else None),
        is_paper=found.state.is_paper if found.state.user else facts.is_paper if same else None,
        session=found.state,
        mark=found.mark,
        region=found.region or facts.region,
        failures=0,
        next_try=now + SHORTEST_PAUSE,
        tickled_at=now,
    )


def after_error(facts: Facts, error: BrokerError, now: datetime) -> Facts:
    """The facts once a call failed; an odd answer says nothing about the session."""
    state = next((state for kind, state in STATES if isinstance(error, kind)), facts.state)
    failures = facts.failures + 1
    pause = min(SHORTEST_PAUSE * (1 << min(failures - 1, 10)), LONGEST_PAUSE)
    next_try = max(now + pause, error.retry_at or now)
    session = facts.session if state is State.SIGNED_IN else None
    entered = _entered(facts, state, now)
    return replace(entered, session=session, failures=failures, next_try=next_try, tickled_at=None)


def still_known(facts: Facts, now: datetime) -> Tickle | None:
    """The session as it was told within the last second; None where it has to be asked for."""
    if facts.tickled_at is None or facts.session is None:
        return None
    if not timedelta() <= now - facts.tickled_at < STILL_TRUE:
        return None
    return Tickle(mark=facts.mark, state=facts.session, region=facts.region)


def _entered(facts: Facts, state: State, now: datetime) -> Facts:
    return facts if facts.state is state else replace(facts, state=state, since=now)


def read_tickle(answer: Any, at: Situation) -> Tickle:
    """Who is signed in; raises `NotAuthenticated` or `Malformed`.

    Only the read-only session counts. A trading session is neither needed nor opened; whether
    there is one, and whether another program uses it, is passed on as information.
    """
    if not isinstance(answer, Mapping):
        raise errors.bad("The gateway's answer about the session is not one.")
    mark = answer.get("session") or answer.get("userId")
    left = answer.get("ssoExpires")
    if not mark or left == 0:
        raise errors.not_authenticated(at)
    status = _status(answer)
    return Tickle(
        mark=str(mark),
        state=SessionState(
            signed_in=True,
            trading_session=_flag(status, "authenticated"),
            signed_in_elsewhere=_flag(status, "competing"),
            expires_at=_expiry(left, at.now),
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


def remembered(found: Tickle, facts: Facts) -> Tickle | None:
    """The session with what is known of its user already, or None where nothing is."""
    if facts.user is None or facts.mark != found.mark:
        return None
    named = replace(found.state, user=facts.user, is_paper=facts.is_paper)
    return replace(found, state=named, region=facts.region)


def with_user(found: Tickle, answer: Any) -> Tickle:
    """The session with its user's name and its region, where the gateway tells them."""
    fields = answer if isinstance(answer, Mapping) else {}
    user, kind, region = (fields.get(name) for name in ("USER_NAME", "LOGIN_TYPE", "region"))
    is_paper = None if kind not in (1, 2) else kind == 2
    state = replace(found.state, user=text(user), is_paper=is_paper)
    return replace(found, state=state, region=text(region))
