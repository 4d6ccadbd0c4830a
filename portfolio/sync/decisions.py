"""What a person decides about runs: take one back, or apply one after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account, AccountTotals, Holding
from portfolio.accounts.services import totals
from portfolio.accounts.services.portfolios import date_quotes
from portfolio.clock import Moment
from portfolio.errors import Conflict, StorageFailed
from portfolio.sync import gates, journal, kept, lease
from portfolio.sync.journal import Reversal
from portfolio.sync.lease import Held
from portfolio.sync.models import (
    BY_DECISION,
    BY_UNDO,
    IS_RUNNING,
    REJECTED,
    SUCCEEDED,
    UNDONE,
    Change,
    SyncRun,
)
from portfolio.sync.past import past_of
from portfolio.sync.plan import Source, make_plan
from portfolio.sync.rates import believe
from portfolio.sync.reading import Past, Reading
from portfolio.sync.reconcile import reconcile
from portfolio.sync.rows import digest_of, from_source
from portfolio.sync.services import (
    DECIDABLE,
    NO_RECONCILIATION,
    Storing,
    bury,
    drop_kept,
    lease_name,
    succeed,
)
from portfolio.sync.target import Replaced

STILL_FRESH = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who decides what, when: `new_id` is the id of the run that carries it out.

    `is_former` is whether the account is connected to another broker account by now, so that the
    rows of this run are only kept beside those which that one brings.
    """

    run: SyncRun
    account: Account
    source: Source
    new_id: str
    decided_by: str
    moment: Moment
    zone: ZoneInfo
    is_former: bool = False


def why_not_undo(session: Session, run: SyncRun) -> str | None:
    """Why a run cannot be taken back, in one sentence, or None where it can be tried."""
    if run.status != SUCCEEDED:
        return "Only a run that was applied can be taken back."
    if session.scalar(select(Change.id).where(Change.run_id == run.id).limit(1)) is None:
        return "This run changed nothing."
    return None


def why_not_apply(
    session: Session, run: SyncRun, source: Source | None, now: datetime
) -> str | None:
    """Why a run that was not applied cannot be applied any more, or None."""
    account = session.get_one(Account, run.account_id)
    if run.status != REJECTED or run.reason not in DECIDABLE:
        return "Only a run that was not applied can be decided upon."
    if source is None:
        return "The account is not connected any more."
    if run.kept is None:
        return "A later run or decision has taken its place; look at the newest one."
    if now - run.started_at > STILL_FRESH:
        return "What it read is more than a day old; sync again."
    if digest_of(session, account, source) != run.digest_before:
        return "The holdings have changed since; sync again."
    return None


def undo(session: Session, of: Decision) -> SyncRun:
    """Take a run back, as a run of its own; `Conflict` where it cannot be."""
    refusal = why_not_undo(session, of.run)
    if refusal is not None:
        raise Conflict(refusal, "Look at the newest run of the account.")
    held = _reserve(session, of)
    # What later runs, or a person after disconnecting, changed since stays; then there is no whole
    # to compare.
    before = digest_of(session, of.account, of.source)
    untouched = before == of.run.digest
    made = _new_run(session, of, BY_UNDO)
    counts = journal.take_back(
        session,
        Reversal(account=of.account, run_id=made.id, moment=of.moment),
        of.run.id,
    )
    session.flush()
    made.digest_before = before
    made.added, made.changed, made.closed = (
        counts[action] for action in ("added", "changed", "closed")
    )
    made.reconciliation = {**NO_RECONCILIATION, "likely_cause": "undone"}
    chain = undo_chain(session, of.run)
    # Of undos of undos, every second one holds; so does the run that they are about, or not.
    for number, each in enumerate(chain):
        each.status = SUCCEEDED if number % 2 else UNDONE
    brought_back = _brought_back(session, of, chain)
    if _tells_of_the_broker(of):
        # Prices do not go back: they keep the time that they were read.
        date_quotes(session, of.account, of.source.manifest.key, of.source.broker_account)
        of.account.synced_at = brought_back
    row = totals.touch(session, of.account, of.moment)
    restated = journal.redescribed(session, of.run.id)
    totals.instruments_changed(session, restated, of.account, of.moment)
    if not of.is_former:
        _forget_broker_total(row)
        drop_kept(session, of.account.id)
    made.digest = digest_of(session, of.account, of.source)
    if untouched and _is_newest(session, of) and made.digest != of.run.digest_before:
        raise StorageFailed("The former state did not come back; nothing was changed.")
    if held is not None:
        lease.release(session, held)
    return made


def _tells_of_the_broker(of: Decision) -> bool:
    """Whether what comes back is what the account's broker said.

    What was read before the account was connected anew says nothing of what it holds now.
    """
    return not of.is_former and not (of.account.unread and of.run.connection_id is None)


def _forget_broker_total(row: AccountTotals) -> None:
    # The broker's total belongs to the state that was taken back.
    row.broker_net_liquidation = None


def undo_chain(session: Session, run: SyncRun) -> list[SyncRun]:
    """A run, what it took back if it is an undo, and so on to the run that all of it is about."""
    found = [run]
    while found[-1].origin == BY_UNDO and found[-1].concerns is not None:
        found.append(session.get_one(SyncRun, found[-1].concerns))
    return found


