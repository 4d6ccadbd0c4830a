"""What is read of portfolios and accounts, for pages and API alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import groupby

from sqlalchemy import BindParameter, Integer, Select, bindparam, select
from sqlalchemy.orm import Session, contains_eager

from portfolio.accounts.figures import Rates, rounded
from portfolio.accounts.models import CONNECTED, Account, Portfolio
from portfolio.accounts.names import slug
from portfolio.accounts.queries.rates import known_rates
from portfolio.accounts.queries.totals import in_base, totals_views
from portfolio.accounts.queries.visible import (
    OF_OWNER,
    portfolios_of,
    refuse_viewer,
    shared_by,
    visible,
    visible_portfolios,
)
from portfolio.accounts.resources import (
    AccountView,
    Attention,
    Link,
    OldPart,
    PortfolioLine,
    TotalsView,
)
from portfolio.accounts.totals import (
    BESIDE_NET,
    NEVER_READ,
    NO_RATE,
    NO_VALUE,
    WITHOUT_BROKER,
    shares,
)
from portfolio.db.base import MONEY
from portfolio.errors import NotFound

STALE_AFTER = timedelta(hours=24)
NOT_RECONCILED = "not_reconciled"
# How a sentence begins that is about the division by kind and by currency only.
OF_PARTS = "allocation "

LinksOf = Callable[[Session, Sequence[int]], Mapping[int, Link]]


def find_portfolio(session: Session, user_id: int, portfolio_id: int) -> Portfolio:
    """The user's own portfolio, to change it; `NotFound`, or `Forbidden` where it is shared."""
    portfolio = visible_portfolio(session, user_id, portfolio_id)
    refuse_viewer(portfolio, user_id)
    return portfolio


def visible_portfolio(session: Session, user_id: int, portfolio_id: int) -> Portfolio:
    """A portfolio that this user may see, or `NotFound`."""
    portfolio = session.scalar(portfolios_of(user_id).where(Portfolio.id == portfolio_id))
    if portfolio is None:
        raise NotFound("portfolio")
    return portfolio


def find_account(session: Session, user_id: int, portfolio_id: int, name: str) -> Account:
    """The user's own account, to change it; `NotFound`, or `Forbidden` where it is shared."""
    account = visible_account(session, user_id, portfolio_id, name)
    refuse_viewer(account.portfolio, user_id)
    return account


def visible_account(session: Session, user_id: int, portfolio_id: int, name: str) -> Account:
    """An account that this user may see by its name or its `~<id>` slug, or `NotFound`."""
    number = name[1:] if name.startswith("~") else ""
    usable = number.isascii() and number.isdigit() and len(number) < 10
    by_id, named = ("id", int(number) if usable else -1), ("name", name)
    column, value = by_id if name.startswith("~") else named
    values = {"user": user_id, "portfolio": portfolio_id, "value": value}
    # No database holds this character, and some refuse to look for it.
    account = None if "\0" in name else session.scalar(_account_by(column), values)
    if account is None:
        raise NotFound("account")
    return account


def _accounts(user_id: int | BindParameter[int]) -> Select[Account]:
    """The accounts that a user sees, with their portfolios and with as much of their owners."""
    owner = contains_eager(Account.portfolio, Portfolio.owner)
    joined = select(Account).join(Account.portfolio).join(Portfolio.owner)
    joined = joined.options(owner.load_only(*OF_OWNER))
    return joined.where(visible(user_id))


@cache
def _account_by(column: str) -> Select[Account]:
    """One account by its name or its id; built once: each page of an account begins with it."""
    return _accounts(bindparam("user", type_=Integer)).where(
        Account.portfolio_id == bindparam("portfolio"),
        getattr(Account, column) == bindparam("value"),
    )


def portfolios(session: Session, owner_id: int) -> list[Portfolio]:
    """The owner's portfolios in the order of their names."""
    query = select(Portfolio).where(Portfolio.owner_id == owner_id)
    return list(session.scalars(query.order_by(Portfolio.name, Portfolio.id)))


def accounts(session: Session, user_id: int, portfolio_ids: Iterable[int]) -> list[Account]:
    """The accounts of some portfolios that this user sees in the order of their names."""
    query = _accounts(user_id).where(Account.portfolio_id.in_(list(portfolio_ids)))
    return list(session.scalars(query.order_by(Account.name, Account.id)))


def account_view(
    account: Account, now: datetime, link: Link | None, shared: str | None = None
) -> AccountView:
    """The account as a resource; `shared` names the owner to who may only see it."""
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
        unread=account.unread,
        connection=None if shared else link,
        shared_by=shared,
        warnings=_warnings(account),
    )


def _warnings(account: Account) -> tuple[str, ...]:
    found = {
        "possible_duplicates": account.likely_twins > 0,
        NOT_RECONCILED: account.attention_code == NOT_RECONCILED,
    }
    return tuple(name for name, applies in found.items() if applies)


def account_views(
    session: Session,
    rows: Sequence[Account],
    now: datetime,
    links_of: LinksOf,
    user_id: int | None = None,
) -> list[AccountView]:
    """Several accounts as resources, as this user may see them (default: their owner)."""
    links = links_of(session, [account.id for account in rows])
    return [
        account_view(of, now, links.get(of.id), shared_by(of.portfolio, user_id)) for of in rows
    ]


def one_view(
    session: Session,
    account: Account,
    now: datetime,
    links_of: LinksOf,
    user_id: int | None = None,
) -> AccountView:
    """An account as a resource, as this user may see it (default: its owner)."""
    return account_views(session, [account], now, links_of, user_id)[0]


