"""Users, their stored settings, and what they sign in with."""

from __future__ import annotations

import secrets
from datetime import date, datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portfolio.db.base import Base, Code, Key, Name
from portfolio.db.sealed import Sealed

LOCAL_OWNER = "owner"


def new_stamp() -> str:
    """What no state was ever called before."""
    return secrets.token_hex(16)


class User(Base):
    """A person; owns portfolios, gateways, and every instrument and rate they bring in.

    `rates_revision` grows with each change of a rate, so that stored totals know when they are
    old. `held_stamp` is drawn anew with each change of a rate or of what any account holds: what
    is remembered under it holds as long as it is read. `folded` is the name as it is compared.
    Without a `password_hash` nobody signs in as this user. The second step is on since
    `totp_since`, with the sealed key of an app; `totp_step` is the last step whose code was used.
    """

    __tablename__ = "user"

    id: Mapped[Key]
    name: Mapped[Name] = mapped_column(unique=True)
    folded: Mapped[str] = mapped_column(String(300), index=True, unique=True)
    rates_revision: Mapped[int] = mapped_column(default=0)
    held_stamp: Mapped[str] = mapped_column(String(32), default=new_stamp)
    created_at: Mapped[datetime]
    password_hash: Mapped[str | None] = mapped_column(default=None)
    disabled_at: Mapped[datetime | None] = mapped_column(default=None)
    totp_secret: Mapped[str | None] = mapped_column(Sealed, default=None)
    totp_since: Mapped[datetime | None] = mapped_column(default=None)
    totp_step: Mapped[int | None] = mapped_column(default=None)


class Setting(Base):
    """A setting that its owner changed in the application; the environment overrides it."""

    __tablename__ = "setting"
    __table_args__ = (UniqueConstraint("owner_id", "key"),)

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    key: Mapped[Code]
    value: Mapped[str]


class LoginSession(Base):
    """A browser that somebody signed in with; `pending` while the second step is to be done.

    The id in its cookie is stored as a digest only.
    """

    __tablename__ = "login_session"

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    pending: Mapped[bool]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    browser: Mapped[Code]
    address: Mapped[str] = mapped_column(String(60))


class LoginAttempt(Base):
    """A try at a password or a code that failed or is not over; kept for some minutes."""

    __tablename__ = "login_attempt"

    id: Mapped[Key]
    subject: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime] = mapped_column(index=True)


class SetupCode(Base):
    """The code with which the local owner becomes the first user; a digest of the newest one."""

    __tablename__ = "setup_code"

    id: Mapped[Key]
    code_hash: Mapped[str] = mapped_column(String(64))
    ends_at: Mapped[datetime]


class RecoveryCode(Base):
    """A code that stands for the second step once; a digest, removed when it is used."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    code_hash: Mapped[str] = mapped_column(String(64))


class ApiToken(Base):
    """A token of a program: `scopes` are what it may do, and nothing follows from another.

    `last_used_on` is the day of its last use. One without `expires_at` lasts until it is revoked.
    """

    __tablename__ = "api_token"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[Name]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_on: Mapped[date | None]
