"""What is read of sync runs and their changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer
from sqlalchemy.sql.base import ExecutableOption

from portfolio.accounts.models import Account, Portfolio
from portfolio.accounts.queries.visible import refuse_viewer, visible
from portfolio.db.paging import Page, page_of
from portfolio.errors import NotFound
from portfolio.sync.models import HOLDING, REJECTED, Change, SyncRun

FAILED_FOR_OWNER = "The sync did not go through; its owner sees why."
ABOUT_THE_GATEWAY = frozenset({"certificate_stock", "signed_in_elsewhere"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run; `reason` names the gate of a rejected run or the error code of a failed one.

    `origin` is what began it (hand, schedule, undo, decision), `concerns` the run that an undo or
    a decision is about, `progress` what a running one has seen so far.
    """

    id: str
    account_id: int
    status: str
    reason: str | None
    started_at: datetime
    finished_at: datetime | None
    added: int
    changed: int
    closed: int
    unchanged: int
    repriced: int
    warnings: tuple[str, ...]
    reconciliation: dict[str, Any]
    error: dict[str, Any] | None
    origin: str
    concerns: str | None = None
    decided_by: str | None = None
    progress: dict[str, Any] | None = None
    saw: str | None = None
    lease_until: datetime | None = None

    @property
    def counted(self) -> str:
        """What it did, in words, the same ones everywhere; holdings and cash both count."""
        counts = f"{self.added} added, {self.changed} changed, {self.closed} no longer held"
        # A step of a person's (an undo, a decision) does not count what it left alone.
        same = f", {self.unchanged} unchanged" if self.unchanged else ""
        return f"{counts}{same} (holdings and cash)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """One position field that a run changed, old to new, as text.

    A holding that was added is one line, its quantity; `beside` it are its other fields.
    """

    id: int
    subject: str
    label: str
    field: str
    old: str | None
    new: str | None
    holding_id: int | None
    beside: dict[str, str] | None


def _as_view() -> tuple[ExecutableOption, ...]:
    # These may be of ten thousand positions, and no list shows them. Made when they are asked
    # for, as they make all tables known to one another, which a start need not wait for.
    return defer(SyncRun.kept), defer(SyncRun.evidence)


def run_view(run: SyncRun) -> RunView:
    """The run as a resource."""
    return RunView(
        id=run.id,
        account_id=run.account_id,
        status=run.status,
        reason=run.reason,
        started_at=run.started_at,
        finished_at=run.finished_at,
        added=run.added,
        changed=run.changed,
        closed=run.closed,
        unchanged=run.unchanged,
        repriced=run.repriced,
        warnings=tuple(run.warnings),
        # Runs of earlier versions did not note by what tolerance they were judged.
        reconciliation={"tolerance": None, **run.reconciliation},
        error=run.error,
        origin=run.origin,
        concerns=run.concerns,
        decided_by=run.decided_by,
        progress=run.progress,
        lease_until=run.lease_until,
        saw=run.saw,
    )


def find_run(session: Session, user_id: int, run_id: str) -> RunView:
    """A run as this user may see it, or `NotFound`."""
    run, portfolio = _visible_run(session, user_id, run_id)
    return run_view(run) if portfolio.owner_id == user_id else for_viewer(run_view(run))


def for_viewer(run: RunView) -> RunView:
    """A run without what it tells about its owner's gateway."""
    error = run.error and {**run.error, "message": FAILED_FOR_OWNER, "remedy": None}
    warnings = tuple(each for each in run.warnings if each not in ABOUT_THE_GATEWAY)
    return replace(run, error=error, warnings=warnings, progress=None)


def overtaker(session: Session, run: RunView) -> RunView:
    """The newest run that began after this one, or this one itself."""
    later = SyncRun.account_id == run.account_id, SyncRun.started_at > run.started_at
    order = SyncRun.started_at.desc(), SyncRun.id.desc()
    query = select(SyncRun).where(*later).order_by(*order).options(*_as_view()).limit(1)
    found = session.scalar(query)
    return run if found is None else run_view(found)


def owned_run(session: Session, user_id: int, run_id: str) -> SyncRun:
    """The row of the user's own run; `NotFound`, or `Forbidden` where it is shared."""
    run, portfolio = _visible_run(session, user_id, run_id)
    refuse_viewer(portfolio, user_id)
    return run


def _visible_run(session: Session, user_id: int, run_id: str) -> tuple[SyncRun, Portfolio]:
    query = select(SyncRun, Portfolio).join(Account, Account.id == SyncRun.account_id)
    query = query.join(Portfolio, Portfolio.id == Account.portfolio_id)
    query = query.where(SyncRun.id == run_id, visible(user_id)).options(*_as_view())
    found = session.execute(query).first()
    if found is None:
        raise NotFound("run")
    return found[0], found[1]


def runs(
    session: Session, account: Account, user_id: int, *, start: int, limit: int
) -> Page[RunView]:
    """The runs of an account as this user may see them, newest first."""
    newest = SyncRun.started_at.desc(), SyncRun.id.desc()
    # Found by the index alone: of years of runs that are skipped, no row is read.
    of = select(SyncRun.id).where(SyncRun.account_id == account.id).order_by(*newest)
    stretch = SyncRun.id.in_(of.offset(start).limit(limit + 1))
    query = select(SyncRun).where(stretch).order_by(*newest).options(*_as_view())
    views = list(map(run_view, session.scalars(query)))
    own = account.portfolio.owner_id == user_id
    return page_of(views if own else list(map(for_viewer, views)), start, limit)


def changes(session: Session, run_id: str, *, start: int, limit: int) -> Page[ChangeView]:
    """The changes of a run in the order in which they were planned."""
    query = select(Change).where(Change.run_id == run_id).order_by(Change.id)
    rows = session.scalars(query.offset(start).limit(limit + 1))
    return page_of([_change_view(row) for row in rows], start, limit)


def _change_view(row: Change) -> ChangeView:
    return ChangeView(
        id=row.id,
        subject=row.subject,
        label=row.label,
        field=row.field,
        old=row.old,
        new=row.new,
        holding_id=row.holding_id,
        # What a cash balance had beside its amount serves those who take the run back.
        beside=row.beside if row.subject == HOLDING else None,
    )


def changes_of(session: Session, run: SyncRun, *, start: int, limit: int) -> Page[ChangeView]:
    """What a run has changed, or would have where it was not applied; one field a row."""
    if run.status != REJECTED:
        return changes(session, run.id, start=start, limit=limit)
    # Earlier versions kept them with the evidence.
    kept = {**(run.evidence or {}), **(run.kept or {})}
    fields = ((step, of) for step in kept.get("steps", []) for of in step["changes"])
    rows = [
        ChangeView(
            id=0,
            subject=step["subject"],
            label=step["label"],
            field=field,
            old=old,
            new=new,
            holding_id=None,
            # Runs of earlier versions have a line for each field.
            beside=step.get("beside"),
        )
        for step, (field, old, new) in islice(fields, start, start + limit + 1)
    ]
    return page_of(rows, start, limit)


def run_of(session: Session, account_id: int, run_id: str) -> SyncRun:
    """The row of a run of this account, or `NotFound`."""
    wanted = SyncRun.id == run_id, SyncRun.account_id == account_id
    run = session.scalar(select(SyncRun).where(*wanted))
    if run is None:
        raise NotFound("run")
    return run


def account_of(session: Session, account_id: int) -> Account:
    """The account of a run."""
    return session.scalars(select(Account).where(Account.id == account_id)).one()
