"""What each page shows, composed of what the slices read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from brokers.registry import Registry
from portfolio.accounts.models import Account, Portfolio
from portfolio.accounts.queries import portfolios as accounts
from portfolio.accounts.queries.heirs import Heir, heirs
from portfolio.accounts.queries.order import Wanted
from portfolio.accounts.queries.rates import daily_values, known_rates
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.queries.totals import in_base, totals_views
from portfolio.accounts.queries.twins import LikelyTwin, likely_twins
from portfolio.accounts.queries.visible import shared_by
from portfolio.accounts.resources import AccountView, HoldingsPage, PortfolioLine, TotalsView
from portfolio.clock import Moment
from portfolio.connections import cards
from portfolio.connections.cards import Card, ConnectionView, GatewayLine
from portfolio.connections.linked import linked_accounts
from portfolio.db.base import MONEY
from portfolio.db.memory import Memory
from portfolio.db.session import only_reads
from portfolio.sync.reconcile import AGREES
from portfolio.web.charts import Line, line

CENT = Decimal("0.01")
CHARTS = 200

# None is a line as well: that of less than two days.
_remembered: Memory[tuple[Line | None]] = Memory(CHARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All portfolios."""

    portfolios: tuple[PortfolioLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsPage:
    """All gateways and all connections."""

    gateways: tuple[GatewayLine, ...]
    connections: tuple[ConnectionView, ...]


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
class AccountTable:
    """The table of an account's holdings; without any, the card says why."""

    account: AccountView
    holdings: HoldingsPage
    wanted: Wanted
    card: Card


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage(AccountTable):
    """An account with all that it holds, and what it was worth day by day."""

    portfolio: Portfolio
    totals: TotalsView
    drawn: Line | None
    twins: tuple[LikelyTwin, ...] = ()
    twin_count: int = 0
    heirs: tuple[Heir, ...] = ()

    @property
    def moved(self) -> bool:
        """Whether our total is no longer what the last sync found to agree with the broker's.

        Something was changed by hand since, or is kept by hand beside what the broker knows.
        """
        judged, apart = self.card.read and self.card.read.reconciliation, self.totals.apart
        if not judged or judged["status"] != AGREES or apart is None:
            return False
        return abs(MONEY.subtract(apart, Decimal(judged["difference"]))) > CENT

    @property
    def proven(self) -> bool:
        """Whether the total stands beside the broker's own, which the last sync found to agree."""
        judged, apart = self.card.read and self.card.read.reconciliation, self.totals.apart
        return bool(judged and judged["status"] == AGREES) and apart is not None and not self.moved


def overview(session: Session, owner_id: int, now: datetime) -> Overview:
    """What `/` shows."""
    return Overview(portfolios=tuple(accounts.portfolio_lines(session, owner_id, now)))


def connections_page(
    session: Session, owner_id: int, now: datetime, brokers: Registry
) -> ConnectionsPage:
    """What `/connections` shows."""
    return ConnectionsPage(
        gateways=tuple(cards.gateway_lines(session, owner_id, brokers)),
        connections=tuple(cards.connections(session, owner_id, now, brokers)),
    )


def portfolio_page(
    session: Session, portfolio: Portfolio, now: datetime, brokers: Registry, user_id: int
) -> PortfolioPage:
    """What the page of a portfolio shows to this user."""
    members = accounts.accounts(session, portfolio.owner_id, [portfolio.id])
    rates = known_rates(session, portfolio.owner)
    totals = totals_views(session, members, rates)
    shared = shared_by(portfolio, user_id)
    line = accounts.portfolio_line(portfolio, members, now, totals=totals, rates=rates)
    return PortfolioPage(
        portfolio=accounts.seen_by(line, portfolio, user_id),
        accounts=tuple(
            AccountLine(
                account=view,
                totals=totals[view.id],
                base_value=in_base(totals[view.id], portfolio.base_currency, rates),
                card=card,
            )
            for view, card in _cards(session, members, now, brokers, shared)
        ),
    )


def account_table(
    session: Session,
    account: Account,
    moment: Moment,
    brokers: Registry,
    *,
    wanted: Wanted,
    user_id: int,
) -> AccountTable:
    """What the table of an account shows to this user."""
    shared = shared_by(account.portfolio, user_id)
    ((view, card),) = _cards(session, [account], moment.now, brokers, shared)
    scope = Scope(session=session, account=account, view=view, moment=moment)
    return AccountTable(account=view, holdings=scope.holdings(wanted), wanted=wanted, card=card)


def account_page(
    session: Session,
    account: Account,
    moment: Moment,
    brokers: Registry,
    *,
    wanted: Wanted,
    user_id: int,
) -> AccountPage:
    """What the page of an account shows to this user."""
    table = account_table(session, account, moment, brokers, wanted=wanted, user_id=user_id)
    shared, card = table.account.shared_by, table.card
    return AccountPage(
        portfolio=account.portfolio,
        account=table.account,
        totals=table.holdings.totals,
        holdings=table.holdings,
        wanted=wanted,
        card=card,
        drawn=drawn(session, account),
        twins=() if shared else likely_twins(session, account),
        twin_count=account.likely_twins,
        # Asked only after a sync in which something left: others need no more statements.
        heirs=heirs(session, account, moment.now)
        if card.read and card.read.closed and not shared
        else (),
    )


def drawn(session: Session, account: Account) -> Line | None:
    """The values of an account as a line, remembered until its owner has another state.

    To draw two years takes a fifth of the time of a page.
    """
    key = account.portfolio.owner.held_stamp, account.id, account.currency
    found = _remembered.recall(key)
    if found is None:
        found = (line(daily_values(session, account)),)
        if only_reads(session):
            _remembered.keep(key, found)
    return found[0]


def _cards(
    session: Session,
    rows: Sequence[Account],
    now: datetime,
    brokers: Registry,
    shared: str | None,
) -> list[tuple[AccountView, Card]]:
    linked = linked_accounts(session, rows)
    found = []
    for row in rows:
        of = linked.get(row.id)
        view = accounts.account_view(row, now, of.link if of else None, shared)
        card = cards.card(view, of, brokers, now)
        found.append((view, cards.for_viewer(card) if shared else card))
    return found