def is_stale(account: Account, now: datetime) -> bool:
    """Whether a connected account may hold something else by now than what is shown."""
    if account.mode != CONNECTED:
        return False
    # What does not add up was read all the same.
    behind = account.attention_code not in {None, NOT_RECONCILED}
    if behind or account.synced_at is None:
        return True
    return now - account.synced_at > STALE_AFTER


def portfolio_lines(session: Session, user_id: int, now: datetime) -> list[PortfolioLine]:
    """All portfolios that a user sees with their values, each at the rates of its owner."""
    found = visible_portfolios(session, user_id)
    members: dict[int, list[Account]] = {portfolio.id: [] for portfolio in found}
    for account in accounts(session, user_id, members):
        members[account.portfolio_id].append(account)
    lines: list[PortfolioLine] = []
    for owner, of in groupby(found, lambda each: each.owner):
        theirs, rates = list(of), known_rates(session, owner)
        rows = [account for each in theirs for account in members[each.id]]
        totals = totals_views(session, rows, rates)
        for each in theirs:
            line = portfolio_line(each, members[each.id], now, totals=totals, rates=rates)
            lines.append(seen_by(line, each, user_id))
    return lines


def one_portfolio_line(
    session: Session, portfolio: Portfolio, now: datetime, user_id: int | None = None
) -> PortfolioLine:
    """One portfolio with its value, as this user may see it (default: its owner)."""
    members = accounts(session, portfolio.owner_id, [portfolio.id])
    rates = known_rates(session, portfolio.owner)
    totals = totals_views(session, members, rates)
    line = portfolio_line(portfolio, members, now, totals=totals, rates=rates)
    return seen_by(line, portfolio, user_id)


def seen_by(line: PortfolioLine, portfolio: Portfolio, user_id: int | None) -> PortfolioLine:
    """A portfolio as this user may see it: what needs its owner needs nobody else."""
    shared = shared_by(portfolio, user_id)
    return line if shared is None else replace(line, shared_by=shared, attention=())


def portfolio_line(
    portfolio: Portfolio,
    members: Sequence[Account],
    now: datetime,
    *,
    totals: Mapping[int, TotalsView],
    rates: Rates,
) -> PortfolioLine:
    """A portfolio's value in its base currency: the sum of its accounts where a rate is known."""
    sums, without, old, twice = _Sums(), list[str](), list[OldPart](), list[str]()
    reads: list[datetime] = []
    for account in members:
        of = totals[account.id]
        value = in_base(of, portfolio.base_currency, rates)
        known = value is not None
        without += _without(account, of, is_in_sum=known)
        if value is not None and not sums.add(of, value, rates, portfolio):
            without.append(f"{OF_PARTS}without {account.name}: {NO_RATE.format(account.currency)}")
        # What is kept by hand now is read no more, and would say the same time for ever.
        read_at = account.synced_at if known and account.mode == CONNECTED else None
        if read_at is not None:
            reads.append(read_at)
            if is_stale(account, now):
                old.append(OldPart(account_name=account.name, read_at=read_at))
        if known and account.likely_twins:
            twice.append(account.name)
    return PortfolioLine(
        id=portfolio.id,
        name=portfolio.name,
        base_currency=portfolio.base_currency,
        net_liquidation=rounded(sums.total) if sums.known or not members else None,
        by_kind=shares(sums.by_kind),
        by_currency=shares(sums.by_currency),
        incomplete=tuple(without),
        account_count=len(members),
        oldest_read=min(reads, default=None),
        stale=bool(old),
        possible_duplicates=tuple(twice),
        attention=tuple(_attention(account) for account in members if account.attention_code),
        old_parts=tuple(old),
    )


def _without(account: Account, of: TotalsView, *, is_in_sum: bool) -> list[str]:
    """What a portfolio's total is without of an account, or that it is without all of it."""
    # A portfolio says no profit, cost or exposure that could be without something.
    reasons = [reason for reason in of.incomplete if not reason.startswith(BESIDE_NET)]
    found = [f"{account.name}: {reason}" for reason in reasons]
    if is_in_sum:
        return found
    if of.net_liquidation is not None:
        return [*found, f"without {account.name}: {NO_RATE.format(account.currency)}"]
    if not account.unread:
        return [*found, f"without {account.name}: {NO_VALUE}"]
    # One sentence says it of the whole account, the other of its broker's part.
    others = [f"{account.name}: {reason}" for reason in reasons if reason != WITHOUT_BROKER]
    return [*others, f"without {account.name}: {NEVER_READ}"]


class _Sums:
    """What a portfolio's accounts add up to in its base currency."""

    def __init__(self) -> None:
        self.total = Decimal(0)
        self.known = False
        self.by_kind: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.by_currency: defaultdict[str, Decimal] = defaultdict(Decimal)

    def add(self, of: TotalsView, value: Decimal, rates: Rates, portfolio: Portfolio) -> bool:
        """Add an account; whether its parts are, too: those of nothing may need a rate."""
        self.total, self.known = MONEY.add(self.total, value), True
        rate = rates.between(of.currency, portfolio.base_currency)
        if rate is None:
            return not any((*of.by_kind.values(), *of.by_currency.values()))
        for sums, parts in ((self.by_kind, of.by_kind), (self.by_currency, of.by_currency)):
            for name, part in parts.items():
                sums[name] = MONEY.add(sums[name], MONEY.multiply(part, rate))
        return True


def _attention(account: Account) -> Attention:
    return Attention(
        account_name=account.name,
        account_slug=slug(account.name, account.id),
        portfolio_id=account.portfolio_id,
        code=account.attention_code or "",
    )
