"""Portfolios, accounts, instruments, holdings, cash, rates, totals and daily values.

Fields of a holding belong to one of three classes. *Position* fields are planned, journaled and
undoable; *quote* fields are overwritten by every read; a sync never writes *user* fields.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portfolio.db.base import Base, Code, Currency, Key, Name, numbers, one_of
from portfolio.users.models import User

MANUAL = "manual"
CONNECTED = "connected"
NO_TWIN, LIKELY_TWIN, SETTLED_TWIN = TWINS = ("none", "likely", "settled")
# Of an index that holds for some rows only, SQLite's condition stands here and PostgreSQL's in its
# migration: naming it here as well would load that dialect in every process.
OPEN = text("closed_at IS NULL")
IS_KEY = text("is_key")


class Portfolio(Base):
    """A named set of accounts with a base currency."""

    __tablename__ = "portfolio"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    name: Mapped[Name]
    base_currency: Mapped[Currency]
    created_at: Mapped[datetime]

    owner: Mapped[User] = relationship()


class Viewer(Base):
    """Somebody who may see a portfolio of another user, and change nothing of it."""

    __tablename__ = "viewer"
    __table_args__ = (UniqueConstraint("portfolio_id", "user_id"),)

    id: Mapped[Key]
    portfolio_id: Mapped[int] = mapped_column(ForeignKey("portfolio.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]


class Invitation(Base):
    """An invitation to see a portfolio; its row goes when it is used or taken back.

    `name` is the owner's note of whom it is for. Of the code only a hash is kept.
    """

    __tablename__ = "invitation"

    id: Mapped[Key]
    portfolio_id: Mapped[int] = mapped_column(ForeignKey("portfolio.id", ondelete="CASCADE"))
    name: Mapped[Name]
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    portfolio: Mapped[Portfolio] = relationship()


class Account(Base):
    """One account of a portfolio, kept by hand or connected to a broker.

    `mode`, `synced_at` and `attention_code` are written by the slices that know about connections,
    so that this one can show them. `likely_twins` is how many of its rows may count twice.
    `revision` grows with each change of what the account holds.
    """

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("portfolio_id", "name"),
        one_of("mode", MANUAL, CONNECTED),
    )

    id: Mapped[Key]
    portfolio_id: Mapped[int] = mapped_column(ForeignKey("portfolio.id", ondelete="CASCADE"))
    name: Mapped[Name]
    currency: Mapped[Currency]
    notes: Mapped[str | None]
    mode: Mapped[Code] = mapped_column(default=MANUAL)
    synced_at: Mapped[datetime | None]
    attention_code: Mapped[str | None] = mapped_column(String(40))
    likely_twins: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]

    portfolio: Mapped[Portfolio] = relationship()

    @property
    def unread(self) -> bool:
        """Whether a broker is to say what it holds, and was not read since it was connected."""
        return self.mode == CONNECTED and self.synced_at is None


class Instrument(Base):
    """What can be held, as its owner's broker or the owner describes it."""

    __tablename__ = "instrument"
    __table_args__ = (
        *numbers("multiplier", "strike"),
        CheckConstraint("option_right IN ('call', 'put')", name="option_right_is_known"),
        Index("ix_instrument_owner_symbol", "owner_id", "symbol"),
    )

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    source: Mapped[Code]
    symbol: Mapped[Name]
    name: Mapped[str | None] = mapped_column(String(200))
    kind: Mapped[Code]
    currency: Mapped[Currency]
    multiplier: Mapped[Decimal]
    exchange: Mapped[str | None] = mapped_column(String(40))
    expiry: Mapped[date | None]
    strike: Mapped[Decimal | None]
    option_right: Mapped[str | None] = mapped_column(String(4))
    underlying: Mapped[str | None] = mapped_column(String(100))

    identifiers: Mapped[list[InstrumentIdentifier]] = relationship(
        cascade="all, delete-orphan", order_by="InstrumentIdentifier.scheme"
    )


class InstrumentIdentifier(Base):
    """A name that others give an instrument; by its key a broker's rows are found."""

    __tablename__ = "instrument_identifier"
    __table_args__ = (
        UniqueConstraint("instrument_id", "scheme"),
        Index(
            "uq_instrument_identifier_key",
            "owner_id",
            "scheme",
            "value",
            unique=True,
            sqlite_where=IS_KEY,
        ),
    )

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    instrument_id: Mapped[int] = mapped_column(ForeignKey("instrument.id", ondelete="CASCADE"))
    scheme: Mapped[Code]
    value: Mapped[Name]
    is_key: Mapped[bool] = mapped_column(default=False)


