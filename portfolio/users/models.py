"""Users and their stored settings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portfolio.db.base import Base, Code, Key, Name

LOCAL_OWNER = "owner"


class User(Base):
    """A person; owns portfolios, gateways, and every instrument and rate they bring in.

    `rates_revision` grows with each change of a rate, so that stored totals know
    when they are old.
    """

    __tablename__ = "user"

    id: Mapped[Key]
    name: Mapped[Name] = mapped_column(unique=True)
    rates_revision: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]


class Setting(Base):
    """A setting that its owner changed in the application; the environment overrides it."""

    __tablename__ = "setting"
    __table_args__ = (UniqueConstraint("owner_id", "key"),)

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    key: Mapped[Code]
    value: Mapped[str]
