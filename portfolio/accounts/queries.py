"""What is read of portfolios and accounts, for pages and API alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, contains_eager, selectinload

from portfolio.accounts import figures
from portfolio.accounts.figures import Rates, Totals
from portfolio.accounts.models import (
    CONNECTED,
    Account,
    AccountTotals,
    CashBalance,
    Holding,
    Instrument,
    Portfolio,
    Rate,
)
from portfolio.accounts.names import slug
from portfolio.accounts.resources import (
    AccountView,
    Attention,
    CashView,
    HoldingsPage,
    HoldingView,
    InstrumentView,
    Link,
    PortfolioLine,
    TotalsView,
)
from portfolio.db.base import MONEY
from portfolio.errors import NotFound

PAGE = 50
STALE_AFTER = timedelta(hours=24)
TOTAL_FIELDS = tuple(f.name for f in fields(Totals) if f.name != "incomplete")


LinksOf = Callable[[Session, Sequence[int]], Mapping[int, Link]]


def find_portfolio(session: Session, owner_id: int, portfolio_id: int) -> Portfolio:
    """The portfolio of this owner, or `NotFound`."""
    wanted = Portfolio.id == portfolio_id, Portfolio.owner_id == owner_id
    portfolio = session.scalar(select(Portfolio).where(*wanted))
    if portfolio is None:
        raise NotFound("portfolio")
    return portfolio


def find_account(session: Session, owner_id: int, portfolio_id: int, name: str) -> Account:
    """The account of this owner by its name or its `~<id>` slug, or `NotFound`."""
    query = _accounts(owner_id).where(Account.portfolio_id == portfolio_id)
    if name.startswith("~"):
        number = name[1:]
        usable = number.isascii() and number.isdigit() and len(number) < 10
        query = query.where(Account.id == (int(number) if usable else -1))
    else:
        query = query.where(Account.name == name)
    account = session.scalar(query)
    if account is None:
        raise NotFound("account")
    return account


def _accounts(owner_id: int) -> Select[Account]:
    joined = select(Account).join(Account.portfolio).options(contains_eager(Account.portfolio))
    return joined.where(Portfolio.owner_id == owner_id)


def portfolios(session: Session, owner_id: int) -> list[Portfolio]:
    """The owner's portfolios in the order of their names."""
    query = select(Portfolio).where(Portfolio.owner_id == owner_id)
    return list(session.scalars(query.order_by(Portfolio.name, Portfolio.id)))


def accounts(session: Session, owner_id: int, portfolio_ids: Iterable[int]) -> list[Account]:
    """The accounts of some of the owner's portfolios in the order of their names."""
    query = _accounts(owner_id).where(Account.portfolio_id.in_(list(portfolio_ids)))
    return list(session.scalars(query.order_by(Account.name, Account.id)))


def account_view(account: Account, now: datetime, link: Link | None) -> AccountView:
    """The account as a resource."""
    return AccountView(
        id=account.id,
        portfolio_id=account.portfolio_id,
        name=account.name,
        slug=slug(account.name, account.id),
        currency=account.currency,
        mode=account.mode,
        notes=account.notes,
        synced_at=account.synced_at,
        stale=is_stale(account, now),
        attention_code=account.attention_code,
        connection=link,
    )


def account_views(
    session: Session, rows: Sequence[Account], now: datetime, links_of: LinksOf
) -> list[AccountView]:
    """Several accounts as resources, with their connections."""
    links = links_of(session, [account.id for account in rows])
    return [account_view(account, now, links.get(account.id)) for account in rows]


def one_view(session: Session, account: Account, now: datetime, links_of: LinksOf) -> AccountView:
    """An account as a resource, with its connection."""
    return account_views(session, [account], now, links_of)[0]


def is_stale(account: Account, now: datetime) -> bool:
    """Whether a connected account may hold something else by now than what is shown."""
    if account.mode != CONNECTED:
        return False
    if account.attention_code is not None or account.synced_at is None:
        return True
    return now - account.synced_at > STALE_AFTER


