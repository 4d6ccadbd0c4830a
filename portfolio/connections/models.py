"""Gateways and the connections that go through them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portfolio.accounts.models import Account
from portfolio.db.base import Base, Code, Key
from portfolio.db.sealed import Sealed


class Gateway(Base):
    """One gateway program: where it is, what its session is like, and until when it is closed.

    `certificate_pem` is pinned at the first contact; another certificate stops everything until a
    person accepts it. `last_calls` keeps the pace of calls over processes. `state` is how the last
    contact ended ("ready" or an error code) since `state_since`, with `message` and `remedy` of a
    failure; `session` is who was signed in, as `brokers.types.SessionState` has it; the next
    keep-alive is due at `next_contact_at`, and `failures` have followed each other until now.
    `said` is the trouble that the log was told of last, and "ready" once it was told of its end.
    """

    __tablename__ = "gateway"
    __table_args__ = (UniqueConstraint("owner_id", "address"),)

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    broker: Mapped[Code]
    address: Mapped[str] = mapped_column(String(300))
    login_address: Mapped[str] = mapped_column(String(300))
    certificate_pem: Mapped[str | None]
    certificate_fingerprint: Mapped[str | None] = mapped_column(String(64))
    silent_until: Mapped[datetime | None]
    last_calls: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[Code] = mapped_column(default="unknown")
    state_since: Mapped[datetime | None]
    message: Mapped[str | None]
    remedy: Mapped[str | None]
    session: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    contacted_at: Mapped[datetime | None]
    next_contact_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    said: Mapped[Code | None]
    created_at: Mapped[datetime]


class Connection(Base):
    """The link between an account and one account at a broker.

    `replaced_holdings` and `replaced_cash` are the rows kept by hand that the first applied run
    closes. `next_run_at` is when the schedule syncs next. While `paused_at` is set, the schedule
    rests and the holdings are those of `paused_state_at`. `futures_profit_counts` is whether the
    broker's books of this account add up only with the profit of futures, once that is known.
    """

    __tablename__ = "connection"
    __table_args__ = (
        UniqueConstraint("account_id"),
        UniqueConstraint("owner_id", "broker", "broker_account"),
    )

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="RESTRICT"))
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateway.id", ondelete="RESTRICT"))
    broker: Mapped[Code]
    broker_account: Mapped[Code]
    username: Mapped[str | None] = mapped_column(String(100))
    manual_holdings: Mapped[Code]
    sync_enabled: Mapped[bool] = mapped_column(default=True)
    replaced_holdings: Mapped[list[int]] = mapped_column(default=list)
    replaced_cash: Mapped[list[int]] = mapped_column(default=list)
    next_run_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    paused_state_at: Mapped[datetime | None]
    futures_profit_counts: Mapped[bool | None]
    created_at: Mapped[datetime]

    @property
    def paused(self) -> bool:
        """Whether the schedule rests."""
        return self.paused_at is not None

    account: Mapped[Account] = relationship()
    gateway: Mapped[Gateway] = relationship()


class Told(Base):
    """What a person was told and does not know to be well again: the need of a subject.

    A subject is a gateway or an account, such as `gateway:1`; its row goes when it is well.
    """

    __tablename__ = "told"
    __table_args__ = (UniqueConstraint("owner_id", "subject"),)

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    subject: Mapped[Code]
    code: Mapped[Code]
    told_at: Mapped[datetime]


class Messenger(Base):
    """The right to tell an owner something, taken by one process at a time.

    Nobody may before `until`: a message is on its way, or `failures` in a row ask for a pause.
    """

    __tablename__ = "messenger"

    owner_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True
    )
    until: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)
    tested_at: Mapped[datetime | None]


class Secret(Base):
    """Something that an adapter needs to sign in, sealed for its owner, gateway and field."""

    __tablename__ = "secret"

    gateway_id: Mapped[int] = mapped_column(
        ForeignKey("gateway.id", ondelete="CASCADE"), primary_key=True
    )
    field: Mapped[Code] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    sealed: Mapped[str] = mapped_column(Sealed)
    set_at: Mapped[datetime]


class Target(Base):
    """An address to which its owner's notifications go, sealed; `kind` is the service's name.

    Its id is random, so that it is known before it is sealed.
    """

    __tablename__ = "target"

    id: Mapped[Code] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    kind: Mapped[Code]
    sealed: Mapped[str] = mapped_column(Sealed)
    added_at: Mapped[datetime]
