"""Sync runs and the changes they made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, TextClause, text
from sqlalchemy.orm import Mapped, column_property, mapped_column

from portfolio.db.base import Base, Code, Key, one_of

RUNNING, SUCCEEDED, REJECTED = "running", "succeeded", "rejected"
FAILED, INTERRUPTED, UNDONE = "failed", "interrupted", "undone"
HOLDING, CASH = "holding", "cash"
BY_HAND, BY_SCHEDULE, BY_UNDO, BY_DECISION = ORIGINS = ("hand", "schedule", "undo", "decision")
IS_RUNNING = text("status = 'running'")
# Of years of runs these indexes hold a few, or the newest of them is found without the others.
HAS_READ, IS_KEPT = text("evidence IS NOT NULL"), text("kept IS NOT NULL")
WAS_APPLIED = text("digest IS NOT NULL")


def _some(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """An index over some of the rows only."""
    return Index(name, *columns, unique=unique, sqlite_where=where)


class SyncRun(Base):
    """One attempt to bring an account to what its broker says.

    `lease_until` is when a run that stopped without a word counts as interrupted. `origin` is what
    began it, `decided_by` who let a plan pass that a gate had stopped, and `concerns` the run that
    was taken back or applied after all. `progress` is what a running one has read so far.
    `evidence` keeps what a gate saw, so that a later run can build on it, and `kept` the snapshot
    of a run that was not applied, with the steps of its plan, until the account is read again.
    `digest_before` is the state that its plan starts from.
    """

    __tablename__ = "sync_run"
    __table_args__ = (
        one_of("status", RUNNING, SUCCEEDED, REJECTED, FAILED, INTERRUPTED, UNDONE),
        one_of("origin", *ORIGINS),
        _some("uq_sync_run_running", "account_id", where=IS_RUNNING, unique=True),
        _some("ix_sync_run_kept", "account_id", where=IS_KEPT),
        _some("ix_sync_run_read", "account_id", "started_at", "id", where=HAS_READ),
        _some("ix_sync_run_applied", "account_id", "started_at", "id", where=WAS_APPLIED),
        Index("ix_sync_run_account_started", "account_id", "started_at", "id"),
        Index("ix_sync_run_started", "started_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    connection_id: Mapped[int | None] = mapped_column(
        ForeignKey("connection.id", ondelete="SET NULL")
    )
    status: Mapped[Code]
    reason: Mapped[str | None] = mapped_column(String(40))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    lease_until: Mapped[datetime]
    added: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    closed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    repriced: Mapped[int] = mapped_column(default=0)
    warnings: Mapped[list[str]] = mapped_column(default=list)
    reconciliation: Mapped[dict[str, Any]]
    evidence: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    saw: Mapped[str | None] = column_property(evidence["saw"].as_string())
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    digest: Mapped[str | None] = mapped_column(String(64))
    digest_before: Mapped[str | None] = mapped_column(String(64))
    origin: Mapped[Code] = mapped_column(default=BY_HAND)
    decided_by: Mapped[str | None] = mapped_column(String(100))
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    kept: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    concerns: Mapped[str | None] = mapped_column(
        ForeignKey("sync_run.id", ondelete="SET NULL"), index=True
    )


class Change(Base):
    """One position field, old to new, of one run; cash is found by its source and its currency.

    A holding that is added has one, its quantity, and `beside` it the other fields that it came
    with. Of a cash balance that has moved or is gone, that is what it had beside its amount.
    """

    __tablename__ = "change"
    __table_args__ = (
        Index("ix_change_run", "run_id"),
        Index("ix_change_holding", "holding_id"),
        Index("ix_change_source", "source", "source_account"),
    )

    id: Mapped[Key]
    run_id: Mapped[str] = mapped_column(ForeignKey("sync_run.id", ondelete="CASCADE"))
    holding_id: Mapped[int | None] = mapped_column(ForeignKey("holding.id", ondelete="SET NULL"))
    source: Mapped[Code]
    source_account: Mapped[Code] = mapped_column(default="")
    subject: Mapped[Code]
    label: Mapped[str] = mapped_column(String(120))
    field: Mapped[Code]
    old: Mapped[str | None]
    new: Mapped[str | None]
    beside: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Lease(Base):
    """The right to talk to a gateway or to run a connection; one holder at a time.

    `fence` grows each time it is taken, so that a former holder that comes back is refused.
    """

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    owner: Mapped[str] = mapped_column(String(60))
    until: Mapped[datetime]
    fence: Mapped[int]