def owner_rates(session: Session, owner_id: int) -> Rates:
    """All exchange rates of an owner."""
    return Rates(session.scalars(select(Rate).where(Rate.owner_id == owner_id)))


def _open_holdings(account_id: int) -> Select[Holding]:
    query = select(Holding).where(Holding.account_id == account_id, Holding.closed_at.is_(None))
    return query.join(Holding.instrument).options(contains_eager(Holding.instrument))


def _cash(session: Session, account_id: int) -> list[CashBalance]:
    query = select(CashBalance).where(CashBalance.account_id == account_id)
    return list(session.scalars(query.order_by(CashBalance.currency, CashBalance.source)))


def state_of(session: Session, account: Account) -> str:
    """A stamp of all that an account's totals depend on."""
    owner = Rate.owner_id == account.portfolio.owner_id
    count, last = session.execute(
        select(func.count(Rate.id), func.max(Rate.read_at)).where(owner)
    ).one()
    return f"{account.revision}:{account.currency}:{count}:{last.isoformat() if last else '-'}"


def compute_totals(session: Session, account: Account) -> Totals:
    """The totals of an account from its rows."""
    rates = owner_rates(session, account.portfolio.owner_id)
    holdings = list(session.scalars(_open_holdings(account.id)))
    return figures.totals(account.currency, holdings, _cash(session, account.id), rates)


def totals_view(session: Session, account: Account) -> TotalsView:
    """The stored totals where they belong to the present state, else computed from the rows."""
    row = session.scalar(select(AccountTotals).where(AccountTotals.account_id == account.id))
    if row is not None and row.state == state_of(session, account):
        values = {name: getattr(row, name) for name in TOTAL_FIELDS}
        of = Totals(**values, incomplete=tuple(row.incomplete))
    else:
        of = compute_totals(session, account)
    return _with_broker(of, row)


def _with_broker(of: Totals, row: AccountTotals | None) -> TotalsView:
    values = {f.name: getattr(of, f.name) for f in fields(Totals)}
    leverage = None
    if of.exposure is not None and of.net_liquidation is not None and of.net_liquidation > 0:
        leverage = MONEY.divide(of.exposure, of.net_liquidation)
    return TotalsView(
        **values,
        leverage=leverage,
        broker_net_liquidation=row.broker_net_liquidation if row else None,
        broker_currency=row.broker_currency if row else None,
    )


