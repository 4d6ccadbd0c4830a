"""Lets old runs go that changed nothing, by a rule that loses no answer about the past.

After thirty days, the last one of each day stays of runs that said the same and have nothing
between them that lasts; of those that did not go through, the first and the last of a day and a
reason. What changed or decided something lasts, and so do the newest runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select
from sqlalchemy.orm import Session, aliased

from portfolio.accounts.models import Account
from portfolio.db.batches import batches
from portfolio.db.session import read_only, unit_of_work
from portfolio.sync.models import (
    BY_HAND,
    BY_SCHEDULE,
    FAILED,
    INTERRUPTED,
    REJECTED,
    RUNNING,
    SUCCEEDED,
    Change,
    SyncRun,
)
from portfolio.sync.past import MOST_RUNS

STAYS_WHOLE = timedelta(days=30)
# So many days are looked at together, and are one transaction.
STRETCH = timedelta(days=30)
BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Whole days of an account, from `start` to before `end`."""

    account_id: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRun:
    """A run as far as the rule looks at it: what it `said`, and whether it `lasts` anyway."""

    id: str
    day: date
    went_through: bool
    said: tuple[str, ...]
    lasts: bool


def thin(now: datetime, zone: tzinfo) -> Iterator[int]:
    """How many runs went, for each transaction in which some did; may be left off at any time."""
    with read_only() as session:
        accounts = session.scalars(select(Account.id).order_by(Account.id)).all()
    for account_id in accounts:
        for stretch in _stretches(account_id, now, zone):
            with read_only() as session:
                found = _superfluous(session, stretch, zone)
            if found:
                yield _let_go(stretch, zone)


def _stretches(account_id: int, now: datetime, zone: tzinfo) -> Iterator[Stretch]:
    """The days of an account that may be thinned; those without a run are skipped."""
    with read_only() as session:
        end = _end_of_old(session, account_id, now, zone)
    start = BEFORE_ALL
    while (first := _first_run(account_id, start, end)) is not None:
        start = min(midnight(first + STRETCH, zone), end)
        yield Stretch(account_id=account_id, start=midnight(first, zone), end=start)


def _end_of_old(session: Session, account_id: int, now: datetime, zone: tzinfo) -> datetime:
    """The end of the days that are old enough, without the newest runs, however old they are."""
    # Who looks back at an account that is empty again and again counts these.
    newest = select(SyncRun.started_at).where(
        SyncRun.account_id == account_id, SyncRun.status != RUNNING
    )
    order = SyncRun.started_at.desc(), SyncRun.id.desc()
    found = session.scalar(newest.order_by(*order).offset(MOST_RUNS - 1).limit(1))
    return midnight(min(found, now - STAYS_WHOLE), zone) if found else BEFORE_ALL


def midnight(at: datetime, zone: tzinfo) -> datetime:
    """The beginning of the day of a time, where the owner lives."""
    return datetime.combine(at.astimezone(zone).date(), time(), zone).astimezone(at.tzinfo)


def _first_run(account_id: int, start: datetime, end: datetime) -> datetime | None:
    within = SyncRun.started_at >= start, SyncRun.started_at < end
    query = select(SyncRun.started_at).where(SyncRun.account_id == account_id, *within)
    with read_only() as session:
        return session.scalar(query.order_by(SyncRun.started_at).limit(1))


def _superfluous(session: Session, of: Stretch, zone: tzinfo) -> list[str]:
    query = select(
        SyncRun.id,
        SyncRun.started_at,
        SyncRun.status,
        SyncRun.reason,
        SyncRun.warnings,
        SyncRun.reconciliation["status"].as_string(),
        _lasts(),
    ).where(
        SyncRun.account_id == of.account_id,
        SyncRun.started_at >= of.start,
        SyncRun.started_at < of.end,
    )
    rows = session.execute(query.order_by(SyncRun.started_at, SyncRun.id))
    runs = [
        OldRun(
            id=id_,
            day=started_at.astimezone(zone).date(),
            went_through=status == SUCCEEDED,
            said=(status, reason or "", *warnings, adds_up or ""),
            lasts=lasts,
        )
        for id_, started_at, status, reason, warnings, adds_up, lasts in rows
    ]
    return superfluous(runs)


def _lasts() -> ColumnElement[bool]:
    """Whether a run changed or decided something, is to be decided upon, or is pointed at."""
    later = aliased(SyncRun)
    idle = and_(SyncRun.added == 0, SyncRun.changed == 0, SyncRun.closed == 0)
    return or_(
        ~idle,
        SyncRun.status.not_in([SUCCEEDED, REJECTED, FAILED, INTERRUPTED]),
        SyncRun.origin.not_in([BY_HAND, BY_SCHEDULE]),
        SyncRun.concerns.is_not(None),
        SyncRun.kept.is_not(None),
        exists().where(Change.run_id == SyncRun.id),
        exists().where(later.concerns == SyncRun.id),
    )


def superfluous(runs: Sequence[OldRun]) -> list[str]:
    """The runs that nobody will ask for, of whole days in their order."""
    return [
        id_
        for _, of_day in groupby(runs, lambda run: run.day)
        for id_ in _superfluous_of_day(list(of_day))
    ]


def _superfluous_of_day(runs: Sequence[OldRun]) -> Iterator[str]:
    in_vain = [run for run in runs if not (run.lasts or run.went_through)]
    for _, alike in groupby(sorted(in_vain, key=_said), _said):
        yield from [run.id for run in alike][1:-1]
    applied = (run for run in runs if run.lasts or run.went_through)
    for (lasts, _), alike in groupby(applied, lambda run: (run.lasts, run.said)):
        if not lasts:
            # The last of them is when the state before the next change was read.
            yield from [run.id for run in alike][:-1]


def _said(run: OldRun) -> tuple[str, ...]:
    return run.said


def _let_go(of: Stretch, zone: tzinfo) -> int:
    with unit_of_work() as session:
        found = _superfluous(session, of, zone)
        for some in batches(found):
            session.execute(delete(SyncRun).where(SyncRun.id.in_(some)))
    return len(found)
