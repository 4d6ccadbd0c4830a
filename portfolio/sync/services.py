"""One run from beginning to end: reserve it, read, judge, apply, or say why not; and undo it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, TextClause, or_, select, update
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account
from portfolio.accounts.queries.portfolios import NOT_RECONCILED
from portfolio.clock import Moment
from portfolio.db.session import changed_rows, unit_of_work
from portfolio.sync import gates, kept, lease
from portfolio.sync.apply import apply
from portfolio.sync.lease import Held, LeaseLost
from portfolio.sync.models import (
    BY_UNDO,
    FAILED,
    INTERRUPTED,
    IS_RUNNING,
    REJECTED,
    RUNNING,
    SUCCEEDED,
    SyncRun,
)
from portfolio.sync.plan import Plan, Source, make_plan, stored_digest
from portfolio.sync.reading import Reading
from portfolio.sync.reconcile import DIFFERS, as_stored
from portfolio.sync.target import Replaced, Target

NO_RECONCILIATION: dict[str, Any] = {
    "status": "unavailable",
    "difference": None,
    "tolerance": None,
    "currency": None,
    "likely_cause": None,
}
UNCONFIRMED = "removal_unconfirmed"
DECIDABLE = frozenset({"removal", "shrink", "emptied", "first_read", "cash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A run, and the lease of its connection where this call began it."""

    run: SyncRun
    held: Held | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storing:
    """What a run is stored with: where from, when, under which leases, and what goes with it.

    `settle` is called in the same transaction once a run was applied.
    """

    source: Source
    now: datetime
    zone: ZoneInfo
    leases: Sequence[Held]
    replaced: Replaced = field(default_factory=Replaced)
    settle: Callable[[Session, Reading], None] | None = None


def begin(
    session: Session,
    account_id: int,
    connection_id: int,
    *,
    now: datetime,
    new_id: str,
    origin: str,
) -> Begun:
    """The run that is under way, or a new one that holds the lease of its connection."""
    # Whoever comes second waits here, and then finds the run of the first.
    session.execute(select(Account.id).where(Account.id == account_id).with_for_update())
    bury(session, now, account_id)
    running = session.scalar(select(SyncRun).where(SyncRun.account_id == account_id, IS_RUNNING))
    if running is not None:
        return Begun(run=running, held=None)
    held = lease.take(session, lease_name(connection_id), new_id, now)
    if held is None:
        # Its last run ended without giving the lease back; the fence keeps that one out.
        lease.revoke(session, lease_name(connection_id))
        held = lease.take(session, lease_name(connection_id), new_id, now)
    assert held is not None
    run = SyncRun(
        id=new_id,
        account_id=account_id,
        connection_id=connection_id,
        status=RUNNING,
        origin=origin,
        started_at=now,
        lease_until=now + lease.LASTS,
        reconciliation=NO_RECONCILIATION,
    )
    session.add(run)
    session.flush()
    return Begun(run=run, held=held)


def lease_name(connection_id: int) -> str:
    """The name of a connection's lease."""
    return f"connection:{connection_id}"


def bury(session: Session, now: datetime, account_id: int | None = None) -> int:
    """Mark runs as interrupted whose process ended without a word; returns how many."""
    over = or_(SyncRun.lease_until <= now, SyncRun.lease_until > now + lease.FURTHEST)
    dead: list[ColumnElement[bool] | TextClause] = [IS_RUNNING, over]
    if account_id is not None:
        dead.append(SyncRun.account_id == account_id)
    ended = {"status": INTERRUPTED, "reason": "interrupted", "finished_at": now, "progress": None}
    return changed_rows(session, update(SyncRun).where(*dead).values(**ended))


def renew(session: Session, run_id: str, held: Sequence[Held], now: datetime, **seen: Any) -> None:
    """Hold the leases of a run for longer, and note what it has seen; `LeaseLost` if taken."""
    for each in held:
        lease.renew(session, each, now)
    ours = SyncRun.id == run_id, SyncRun.status == RUNNING
    values = {"lease_until": now + lease.LASTS, "progress": seen or None}
    if changed_rows(session, update(SyncRun).where(*ours).values(**values)) != 1:
        raise LeaseLost(run_id)


def store(run_id: str, reading: Reading, with_: Storing) -> None:
    """Apply what was read, or record why not; one transaction, and only while the run is ours."""
    with unit_of_work() as session:
        run = _own(session, run_id, with_)
        account = session.scalars(select(Account).where(Account.id == run.account_id)).one()
        run.warnings = list(reading.snapshot.warnings)
        run.finished_at, run.progress = with_.now, None
        run.digest_before = stored_digest(reading.past.stored)
        run.reconciliation = as_stored(reading.judgement)
        run.evidence = _evidence(reading)
        if reading.verdict.rejection is not None:
            _reject(session, run, reading)
            account.attention_code = "sync_rejected"
        else:
            succeed(session, account, run, reading, with_)


