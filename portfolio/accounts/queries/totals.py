"""The totals of accounts: stored with the state they belong to, computed where that is old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.orm import Session, contains_eager

from portfolio.accounts.figures import Rates, rounded
from portfolio.accounts.models import (
    Account,
    AccountTotals,
    CashBalance,
    Holding,
    Instrument,
    Portfolio,
)
from portfolio.accounts.queries.rates import newest_rates
from portfolio.accounts.resources import TotalsView
from portfolio.accounts.totals import Totals, totals
from portfolio.db.base import MONEY
from portfolio.db.bycolumn import ByColumn
from portfolio.db.session import columns
from portfolio.users.models import User

# As plain values: totals are renewed with each price, and need no row of their own.
_COUNTED = ByColumn(
    select(
        *(Holding.source, Holding.quantity, Holding.average_price),
        *(Holding.price, Holding.market_value, Holding.unrealized_pnl),
        *(Instrument.kind, Instrument.currency, Instrument.multiplier),
    )
    .join(Holding.instrument)
    .where(Holding.account_id == bindparam("account"), Holding.closed_at.is_(None)),
    part_by=Holding.id,
)
# Built once: pages ask for them again and again.
_CASH = (
    select(CashBalance)
    .where(CashBalance.account_id == bindparam("account"))
    .order_by(CashBalance.currency, CashBalance.source)
)
TOTAL_FIELDS = tuple(field.name for field in fields(Totals) if field.name != "incomplete")
_BROKERS = ("broker_net_liquidation", "broker_currency")
_STORED = (
    select(
        Account.id.label("account_id"),
        User.rates_revision,
        *(getattr(AccountTotals, name) for name in ("state", "incomplete", *TOTAL_FIELDS)),
        *(getattr(AccountTotals, name) for name in _BROKERS),
    )
    .outerjoin(AccountTotals, AccountTotals.account_id == Account.id)
    .join(Portfolio, Portfolio.id == Account.portfolio_id)
    .join(User, User.id == Portfolio.owner_id)
    .where(Account.id.in_(bindparam("accounts", expanding=True)))
)


class CashShown(NamedTuple):
    """A cash balance as plain values, for who only looks at it."""

    id: int
    currency: str
    source: str
    source_account: str
    amount: Decimal
    settled: Decimal | None
    futures_pnl: Decimal | None
    accrued_interest: Decimal | None
    accrued_dividends: Decimal | None
    twin: str


_CASH_SHOWN = ByColumn(
    _CASH.with_only_columns(*(getattr(CashBalance, name) for name in CashShown._fields))
)


class _Terms(NamedTuple):
    kind: str
    currency: str
    multiplier: Decimal


class _Counted(NamedTuple):
    source: str
    quantity: Decimal
    average_price: Decimal | None
    price: Decimal | None
    market_value: Decimal | None
    unrealized_pnl: Decimal | None
    instrument: _Terms


def owner_rates(session: Session, owner_id: int) -> Rates:
    """The exchange rates that an owner's figures are computed with."""
    return Rates(newest_rates(session, owner_id))


def open_holdings(account_id: int) -> Select[Holding]:
    """The holdings of an account that are held now, with their instruments."""
    query = select(Holding).where(Holding.account_id == account_id, Holding.closed_at.is_(None))
    return query.join(Holding.instrument).options(contains_eager(Holding.instrument))


def cash_rows(session: Session, account_id: int) -> list[CashBalance]:
    """The cash of an account, a row per currency and source."""
    return list(session.scalars(_CASH, {"account": account_id}))


def cash_shown(session: Session, account_id: int) -> list[CashShown]:
    """The same as plain values."""
    return [*map(CashShown._make, _CASH_SHOWN.rows(session, {"account": account_id}))]


def stamp(account: Account, rates_revision: int) -> str:
    """All that an account's totals depend on, in one comparable line."""
    state = f"{account.revision}:{account.currency}:{rates_revision}"
    return f"{state}:unread" if account.unread else state


def compute_totals(session: Session, account: Account, rates: Rates) -> Totals:
    """The totals of an account from its rows."""
    rows = _COUNTED.rows(session, {"account": account.id})
    held = (_Counted._make((*row[:6], _Terms._make(row[6:]))) for row in rows)
    cash = cash_rows(session, account.id)
    return totals(account.currency, held, cash, rates, unread=account.unread)


def totals_views(
    session: Session, rows: Sequence[Account], rates: Rates
) -> Mapping[int, TotalsView]:
    """The totals of some accounts by id; one statement where all that is stored is fresh."""
    by_id = {account.id: account for account in rows}
    found = columns(session, _STORED, {"accounts": list(by_id)})
    return {
        row.account_id: _totals_view(session, by_id[row.account_id], row, rates) for row in found
    }


def _totals_view(
    session: Session, account: Account, row: Row[*tuple[Any, ...]], rates: Rates
) -> TotalsView:
    if row.state == stamp(account, row.rates_revision):
        values = {name: getattr(row, name) for name in TOTAL_FIELDS}
        of = Totals(**values, incomplete=tuple(row.incomplete))
    else:
        # There are none, or they are of another state.
        of = compute_totals(session, account, rates)
    return _with_broker(of, row)


def _with_broker(of: Totals, row: Row[*tuple[Any, ...]]) -> TotalsView:
    leverage = None
    if of.exposure is not None and of.net_liquidation is not None and of.net_liquidation > 0:
        leverage = MONEY.divide(of.exposure, of.net_liquidation)
    return TotalsView(
        **{name: getattr(of, name) for name in TOTAL_FIELDS},
        incomplete=of.incomplete,
        leverage=leverage,
        **{name: getattr(row, name) for name in _BROKERS},
    )


def in_base(of: TotalsView, base_currency: str, rates: Rates) -> Decimal | None:
    """An account's net liquidation in its portfolio's base currency; nothing needs no rate."""
    if not of.net_liquidation:
        return of.net_liquidation
    rate = rates.between(of.currency, base_currency)
    if rate is None:
        return None
    return rounded(MONEY.multiply(of.net_liquidation, rate))
