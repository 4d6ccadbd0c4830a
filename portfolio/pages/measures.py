"""What a monitor is told of the database: counts, ages and states under internal numbers only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account
from portfolio.connections.models import Connection, Gateway
from portfolio.sync.models import SyncRun
from portfolio.users.people import not_disabled

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs of the last day; `took` and `longest` are by outcome, of those that have ended."""

    number: Counter[tuple[str, str]]
    took: Counter[str]
    longest: dict[str, timedelta]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """A gateway as it was stored last; times are None where there was no such moment."""

    id: int
    state: str
    failures: int
    contacted_at: datetime | None
    silent_until: datetime | None
    called_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """A connected account: when its holdings were read, and whether a person must act."""

    id: int
    synced_at: datetime | None
    needs_somebody: bool
    is_paused: bool


def runs(session: Session, now: datetime) -> Runs:
    """The runs that began in the last day, of all owners."""
    # By account, which is how the index finds them: the table grows for years.
    query = select(SyncRun.status, SyncRun.origin, SyncRun.started_at, SyncRun.finished_at).where(
        SyncRun.account_id.in_(select(Account.id)), SyncRun.started_at > now - DAY
    )
    number: Counter[tuple[str, str]] = Counter()
    took: Counter[str] = Counter()
    longest: dict[str, timedelta] = {}
    for status, origin, started_at, finished_at in session.execute(query):
        number[status, origin] += 1
        if finished_at is not None:
            # A clock that was put back in between tells nothing.
            duration = max(finished_at - started_at, timedelta())
            took[status] += duration // timedelta(milliseconds=1)
            longest[status] = max(duration, longest.get(status, duration))
    return Runs(number=number, took=took, longest=longest)


def gateways(session: Session) -> Iterator[GatewayState]:
    """Every gateway."""
    for row in session.scalars(select(Gateway).order_by(Gateway.id)):
        calls = [datetime.fromisoformat(at) for at in (row.last_calls or {}).values()]
        yield GatewayState(
            id=row.id,
            state=row.state,
            failures=row.failures,
            contacted_at=row.contacted_at,
            silent_until=row.silent_until,
            called_at=max(calls, default=None),
        )


def accounts(session: Session) -> Iterator[AccountState]:
    """Every connected account of users who are not disabled: nothing is read for others."""
    query = (
        select(Account.id, Account.synced_at, Account.attention_code, Connection.paused_at)
        .join(Connection, Connection.account_id == Account.id)
        .where(not_disabled(Connection.owner_id))
        .order_by(Account.id)
    )
    for number, synced_at, code, paused_at in session.execute(query):
        yield AccountState(
            id=number,
            synced_at=synced_at,
            needs_somebody=code is not None,
            is_paused=paused_at is not None,
        )
