"""The shapes in which portfolios and accounts are read: one per resource, and never changed.

All are frozen dataclasses but the two of which one answer may have ten thousand: those are made
by msgspec, in a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import msgspec

from portfolio.accounts.figures import product, profit_ratio
from portfolio.accounts.models import MANUAL
from portfolio.accounts.totals import (
    NEVER_READ,
    NO_AVERAGE,
    NO_COST,
    NO_PRICE,
    NO_RATE,
    NO_VALUE,
    Totals,
)
from portfolio.db.base import MONEY

# What a sentence of `incomplete` ends with.
REASONS = (NO_RATE.format("CHF"), NO_PRICE, NO_COST, NO_AVERAGE, NEVER_READ, NO_VALUE)


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
    """One account; `stale` means that what is shown may no longer be true.

    `unread` means that a broker is to say what it holds, and was not read since it was connected.
    `shared_by` names its owner to somebody who may only see it, and who is told of no connection.
    """

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
    unread: bool = False
    connection: Link | None = None
    shared_by: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def why_unknown(self) -> str:
        """Why a figure of the whole account is not known, in words."""
        return NEVER_READ if self.unread else "not known"

    def may_edit(self, source: str, source_account: str) -> bool:
        """Whether rows of this source are changed by hand: no connection of ours brings them."""
        link = self.connection
        if self.shared_by is not None:
            return False
        return link is None or (link.broker, link.broker_account) != (source, source_account)


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsView(Totals):
    """The figures of an account, with the broker's own net liquidation beside ours."""

    leverage: Decimal | None = None
    broker_net_liquidation: Decimal | None = None
    broker_currency: str | None = None

    @property
    def apart(self) -> Decimal | None:
        """The broker's net liquidation minus ours, where both are known and in one currency."""
        ours, theirs = self.net_liquidation, self.broker_net_liquidation
        if ours is None or theirs is None or self.currency != self.broker_currency:
            return None
        return MONEY.subtract(theirs, ours)


class InstrumentView(msgspec.Struct, gc=False):
    """What is held."""

    identifiers: Mapping[str, str | None]
    id: int
    symbol: str
    name: str | None
    kind: str
    currency: str
    multiplier: Decimal
    source: str
    expiry: date | None = None
    strike: Decimal | None = None
    right: str | None = None
    underlying: str | None = None


class HoldingView(msgspec.Struct, kw_only=True, gc=False):
    """A holding with its figures, in its instrument's currency; `weight` is a share of one.

    `quoted_at` is when its price was read or typed, `rate` today's to the account's currency.
    `days_left` is until an option expires or a bond matures; `editable` is whether it is changed
    by hand.
    """

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
    quoted_at: datetime | None
    rate: Decimal | None
    weight: Decimal | None
    currency: str
    source: str
    editable: bool
    days_left: int | None
    notes: str | None
    closed_at: datetime | None
    duplicate_of: int | None = None

    @property
    def unrealized_pct(self) -> Decimal | None:
        """The profit as a share of the cost."""
        return profit_ratio(self.unrealized_pnl, self.cost)

    @property
    def why_no_value(self) -> str:
        """Why its value or its notional is not known, in words."""
        return NO_PRICE if self.price is None else "value not known"

    @property
    def why_no_cost(self) -> str:
        """Why its cost is not known; that of a broker's row is its value without its profit."""
        return "value or P&L not known" if self.average_price else NO_AVERAGE

    @property
    def why_no_profit(self) -> str:
        """Why its profit is not known."""
        if self.source != MANUAL:
            return "not known"
        return NO_PRICE if self.price is None else NO_AVERAGE

    @property
    def why_no_percent(self) -> str:
        """Why its profit is no share of its cost."""
        if self.unrealized_pnl is None:
            return "P&L not known"
        return "cost not known" if self.cost is None else "cost is 0"

    @property
    def why_no_weight(self) -> str:
        """Why it has no weight; that of a CFD is its profit's."""
        if self.instrument.kind == "future":
            return "does not count in value"
        is_known = self.market_value if self.counts_in_value else self.unrealized_pnl
        if is_known is None:
            return "value not known" if self.counts_in_value else "P&L not known"
        if self.rate is None:
            return NO_RATE.format(self.currency)
        return "total not known, or not above 0"

    @property
    def base_value(self) -> Decimal | None:
        """The value in the account's currency."""
        return product(self.market_value, self.rate)

    @property
    def base_cost(self) -> Decimal | None:
        """The cost in the account's currency, at today's rate."""
        return product(self.cost, self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingGroup:
    """Holdings of one underlying; a sum is unknown where a part is, or where currencies differ."""

    key: str
    name: str | None
    currency: str | None
    rows: tuple[HoldingView, ...]
    market_value: Decimal | None
    cost: Decimal | None
    unrealized_pnl: Decimal | None
    weight: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CashView:
    """Money in one currency; `value` is in the account's currency.

    `futures_pnl` is the profit of futures where it counts beside the amount, not in it.
    """

    id: int
    currency: str
    amount: Decimal
    settled: Decimal | None
    accrued_interest: Decimal | None
    accrued_dividends: Decimal | None
    futures_pnl: Decimal | None
    rate: Decimal | None
    value: Decimal | None
    source: str
    editable: bool
    duplicate_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsPage:
    """One page of an account's holdings, its cash, and the totals of the whole account.

    `largest_weight` is the greatest absolute weight of this page: its bar is the longest. With
    `has_shorts`, the cash of the account has what came in for something that was sold short.
    """

    account: AccountView
    holdings: tuple[HoldingView, ...]
    groups: tuple[HoldingGroup, ...]
    cash: tuple[CashView, ...]
    totals: TotalsView
    has_shorts: bool
    count: int
    page: int
    pages: int
    largest_weight: Decimal
    next_cursor: str | None

    @property
    def futures_beside(self) -> frozenset[str]:
        """The currencies in which the profit of futures counts beside the cash, not in it."""
        return frozenset(row.currency for row in self.cash if row.futures_pnl is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """An account that needs its owner."""

    account_name: str
    account_slug: str
    portfolio_id: int
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldPart:
    """An account that a total includes although it may hold something else by now."""

    account_name: str
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioLine:
    """A portfolio with its value in its base currency and how fresh that is.

    `oldest_read` is of the connected accounts in that value, `stale` means that one of them may
    hold something else by now, and `possible_duplicates` are the accounts in it of which something
    may count twice.
    """

    id: int
    name: str
    base_currency: str
    net_liquidation: Decimal | None
    by_kind: Mapping[str, Decimal]
    by_currency: Mapping[str, Decimal]
    incomplete: tuple[str, ...]
    account_count: int
    oldest_read: datetime | None
    stale: bool
    possible_duplicates: tuple[str, ...] = ()
    shared_by: str | None = None
    attention: tuple[Attention, ...] = field(default=())
    old_parts: tuple[OldPart, ...] = field(default=())
