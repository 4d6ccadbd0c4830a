"""The shapes in which portfolios and accounts are read: frozen, one per resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from portfolio.accounts.figures import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The connection of an account, as the account shows it."""

    id: int
    broker: str
    broker_account: str
    gateway_id: int
    username: str | None
    sync_enabled: bool
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """One account; `stale` means that what is shown may no longer be true."""

    id: int
    portfolio_id: int
    name: str
    slug: str
    currency: str
    mode: str
    notes: str | None
    synced_at: datetime | None
    stale: bool
    attention_code: str | None
    connection: Link | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsView(Totals):
    """The figures of an account, with the broker's own net liquidation beside ours."""

    leverage: Decimal | None = None
    broker_net_liquidation: Decimal | None = None
    broker_currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentView:
    """What is held."""

    symbol: str
    name: str | None
    kind: str
    currency: str
    multiplier: Decimal
    identifiers: Mapping[str, str | None]
    expiry: date | None = None
    strike: Decimal | None = None
    right: str | None = None
    underlying: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingView:
    """A holding with its figures, in its instrument's currency; `weight` is a share of one."""

    id: int
    instrument: InstrumentView
    quantity: Decimal
    average_price: Decimal | None
    cost: Decimal | None
    price: Decimal | None
    market_value: Decimal | None
    notional: Decimal | None
    counts_in_value: bool
    unrealized_pnl: Decimal | None
    unrealized_pct: Decimal | None
    weight: Decimal | None
    currency: str
    source: str
    notes: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CashView:
    """Money in one currency; `value` is in the account's currency."""

    currency: str
    amount: Decimal
    settled: Decimal | None
    accrued_interest: Decimal | None
    accrued_dividends: Decimal | None
    rate: Decimal | None
    value: Decimal | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsPage:
    """One page of an account's holdings, its cash, and the totals of the whole account.

    `largest_weight` is the greatest absolute weight of this page: its bar is the longest.
    """

    account: AccountView
    holdings: tuple[HoldingView, ...]
    cash: tuple[CashView, ...]
    totals: TotalsView
    count: int
    page: int
    pages: int
    largest_weight: Decimal
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """An account that needs its owner."""

    account_name: str
    account_slug: str
    portfolio_id: int
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioLine:
    """A portfolio with its value in its base currency and how fresh that is."""

    id: int
    name: str
    base_currency: str
    net_liquidation: Decimal | None
    incomplete: tuple[str, ...]
    account_count: int
    oldest_read: datetime | None
    stale: bool
    attention: tuple[Attention, ...] = field(default=())