def holdings_page(
    session: Session,
    account: Account,
    view: AccountView,
    *,
    start: int = 0,
    limit: int = PAGE,
) -> HoldingsPage:
    """A stretch of an account's holdings by symbol, with the totals of the whole account."""
    rates = owner_rates(session, account.portfolio.owner_id)
    of = totals_view(session, account)
    held = _open_holdings(account.id)
    count = session.scalar(select(func.count()).select_from(held.order_by(None).subquery())) or 0
    rows = session.scalars(
        held.options(selectinload(Holding.instrument, Instrument.identifiers))
        .order_by(Instrument.symbol, Holding.id)
        .offset(start)
        .limit(limit)
    )
    lines = tuple(_holding_view(row, account.currency, rates, of) for row in rows)
    return HoldingsPage(
        account=view,
        holdings=lines,
        cash=tuple(_cash_view(row, account.currency, rates) for row in _cash(session, account.id)),
        totals=of,
        count=count,
        page=start // limit + 1,
        pages=max(1, -(-count // limit)),
        largest_weight=max((abs(line.weight or Decimal(0)) for line in lines), default=Decimal(0)),
        next_cursor=str(start + limit) if start + limit < count else None,
    )


def _holding_view(row: Holding, currency: str, rates: Rates, of: TotalsView) -> HoldingView:
    shown = figures.figures(row)
    rate = rates.between(row.instrument.currency, currency)
    counts = None if row.instrument.kind == "future" else shown.counts
    return HoldingView(
        id=row.id,
        instrument=_instrument_view(row.instrument),
        quantity=row.quantity,
        average_price=row.average_price,
        cost=shown.cost,
        price=row.price,
        market_value=shown.value,
        notional=shown.notional,
        counts_in_value=shown.counts_in_value,
        unrealized_pnl=shown.unrealized_pnl,
        unrealized_pct=shown.unrealized_ratio,
        weight=figures.weight(counts, rate, of.net_liquidation),
        currency=row.instrument.currency,
        source=row.source,
        notes=row.notes,
        closed_at=row.closed_at,
    )


def _instrument_view(row: Instrument) -> InstrumentView:
    named: dict[str, str | None] = {"isin": None}
    named |= {identifier.scheme: identifier.value for identifier in row.identifiers}
    return InstrumentView(
        symbol=row.symbol,
        name=row.name,
        kind=row.kind,
        currency=row.currency,
        multiplier=row.multiplier,
        identifiers=named,
        expiry=row.expiry,
        strike=row.strike,
        right=row.option_right,
        underlying=row.underlying,
    )


def cash(session: Session, account: Account) -> tuple[CashView, ...]:
    """The cash of an account, a row a currency."""
    return _cash_views(session, account, owner_rates(session, account.portfolio.owner_id))


def _cash_views(session: Session, account: Account, rates: Rates) -> tuple[CashView, ...]:
    rows = _cash(session, account.id)
    return tuple(_cash_view(row, account.currency, rates) for row in rows)


def _cash_view(row: CashBalance, currency: str, rates: Rates) -> CashView:
    rate = rates.between(row.currency, currency)
    return CashView(
        currency=row.currency,
        amount=row.amount,
        settled=row.settled,
        accrued_interest=row.accrued_interest,
        accrued_dividends=row.accrued_dividends,
        rate=rate,
        value=None if rate is None else figures.rounded(MONEY.multiply(row.amount, rate)),
        source=row.source,
    )


def portfolio_lines(session: Session, owner_id: int, now: datetime) -> list[PortfolioLine]:
    """All portfolios of an owner with their values."""
    found = portfolios(session, owner_id)
    members: dict[int, list[Account]] = {portfolio.id: [] for portfolio in found}
    for account in accounts(session, owner_id, members):
        members[account.portfolio_id].append(account)
    return [portfolio_line(session, each, members[each.id], now) for each in found]


def portfolio_line(
    session: Session, portfolio: Portfolio, members: Sequence[Account], now: datetime
) -> PortfolioLine:
    """A portfolio's value in its base currency: the sum of its accounts where a rate is known."""
    rates = owner_rates(session, portfolio.owner_id)
    total, known, without = Decimal(0), False, []
    for account in members:
        of = totals_view(session, account)
        value = in_base(of, portfolio, rates)
        without += [f"{account.name}: {reason}" for reason in of.incomplete]
        if value is None:
            without.append(f"without {account.name}: no rate for {account.currency}")
        else:
            total, known = MONEY.add(total, value), True
    reads = [account.synced_at for account in members if account.synced_at is not None]
    return PortfolioLine(
        id=portfolio.id,
        name=portfolio.name,
        base_currency=portfolio.base_currency,
        net_liquidation=figures.rounded(total) if known or not members else None,
        incomplete=tuple(without),
        account_count=len(members),
        oldest_read=min(reads, default=None),
        stale=any(is_stale(account, now) for account in members),
        attention=tuple(_attention(account) for account in members if account.attention_code),
    )


def in_base(of: TotalsView, portfolio: Portfolio, rates: Rates) -> Decimal | None:
    """An account's net liquidation in its portfolio's base currency."""
    rate = rates.between(of.currency, portfolio.base_currency)
    if rate is None or of.net_liquidation is None:
        return None
    return figures.rounded(MONEY.multiply(of.net_liquidation, rate))


def _attention(account: Account) -> Attention:
    return Attention(
        account_name=account.name,
        account_slug=slug(account.name, account.id),
        portfolio_id=account.portfolio_id,
        code=account.attention_code or "",
    )
