"""Gateways and the connections that go through them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portfolio.accounts.models import Account
from portfolio.db.base import Base, Code, Key


class Gateway(Base):
    """One gateway program: where it is, whose certificate it showed, and until when it is closed.

    `certificate_pem` is pinned at the first contact; another certificate stops everything until a
    person accepts it. `last_calls` keeps the pace of calls over processes.
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
    created_at: Mapped[datetime]


class Connection(Base):
    """The link between an account and one account at a broker."""

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
    paused: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]

    account: Mapped[Account] = relationship()
    gateway: Mapped[Gateway] = relationship()
