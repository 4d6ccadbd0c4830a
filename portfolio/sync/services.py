"""One run from beginning to end: reserve it, read, plan, judge, apply, or say why not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from brokers.contract import Capability, Connection, believable
from brokers.types import Snapshot, Witness
from portfolio.accounts.models import Account
from portfolio.clock import Moment
from portfolio.db.session import unit_of_work
from portfolio.sync import gates
from portfolio.sync.apply import Source, Target, apply, stored_state
from portfolio.sync.gates import Evidence, Rejection
from portfolio.sync.models import (
    FAILED,
    INTERRUPTED,
    REJECTED,
    RUNNING,
    SUCCEEDED,
    SyncRun,
)
from portfolio.sync.plan import Plan, Stored, make_plan

# A run is bounded by its deadline of a minute; one that is silent for twice that is dead.
LEASE = timedelta(minutes=2)
NO_RECONCILIATION: dict[str, Any] = {
    "status": "unavailable",
    "difference": None,
    "currency": None,
    "likely_cause": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a run read, and what follows from it."""

    snapshot: Snapshot
    plan: Plan
    evidence: Evidence
    rejection: Rejection | None


class LeaseLost(Exception):
    """Another run has taken over; this one must not write."""


def begin(
    session: Session, account_id: int, connection_id: int, now: datetime, new_id: str
) -> tuple[SyncRun, bool]:
    """The run that is under way, or a new one; the flag says whether it is new."""
    running = session.scalar(
        select(SyncRun).where(SyncRun.account_id == account_id, SyncRun.status == RUNNING)
    )
    if running is not None and running.lease_until > now:
        return running, False
    if running is not None:
        running.status, running.reason, running.finished_at = (
            INTERRUPTED,
            "interrupted",
            now,
        )
        session.flush()
    run = SyncRun(
        id=new_id,
        account_id=account_id,
        connection_id=connection_id,
        status=RUNNING,
        started_at=now,
        lease_until=now + LEASE,
        reconciliation=NO_RECONCILIATION,
    )
    session.add(run)
    session.flush()
    return run, True


def read(
    broker: Connection,
    source: Source,
    stored: Stored,
    emptied_before: datetime | None,
) -> Reading:
    """Read the account, and look a second time where something would be no longer held.

    Contacts the broker: no transaction may be open.
    """
    can, broker_account = source.manifest.capabilities, source.broker_account
    snapshot = _snapshot(broker, broker_account)
    plan = make_plan(stored, snapshot)
    witness = None
    doubtful = gates.unexplained(plan, stored, snapshot) or gates.is_emptied(plan, snapshot)
    if doubtful and Capability.WITNESS in can:
        witness = broker.witness(broker_account)
        if _quantities_moved(snapshot, witness):
            # The later read counts: what changed in between is read again as a whole.
            snapshot = _snapshot(broker, broker_account)
            plan = make_plan(stored, snapshot)
    margin = None
    if gates.is_emptied(plan, snapshot) and Capability.MARGIN in can:
        margin = broker.maintenance_margin(broker_account)
    evidence = Evidence(
        stored=stored,
        snapshot=snapshot,
        witness=witness,
        margin=margin,
        emptied_before=emptied_before,
    )
    return Reading(
        snapshot=snapshot,
        plan=plan,
        evidence=evidence,
        rejection=gates.judge(plan, evidence),
    )


def _snapshot(broker: Connection, broker_account: str) -> Snapshot:
    snapshot = broker.snapshot(broker_account)
    believable(snapshot)
    return snapshot


def _quantities_moved(snapshot: Snapshot, witness: Witness) -> bool:
    seen = witness.quantities
    return any(
        seen.get(position.instrument.key, position.quantity) != position.quantity
        for position in snapshot.positions
    )


def store(run_id: str, reading: Reading, source: Source, now: datetime, zone: ZoneInfo) -> None:
    """Apply what was read, or record why not; one transaction, and only while the run is ours."""
    with unit_of_work() as session:
        run = _own(session, run_id, now)
        account = session.scalars(select(Account).where(Account.id == run.account_id)).one()
        plan, rejection = reading.plan, reading.rejection
        if rejection is None and stored_state(session, account, source) != reading.evidence.stored:
            raise LeaseLost(run_id)
        for action in ("added", "changed", "closed"):
            setattr(run, action, plan.count(action))
        run.unchanged, run.repriced = plan.unchanged, plan.repriced
        run.warnings = list(reading.snapshot.warnings)
        run.finished_at = now
        if rejection is None:
            run.status = SUCCEEDED
            day = Moment.at(reading.snapshot.read_at, zone).day
            moment = Moment(now=now, day=day)
            target = Target(account=account, source=source, run=run, moment=moment)
            run.digest = apply(session, target, plan, reading.snapshot)
            account.attention_code = None
        else:
            _reject(run, reading, rejection)
            account.attention_code = "sync_rejected"


def _own(session: Session, run_id: str, now: datetime) -> SyncRun:
    """Our own running run, locked; `LeaseLost` where it was taken over or has run out."""
    ours = SyncRun.id == run_id, SyncRun.status == RUNNING, SyncRun.lease_until > now
    run = session.scalar(select(SyncRun).where(*ours).with_for_update())
    if run is None:
        raise LeaseLost(run_id)
    return run


def _reject(run: SyncRun, reading: Reading, rejection: Rejection) -> None:
    run.status, run.reason = REJECTED, rejection.gate
    run.evidence = {
        "saw": rejection.saw,
        "empty": gates.both_empty(reading.evidence),
        "steps": [[step.subject, step.label, step.action] for step in reading.plan.steps],
    }


def fail(run_id: str, error: dict[str, Any], now: datetime, *, attention: bool) -> None:
    """Record that a run failed; the holdings are as they were."""
    with unit_of_work() as session:
        run = session.get(SyncRun, run_id)
        if run is None or run.status != RUNNING:
            return
        run.status, run.reason, run.error = FAILED, error["code"], error
        run.finished_at = now
        if attention:
            account = session.scalars(select(Account).where(Account.id == run.account_id)).one()
            account.attention_code = error["code"]


def interrupt(session: Session, run_id: str, now: datetime) -> None:
    """Record that a run ended without a word, or was overtaken."""
    run = session.get(SyncRun, run_id)
    if run is not None and run.status == RUNNING:
        run.status, run.reason, run.finished_at = INTERRUPTED, "interrupted", now
        session.flush()


def emptied_before(session: Session, account_id: int) -> datetime | None:
    """When a first run, not followed by an applied one, saw the account empty in both reads."""
    query = select(SyncRun).where(SyncRun.account_id == account_id, SyncRun.status != RUNNING)
    first = None
    for run in session.scalars(query.order_by(SyncRun.started_at.desc()).limit(50)):
        if run.status == SUCCEEDED:
            break
        if run.status == REJECTED and (run.evidence or {}).get("empty"):
            first = run.started_at
    return first
