"""The table of holdings: ordered by `order`, read by `held`, valued here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session, selectinload

from portfolio.accounts import figures
from portfolio.accounts.figures import Rates
from portfolio.accounts.models import MANUAL, Account, CashBalance, Holding, Instrument
from portfolio.accounts.queries.held import HeldRow, held_rows
from portfolio.accounts.queries.order import Wanted, ordered
from portfolio.accounts.queries.totals import CashShown, cash_shown, open_holdings
from portfolio.accounts.queries.twins import cash_duplicates_of, duplicates_of
from portfolio.accounts.resources import (
    AccountView,
    CashView,
    HoldingGroup,
    HoldingsPage,
    HoldingView,
    TotalsView,
)
from portfolio.db.base import MONEY
from portfolio.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An account with all that its rows are valued and judged by."""

    account: Account
    view: AccountView
    rates: Rates
    totals: TotalsView
    today: date


def holdings_page(session: Session, known: Known, wanted: Wanted) -> HoldingsPage:
    """A stretch of an account's holdings, with the totals of the whole account."""
    order = ordered(session, known.account, known.rates, wanted)
    start = wanted.start_of(order.count)
    ids = order.stretch(start, wanted.limit)
    lines = holding_views(session, known, ids, identifiers=wanted.identifiers)
    end = start + wanted.limit
    return HoldingsPage(
        account=known.view,
        holdings=lines,
        groups=_groups(lines) if wanted.group else (),
        cash=cash_views(session, known),
        totals=known.totals,
        has_shorts=order.has_shorts,
        count=order.count,
        page=start // wanted.limit + 1,
        pages=max(1, -(-order.count // wanted.limit)),
        largest_weight=max((abs(line.weight or Decimal(0)) for line in lines), default=Decimal(0)),
        next_cursor=str(end) if end < order.count else None,
    )


def holding_views(
    session: Session, known: Known, ids: Sequence[int], *, identifiers: bool = True
) -> tuple[HoldingView, ...]:
    """The holdings with these ids as the table shows them, but those no longer held."""
    rows = held_rows(session, known.account, ids, identifiers=identifiers)
    base = known.account.currency
    codes = {row.instrument.currency for row in rows}
    rates = {code: known.rates.between(code, base) for code in codes}
    twins = {} if known.view.shared_by else duplicates_of(session, known.account, rows)
    return tuple(
        [_view(known, row, rates[row.instrument.currency], twins.get(row.id)) for row in rows]
    )


def _view(
    known: Known, row: HeldRow, rate: Decimal | None, duplicate_of: int | None
) -> HoldingView:
    shown, of = figures.figures(row), row.instrument
    counts = None if of.kind == "future" else shown.counts
    return HoldingView(
        id=row.id,
        instrument=of,
        quantity=row.quantity,
        average_price=row.average_price,
        cost=shown.cost,
        price=row.price,
        market_value=shown.value,
        notional=shown.notional,
        counts_in_value=shown.counts_in_value,
        unrealized_pnl=shown.unrealized_pnl,
        quoted_at=_quoted_at(known.view, row),
        rate=rate,
        weight=figures.weight(counts, rate, known.totals.net_liquidation),
        currency=of.currency,
        source=row.source,
        editable=known.view.may_edit(row.source, row.source_account),
        days_left=None if of.expiry is None else (of.expiry - known.today).days,
        notes=row.notes,
        closed_at=None,
        duplicate_of=duplicate_of,
    )


def _quoted_at(account: AccountView, row: HeldRow) -> datetime | None:
    """When its price was read or typed; a row without a time has that of the last read."""
    if row.price is None and row.market_value is None:
        return None
    return row.quoted_at or (None if row.source == MANUAL else account.synced_at)


def _groups(lines: Sequence[HoldingView]) -> tuple[HoldingGroup, ...]:
    """The lines by their underlying, in their order; a sum only where all members know theirs."""
    members: dict[str, list[HoldingView]] = {}
    for line in lines:
        of = line.instrument
        members.setdefault(of.underlying or of.symbol, []).append(line)
    return tuple(_group(key, rows) for key, rows in members.items())


def _group(key: str, rows: Sequence[HoldingView]) -> HoldingGroup:
    currencies = {row.currency for row in rows}
    one = len(currencies) == 1
    counting = [row for row in rows if row.counts_in_value]
    named = next((row.instrument.name for row in rows if row.instrument.symbol == key), None)
    return HoldingGroup(
        key=key,
        name=named or rows[0].instrument.name,
        currency=currencies.pop() if one else None,
        rows=tuple(rows),
        market_value=_sum([row.market_value for row in counting]) if one else None,
        cost=_sum([row.cost for row in counting]) if one else None,
        unrealized_pnl=_sum([row.unrealized_pnl for row in rows]) if one else None,
        weight=_sum([row.weight for row in rows if row.instrument.kind != "future"]),
    )


def _sum(values: Sequence[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for value in values:
        if value is None:
            return None
        total = MONEY.add(total, value)
    return total if values else None


def find_holding(session: Session, account: Account, holding_id: int) -> Holding:
    """A holding of this account that is held now, or `NotFound`."""
    query = open_holdings(account.id).where(Holding.id == holding_id)
    row = session.scalar(query.options(selectinload(Holding.instrument, Instrument.identifiers)))
    if row is None:
        raise NotFound("holding")
    return row


def find_cash(session: Session, account: Account, cash_id: int) -> CashBalance:
    """A cash balance of this account, or `NotFound`."""
    row = session.get(CashBalance, cash_id)
    if row is None or row.account_id != account.id:
        raise NotFound("cash balance")
    return row


def cash_views(session: Session, known: Known) -> tuple[CashView, ...]:
    """The cash of an account, a row per currency and source."""
    rows = cash_shown(session, known.account.id)
    twins = {} if known.view.shared_by else cash_duplicates_of(session, known.account, rows)
    return tuple(_cash(known, row, twins.get(row.id)) for row in rows)


def _cash(known: Known, row: CashShown, duplicate_of: int | None) -> CashView:
    rate = known.rates.between(row.currency, known.account.currency)
    return CashView(
        id=row.id,
        currency=row.currency,
        amount=row.amount,
        settled=row.settled,
        accrued_interest=row.accrued_interest,
        accrued_dividends=row.accrued_dividends,
        futures_pnl=row.futures_pnl,
        rate=rate,
        value=None if rate is None else figures.rounded(MONEY.multiply(row.amount, rate)),
        source=row.source,
        editable=known.view.may_edit(row.source, row.source_account),
        duplicate_of=duplicate_of,
    )
