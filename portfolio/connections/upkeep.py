"""Which gateway to ask now, what its answer means, and which account to sync next; all of it pure.

A gateway is "unknown" until somebody asks it; then it is "ready", or what its error's code says.
While it is ready it is asked at an even pace; while it is not, with growing pauses, and never
before a time that it named itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from brokers.errors import (
    AddressNotAllowed,
    BadAnswer,
    BrokerAccountMissing,
    BrokerError,
    CertificateChanged,
    CertificateUntrusted,
    CredentialsMissing,
    GatewayUnreachable,
    NotAGateway,
    NotAuthenticated,
    PositionsNotReleased,
    RateLimited,
    Refused,
    SessionStarting,
)
from brokers.types import Diagnosis, SessionState
from portfolio.connections.queries import needs_user

READY, UNKNOWN = "ready", "unknown"
SHORTEST_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(minutes=30)
# Brokers end a session that nobody uses for some minutes (IBKR: six). So a login is looked for
# often enough to be kept, and a session that an outage may have left is asked for as before.
BETWEEN_LOOKS_FOR_LOGIN = timedelta(minutes=5)
EVEN_FAILURES = 6
# What is well for so long is well; what breaks again sooner comes and goes, until it is gone
# for so long.
SETTLED, GONE = timedelta(minutes=10), timedelta(minutes=20)
# So much lies between two accounts that catch up through the same gateway.
APART = timedelta(seconds=5)

# What a gateway can need a person for; an account that is missing is a matter of that account.
WAITS_FOR_A_PERSON = frozenset(
    of.code
    for of in (
        NotAuthenticated,
        NotAGateway,
        AddressNotAllowed,
        CertificateChanged,
        CertificateUntrusted,
        CredentialsMissing,
    )
)
# What of a session is stored as text.
TIMES = ("expires_at", "ends_at")
MISSING = BrokerAccountMissing.code
# Only somebody who is signed in meets these.
SIGNED_IN = frozenset({MISSING, PositionsNotReleased.code, SessionStarting.code})
# An odd answer to a question about an account says nothing about the session.
SAYS_NOTHING = frozenset({BadAnswer.code, Refused.code, BrokerError.code})
# Troubles that a call to the gateway itself would meet, too. Others may concern one question only:
# catching up after each of them would repeat the sync that met them, again and again.
WHOLE_GATEWAY = WAITS_FOR_A_PERSON | {RateLimited.code, GatewayUnreachable.code}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a contact ended: `code` is "ready", an error's code, or "unknown" if it told nothing."""

    code: str = READY
    message: str | None = None
    remedy: str | None = None
    retry_at: datetime | None = None
    session: SessionState | None = None

    @classmethod
    def of_call(cls, error: BrokerError | None, session: SessionState | None = None) -> Outcome:
        """The outcome of a call that asked for nothing but the session."""
        if error is None:
            return cls(session=session)
        return cls(
            code=error.code, message=error.message, remedy=error.remedy, retry_at=error.retry_at
        )

    @classmethod
    def of_run(cls, error: BrokerError | None, session: SessionState | None = None) -> Outcome:
        """What the end of a sync run says about the gateway."""
        return cls.of_call(error, session)._about_the_gateway(session)

    @classmethod
    def of_test(cls, found: Diagnosis) -> Outcome:
        """What a test of the connection says about the gateway."""
        if found.connected:
            return cls(session=found.session)
        told = cls(
            code=found.code,
            message=found.message,
            remedy=found.remedy,
            retry_at=found.retry_at,
        )
        return told._about_the_gateway(found.session)

    def _about_the_gateway(self, session: SessionState | None) -> Outcome:
        if self.code in SIGNED_IN:
            return Outcome(session=session)
        return Outcome(code=UNKNOWN) if self.code in SAYS_NOTHING else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a gateway; `user` is who was signed in last."""

    state: str = UNKNOWN
    since: datetime | None = None
    failures: int = 0
    contacted_at: datetime | None = None
    next_contact_at: datetime | None = None
    silent_until: datetime | None = None
    user: str | None = None

    @property
    def is_broken(self) -> bool:
        """Whether it is known not to work."""
        return self.state not in {READY, UNKNOWN}

    def is_silenced(self, now: datetime) -> bool:
        """Whether the broker asked for silence, until later than now."""
        return self.silent_until is not None and self.silent_until > now


def after_contact(before: Standing, outcome: Outcome, now: datetime, pause: timedelta) -> Standing:
    """The standing once a contact has ended; `pause` is the time to the next if all is well."""
    if outcome.code == UNKNOWN:
        return replace(before, contacted_at=now)
    changed = outcome.code != before.state
    failures = 0 if outcome.code == READY else _failures(before, now, changed=changed)
    at = now + (back_off(failures, outcome.code) if failures else pause)
    user = outcome.session.user if outcome.session else None
    return replace(
        before,
        state=outcome.code,
        since=now if changed else before.since,
        failures=failures,
        contacted_at=now,
        next_contact_at=max(at, outcome.retry_at or at),
        user=user or before.user,
    )


def _failures(before: Standing, now: datetime, *, changed: bool) -> int:
    # Another trouble is news, perhaps of somebody who is at work there: begin with short pauses.
    if changed:
        return 1
    early = before.next_contact_at is not None and before.next_contact_at > now
    # A person who tries before the time must not make the pauses grow.
    return max(before.failures, 1) if early else before.failures + 1


def back_off(failures: int, code: str) -> timedelta:
    """The pause after so many failures in a row: a minute, doubling up to half an hour.

    It stays a minute while a session may still live or come back, and five at most while a login
    is missed.
    """
    signed_out = code == NotAuthenticated.code
    lost = code in WAITS_FOR_A_PERSON and not signed_out
    growing = failures - 1 if lost else failures - EVEN_FAILURES
    longest = BETWEEN_LOOKS_FOR_LOGIN if signed_out else LONGEST_PAUSE
    return min(SHORTEST_PAUSE * (1 << min(max(growing, 0), 10)), longest)


def worth_saying(said: str | None, before: Standing, after: Standing, now: datetime) -> bool:
    """Whether a change is news; `said` is the trouble that was said last, or "ready" after it.

    A gateway that comes and goes is said once: what breaks soon after it has healed is news only
    when it lasts.
    """
    if after.state == READY:
        return said not in {None, READY}
    if not after.is_broken or said not in {None, READY}:
        return False
    was_settled = before.state == READY and _lasted(before, before.contacted_at, SETTLED)
    return said is None or was_settled or _lasted(after, now, GONE)


def _lasted(standing: Standing, until: datetime | None, least: timedelta) -> bool:
    since = standing.since
    return since is not None and until is not None and until - since >= least


def has_come_back(before: Standing, after: Standing) -> bool:
    """Whether an outage of the whole gateway has ended, or somebody else has signed in."""
    if after.state != READY:
        return False
    whole = before.state in WHOLE_GATEWAY or before.failures > 1
    return (before.is_broken and whole) or is_another_user(before, after)


def is_another_user(before: Standing, after: Standing) -> bool:
    """Whether another user is signed in than before, as far as both are known."""
    return None not in (before.user, after.user) and before.user != after.user


def healed_codes(before: Standing, after: Standing) -> frozenset[str]:
    """Which troubles of accounts are over now that the gateway is ready."""
    # Another user may have the account that was missing; whether it is so, a sync will tell.
    return WAITS_FOR_A_PERSON | ({MISSING} if is_another_user(before, after) else set())


def contact_is_due(
    standing: Standing, now: datetime, pause: timedelta, linked_at: datetime | None = None
) -> bool:
    """Whether to ask a gateway now; `linked_at` is when its newest connection was made."""
    at, last = standing.next_contact_at, standing.contacted_at
    if standing.is_silenced(now):
        return False
    if at is None or at <= now or last is None:
        return True
    # A contact in the future, or a pause longer than any: the clock was put back.
    jumped = last > now or (standing.state == READY and at - now > pause * 2)
    return jumped or (linked_at is not None and last < linked_at <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A connection that the schedule may sync, and what decides when."""

    connection_id: int
    gateway_id: int
    owner_id: int
    portfolio_id: int
    account_id: int
    attention_code: str | None = None
    next_run_at: datetime | None = None
    synced_at: datetime | None = None