def succeed(
    session: Session, account: Account, run: SyncRun, reading: Reading, with_: Storing
) -> None:
    """Write a reading into the account, as what `run` did."""
    plan, snapshot = reading.plan, reading.snapshot
    count(run, plan)
    run.status, run.reason = SUCCEEDED, None
    target = Target(
        account=account,
        source=with_.source,
        run=run,
        moment=Moment.at(with_.now, with_.zone),
        rated_on=Moment.at(snapshot.read_at, with_.zone).day,
        replaced=with_.replaced,
        futures_profit_counts=bool(reading.judgement.futures_profit_counts),
    )
    keep = reading.verdict.unconfirmed
    before, rates = reading.past.stored, reading.believed.rates
    run.digest = apply(session, target, plan, snapshot, before=before, rates=rates, keep=keep)
    run.warnings = [*run.warnings, *([UNCONFIRMED] if keep else [])]
    twice = reading.judgement.status == DIFFERS and _differed(session, run)
    run.warnings = [*run.warnings, *([NOT_RECONCILED] if twice else [])]
    account.attention_code = NOT_RECONCILED if twice else None
    drop_kept(session, account.id)
    if with_.settle is not None:
        with_.settle(session, reading)


def count(run: SyncRun, plan: Plan) -> None:
    """Note how many rows a plan changes."""
    for action in ("added", "changed", "closed"):
        setattr(run, action, plan.count(action))
    run.unchanged, run.repriced = plan.unchanged, plan.repriced


def _differed(session: Session, run: SyncRun) -> bool:
    """Whether the applied run before this one, by the same connection, did not add up either."""
    ours = SyncRun.connection_id.is_not_distinct_from(run.connection_id)
    before = (
        select(SyncRun.reconciliation, SyncRun.connection_id)
        .where(
            SyncRun.account_id == run.account_id,
            # What a former connection has brought may have been taken back meanwhile.
            or_(ours, SyncRun.origin != BY_UNDO),
            SyncRun.status == SUCCEEDED,
            # Said for the index: runs of a long outage are not among those that it holds.
            SyncRun.digest.is_not(None),
            SyncRun.id != run.id,
        )
        .order_by(SyncRun.started_at.desc(), SyncRun.id.desc())
        .limit(1)
    )
    found = session.execute(before).one_or_none()
    if found is None or found.connection_id != run.connection_id:
        return False
    return bool(found.reconciliation["status"] == DIFFERS)


def _own(session: Session, run_id: str, with_: Storing) -> SyncRun:
    """Our own running run, locked, with its leases; `LeaseLost` where any was taken over."""
    for held in with_.leases:
        lease.check(session, held, with_.now)
    ours = SyncRun.id == run_id, SyncRun.status == RUNNING
    run = session.scalar(select(SyncRun).where(*ours).with_for_update())
    if run is None:
        raise LeaseLost(run_id)
    return run


def _evidence(reading: Reading) -> dict[str, Any]:
    doubts = {
        currency: {"value": str(doubt.value), "since": doubt.since.isoformat()}
        for currency, doubt in reading.believed.doubts.items()
    }
    plan = reading.plan
    if reading.verdict.unconfirmed:
        plan = make_plan(reading.past.stored, reading.snapshot)
    since = reading.evidence.shrunk_since or reading.snapshot.read_at
    return {
        "empty": gates.both_empty(reading.evidence),
        "doubts": doubts,
        "shrunk": sorted(gates.shrunk_keys(plan, reading.evidence)),
        "shrunk_since": since.isoformat(),
    }


def _reject(session: Session, run: SyncRun, reading: Reading) -> None:
    rejection = reading.verdict.rejection
    assert rejection is not None
    run.status, run.reason = REJECTED, rejection.gate
    drop_kept(session, run.account_id)
    run.kept = kept.dumped(reading.snapshot, reading.plan)
    run.evidence = {**(run.evidence or {}), "saw": rejection.saw}


def drop_kept(session: Session, account_id: int) -> None:
    """Only the newest answer may still be decided upon, and only in the state that it met."""
    older = SyncRun.account_id == account_id, SyncRun.kept.is_not(None)
    session.execute(update(SyncRun).where(*older).values(kept=None))


def give_back(held: Held) -> None:
    """Give a lease back, so that the next run need not wait until its time is over."""
    with unit_of_work() as session:
        lease.release(session, held)


def has_ended(run_id: str) -> bool:
    """Whether a run has ended; waits for a COMMIT that is still on its way, and then knows."""
    with unit_of_work() as session:
        run = _locked(session, run_id)
        return run is not None and run.status != RUNNING


def _locked(session: Session, run_id: str) -> SyncRun | None:
    # Without the lock a COMMIT whose connection was lost could come after our look.
    return session.get(SyncRun, run_id, with_for_update=True)


def fail(run_id: str, error: dict[str, Any], now: datetime, *, attention: bool) -> None:
    """Record that a run failed, unless it has ended; the holdings are as they were."""
    with unit_of_work() as session:
        run = _locked(session, run_id)
        if run is None or run.status != RUNNING:
            return
        run.status, run.reason, run.error = FAILED, error["code"], error
        run.finished_at, run.progress = now, None
        if attention:
            account = session.scalars(select(Account).where(Account.id == run.account_id)).one()
            account.attention_code = error["code"]


def interrupt(session: Session, run_id: str, now: datetime) -> None:
    """Record that a run ended without a word, or was overtaken."""
    run = _locked(session, run_id)
    if run is not None and run.status == RUNNING:
        run.status, run.reason, run.finished_at = INTERRUPTED, "interrupted", now
        run.progress = None
        session.flush()