class Holding(Base):
    """A quantity of an instrument in an account, from one source.

    `source` is "manual" or a broker's key and `source_account` that broker's account; neither ever
    changes, so that rows kept after a disconnect are found again by the same broker account only.

    A holding that left the account keeps its row, with `closed_at` set, and with it its notes.
    `quoted_at` is when its quote was read or typed; it is empty while that is the account's last
    read, so that a read that finds nothing new has no row to write.
    `twin` says whether a row from another source looks like the same thing: "likely" until a
    person has "settled" it.
    """

    __tablename__ = "holding"
    __table_args__ = (
        Index(
            "uq_holding_open",
            "account_id",
            "instrument_id",
            "source",
            "source_account",
            unique=True,
            sqlite_where=OPEN,
        ),
        # Of those that left, too: notes and former sizes are read with each snapshot.
        Index("ix_holding_account", "account_id"),
        *numbers("quantity", "average_price", "price", "market_value", "unrealized_pnl"),
        *numbers("target_weight"),
        one_of("twin", *TWINS),
    )

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    instrument_id: Mapped[int] = mapped_column(ForeignKey("instrument.id"))
    source: Mapped[Code]
    source_account: Mapped[Code] = mapped_column(default="")
    # position
    quantity: Mapped[Decimal]
    average_price: Mapped[Decimal | None]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    # quote
    price: Mapped[Decimal | None]
    market_value: Mapped[Decimal | None]
    unrealized_pnl: Mapped[Decimal | None]
    quoted_at: Mapped[datetime | None]
    # user
    notes: Mapped[str | None]
    display_name: Mapped[str | None] = mapped_column(String(200))
    category: Mapped[str | None] = mapped_column(String(100))
    target_weight: Mapped[Decimal | None]
    twin: Mapped[Code] = mapped_column(default=NO_TWIN)

    instrument: Mapped[Instrument] = relationship()


class CashBalance(Base):
    """Money in one currency of an account; accruals are what is earned but not yet paid.

    `futures_pnl` is the open profit of futures where the broker counts it beside the cash, and
    None where the cash already has it.
    An id is never given a second time: the rows that a connection is to replace are known by it.
    """

    __tablename__ = "cash_balance"
    __table_args__ = (
        UniqueConstraint("account_id", "currency", "source", "source_account"),
        *numbers("amount", "settled", "accrued_interest", "accrued_dividends", "futures_pnl"),
        one_of("twin", *TWINS),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    currency: Mapped[Currency]
    source: Mapped[Code]
    source_account: Mapped[Code] = mapped_column(default="")
    amount: Mapped[Decimal]
    settled: Mapped[Decimal | None]
    accrued_interest: Mapped[Decimal | None]
    accrued_dividends: Mapped[Decimal | None]
    futures_pnl: Mapped[Decimal | None]
    twin: Mapped[Code] = mapped_column(default=NO_TWIN)


class Rate(Base):
    """The value of one unit of a currency in another, on a day, from a source."""

    __tablename__ = "rate"
    __table_args__ = (
        UniqueConstraint("owner_id", "from_currency", "to_currency", "day", "source"),
        Index("ix_rate_owner_day", "owner_id", "day"),
        Index("ix_rate_owner_source_day", "owner_id", "source", "day"),
        *numbers("value"),
        CheckConstraint("from_currency <> to_currency", name="currencies_differ"),
    )

    id: Mapped[Key]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    from_currency: Mapped[Currency]
    to_currency: Mapped[Currency]
    day: Mapped[date]
    source: Mapped[Code]
    value: Mapped[Decimal]
    read_at: Mapped[datetime]


class AccountTotals(Base):
    """The broker's own total beside ours, and ours with the state it was computed from."""

    __tablename__ = "account_totals"
    __table_args__ = (
        UniqueConstraint("account_id"),
        *numbers("market_value", "cash", "accrued_interest", "accrued_dividends"),
        *numbers("net_liquidation", "unrealized_pnl", "cost", "pnl_on_cost", "exposure"),
        *numbers("gross_cost", "broker_net_liquidation"),
    )

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(80))
    currency: Mapped[Currency]
    market_value: Mapped[Decimal | None]
    cash: Mapped[Decimal | None]
    accrued_interest: Mapped[Decimal | None]
    accrued_dividends: Mapped[Decimal | None]
    net_liquidation: Mapped[Decimal | None]
    unrealized_pnl: Mapped[Decimal | None]
    cost: Mapped[Decimal | None]
    pnl_on_cost: Mapped[Decimal | None]
    gross_cost: Mapped[Decimal | None]
    exposure: Mapped[Decimal | None]
    by_kind: Mapped[dict[str, Decimal]]
    by_currency: Mapped[dict[str, Decimal]]
    incomplete: Mapped[list[str]]
    broker_net_liquidation: Mapped[Decimal | None]
    broker_currency: Mapped[str | None] = mapped_column(String(12))


class DailyValue(Base):
    """What an account was worth on a day: the last good read of that day."""

    __tablename__ = "daily_value"
    __table_args__ = (
        UniqueConstraint("account_id", "day"),
        *numbers("net_liquidation"),
    )

    id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    day: Mapped[date]
    currency: Mapped[Currency]
    net_liquidation: Mapped[Decimal | None]
    read_at: Mapped[datetime]
