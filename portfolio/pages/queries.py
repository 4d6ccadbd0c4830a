"""What each page shows, composed of what the slices read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from brokers.registry import Registry
from portfolio.accounts import queries as accounts
from portfolio.accounts.models import Account, Portfolio
from portfolio.accounts.resources import AccountView, HoldingsPage, PortfolioLine, TotalsView
from portfolio.connections import queries as connections
from portfolio.connections.queries import Card
from portfolio.sync import queries as runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All portfolios."""

    portfolios: tuple[PortfolioLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """An account in a portfolio's list; `base_value` is in the portfolio's base currency."""

    account: AccountView
    totals: TotalsView
    base_value: Decimal | None
    card: Card


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioPage:
    """A portfolio and its accounts."""

    portfolio: PortfolioLine
    accounts: tuple[AccountLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """An account with all that it holds."""

    portfolio: Portfolio
    account: AccountView
    totals: TotalsView
    holdings: HoldingsPage
    card: Card


def overview(session: Session, owner_id: int, now: datetime) -> Overview:
    """What `/` shows."""
    return Overview(portfolios=tuple(accounts.portfolio_lines(session, owner_id, now)))


def portfolio_page(
    session: Session, portfolio: Portfolio, now: datetime, brokers: Registry
) -> PortfolioPage:
    """What the page of a portfolio shows."""
    members = accounts.accounts(session, portfolio.owner_id, [portfolio.id])
    rates = accounts.owner_rates(session, portfolio.owner_id)
    lines = []
    for account, (view, card) in zip(members, _cards(session, members, now, brokers), strict=True):
        of = accounts.totals_view(session, account)
        value = accounts.in_base(of, portfolio, rates)
        lines.append(AccountLine(account=view, totals=of, base_value=value, card=card))
    return PortfolioPage(
        portfolio=accounts.portfolio_line(session, portfolio, members, now),
        accounts=tuple(lines),
    )


def account_page(
    session: Session, account: Account, now: datetime, brokers: Registry, *, page: int
) -> AccountPage:
    """What the page of an account shows."""
    ((view, card),) = _cards(session, [account], now, brokers)
    start = (page - 1) * accounts.PAGE
    holdings = accounts.holdings_page(session, account, view, start=start)
    return AccountPage(
        portfolio=account.portfolio,
        account=view,
        totals=holdings.totals,
        holdings=holdings,
        card=card,
    )


def _cards(
    session: Session, rows: Sequence[Account], now: datetime, brokers: Registry
) -> list[tuple[AccountView, Card]]:
    ids = [account.id for account in rows]
    views = accounts.account_views(session, rows, now, connections.links)
    gateways = connections.gateways_of(session, ids)
    last = runs.last_runs(session, ids)
    return [
        (view, connections.card(view, gateways.get(view.id), last.get(view.id), brokers))
        for view in views
    ]