def next_run(planned: Planned, now: datetime, interval: timedelta) -> datetime | None:
    """When the schedule syncs a connection next; None is at once.

    A sync by hand that came after the planned time counts as the planned one.
    """
    at, read = planned.next_run_at, planned.synced_at
    if read is not None and read <= now and (at is None or at <= read):
        at = read + interval
    # Further ahead than any plan: the clock was put back, or the interval was made shorter.
    return None if at is not None and at - now > interval + interval / 10 else at


def may_run(
    planned: Planned, standing: Standing, now: datetime, *, keeps_alive: bool = True
) -> bool:
    """Whether nothing stands in the way: no person is needed, no penalty runs, all is ready.

    A gateway that is never asked for its session (not `keeps_alive`) counts as ready.
    """
    waits = planned.attention_code is not None and needs_user(planned.attention_code)
    open_ = standing.state == READY or not keeps_alive
    return open_ and not waits and not standing.is_silenced(now)


def turns(
    waiting: Iterable[Planned], now: datetime, interval: timedelta
) -> dict[int, list[Planned]]:
    """The connections of each gateway that are due, the one that is due for longest first."""
    found: dict[int, list[Planned]] = {}
    due = [
        (at or datetime.min.replace(tzinfo=now.tzinfo), each.connection_id, each)
        for each in waiting
        if (at := next_run(each, now, interval)) is None or at <= now
    ]
    for _, _, each in sorted(due, key=lambda of: of[:2]):
        found.setdefault(each.gateway_id, []).append(each)
    return found


def session_as_json(session: SessionState) -> dict[str, Any]:
    """A session as it is stored."""
    times = {name: at.isoformat() if (at := getattr(session, name)) else None for name in TIMES}
    return {**asdict(session), **times}


def session_of(stored: Mapping[str, Any] | None) -> SessionState | None:
    """The session that was stored, or None."""
    if stored is None:
        return None
    # What an older version has stored has not all of them.
    times = {
        name: datetime.fromisoformat(at) if (at := stored.get(name)) else None for name in TIMES
    }
    return SessionState(**{**stored, **times})