def settles(session: Session, run: SyncRun) -> bool:
    """Whether taking a run back leaves nothing taken back of what the broker said last."""
    chain = undo_chain(session, run)
    if not _brings_back(chain):
        return False
    of_connection = (
        SyncRun.account_id == run.account_id,
        SyncRun.connection_id.is_not_distinct_from(run.connection_id),
        SyncRun.digest.is_not(None),
    )
    last = select(func.max(SyncRun.started_at)).where(*of_connection, SyncRun.origin != BY_UNDO)
    others = select(SyncRun).where(
        *of_connection,
        SyncRun.origin == BY_UNDO,
        SyncRun.status == SUCCEEDED,
        SyncRun.started_at > last.scalar_subquery(),
        SyncRun.id.not_in([each.id for each in chain]),
    )
    undos = session.scalars(others).all()
    return not any(_brings_back(undo_chain(session, each)) for each in undos)


def _brings_back(chain: Sequence[SyncRun]) -> bool:
    """Whether taking back the first of a chain brings another one back, as of an undo it does."""
    return sum(each.origin == BY_UNDO for each in chain) % 2 == 1


def _brought_back(session: Session, of: Decision, chain: Sequence[SyncRun]) -> datetime | None:
    """When the state that comes back was read; taking back an undo brings its run back."""
    original = chain[-1]
    if original.origin == BY_UNDO or original.status != SUCCEEDED:
        return shown_since(session, original)
    # A run reads before it ends: by its end, all the prices that it read would look older.
    read = select(func.max(Holding.quoted_at)).where(
        *from_source(of.account, of.source),
        Holding.quoted_at >= original.started_at,
        Holding.quoted_at <= original.finished_at,
    )
    return session.scalar(read) or original.finished_at


def shown_since(session: Session, run: SyncRun) -> datetime | None:
    """When the state before a run was read: the end of the applied run before it.

    None before the first one of a connection, whatever a former connection has brought.
    """
    before = (
        select(SyncRun.finished_at)
        .where(
            SyncRun.account_id == run.account_id,
            SyncRun.connection_id.is_not_distinct_from(run.connection_id),
            SyncRun.status == SUCCEEDED,
            SyncRun.digest.is_not(None),
            SyncRun.origin != BY_UNDO,
            SyncRun.started_at < run.started_at,
        )
        .order_by(SyncRun.started_at.desc(), SyncRun.id.desc())
    )
    return session.scalar(before.limit(1))


def _is_newest(session: Session, of: Decision) -> bool:
    """Whether no later run changed anything."""
    later = (
        select(Change.id)
        .join(SyncRun, SyncRun.id == Change.run_id)
        .where(
            SyncRun.account_id == of.account.id,
            SyncRun.started_at > of.run.started_at,
            SyncRun.id != of.new_id,
        )
    )
    return session.scalar(later.limit(1)) is None


def apply_anyway(
    session: Session, of: Decision, replaced: Replaced, futures_profit_counts: bool | None
) -> tuple[SyncRun, Reading]:
    """Apply what a run read and a gate stopped; `Conflict` where that is no longer possible."""
    refusal = why_not_apply(session, of.run, of.source, of.moment.now)
    if refusal is not None:
        raise Conflict(refusal, "Sync again; a true change goes through by itself.")
    held = _reserve(session, of)
    by = of.run.connection_id
    past = past_of(session, of.account, of.source, futures_profit_counts, connection_id=by)
    reading = kept_reading(of.run, past)
    made = _new_run(session, of, BY_DECISION)
    made.digest_before = of.run.digest_before
    made.warnings = list(reading.snapshot.warnings)
    made.reconciliation = dict(of.run.reconciliation)
    with_ = Storing(
        source=of.source, now=of.moment.now, zone=of.zone, leases=(), replaced=replaced
    )
    succeed(session, of.account, made, reading, with_)
    if held is not None:
        lease.release(session, held)
    return made, reading


def kept_reading(run: SyncRun, past: Past) -> Reading:
    """What a run that was not applied has read, to be applied; its rates are judged as ever."""
    snapshot = kept.loaded(run.kept or {})
    plan = make_plan(past.stored, snapshot)
    judgement = reconcile(snapshot, past.futures_profit_counts)
    rates = past.rates if past.base_currency == snapshot.ledger.base_currency else {}
    return Reading(
        past=past,
        snapshot=snapshot,
        plan=plan,
        evidence=gates.Evidence(stored=past.stored, snapshot=snapshot, judgement=judgement),
        judgement=judgement,
        believed=believe(snapshot.ledger, rates, past.doubts, snapshot.read_at),
        verdict=gates.Verdict(),
    )


def _reserve(session: Session, of: Decision) -> Held | None:
    """Keep runs away while the state changes; `Conflict` while one is under way."""
    bury(session, of.moment.now, of.account.id)
    running = SyncRun.account_id == of.account.id, IS_RUNNING
    if session.scalar(select(SyncRun.id).where(*running)) is not None:
        raise Conflict("A sync of this account is under way.", "Wait until it is over.")
    if of.run.connection_id is None:
        return None
    return lease.take(session, lease_name(of.run.connection_id), of.new_id, of.moment.now)


def _new_run(session: Session, of: Decision, origin: str) -> SyncRun:
    run = SyncRun(
        id=of.new_id,
        account_id=of.account.id,
        connection_id=of.run.connection_id,
        status=SUCCEEDED,
        origin=origin,
        concerns=of.run.id,
        decided_by=of.decided_by,
        started_at=of.moment.now,
        finished_at=of.moment.now,
        lease_until=of.moment.now,
        added=0,
        changed=0,
        closed=0,
        unchanged=0,
        repriced=0,
        warnings=[],
        reconciliation=NO_RECONCILIATION,
    )
    session.add(run)
    session.flush()
    return run
