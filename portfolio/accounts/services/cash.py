"""Cash that is kept by hand."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portfolio.accounts.models import MANUAL, CashBalance
from portfolio.accounts.names import clean_currency
from portfolio.accounts.queries.holdings import find_cash
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.services import twins
from portfolio.accounts.services.holdings import refuse_synced
from portfolio.accounts.services.totals import touch
from portfolio.errors import Conflict, Invalid


def add_cash(at: Scope, values: Mapping[str, Any]) -> CashBalance:
    """Cash by hand; `Conflict` where the account already has this currency by hand."""
    currency = clean_currency(values.get("currency") or "")
    if cash_by_hand(at, currency) is not None:
        raise Conflict(
            f"“{at.account.name}” already has {currency} by hand.", "Change that balance instead."
        )
    row = CashBalance(account_id=at.account.id, currency=currency, source=MANUAL)
    row.amount = _amount(values)
    at.session.add(row)
    touch(at.session, at.account, at.moment)
    return row


def _amount(values: Mapping[str, Any]) -> Decimal:
    amount: Decimal | None = values.get("amount")
    if amount is None:
        raise Invalid({"amount": "An amount is needed."})
    return amount


def cash_by_hand(at: Scope, currency: str) -> CashBalance | None:
    """The cash of a currency that is kept by hand, or None."""
    return at.session.scalar(
        select(CashBalance).where(
            CashBalance.account_id == at.account.id,
            CashBalance.currency == currency,
            CashBalance.source == MANUAL,
        )
    )


def change_cash(at: Scope, cash_id: int, values: Mapping[str, Any]) -> CashBalance:
    """Another amount for a cash balance that is kept by hand; what is not named stays."""
    row = find_cash(at.session, at.account, cash_id)
    if "duplicate_of" in values:
        twins.settle(at.session, row, at.account.portfolio.owner_id)
    if "amount" not in values:
        return row
    refuse_synced(at, row, f"The {row.currency} cash")
    row.amount = _amount(values)
    if row.source != MANUAL:
        # Who states the cash states all of it.
        row.settled = row.futures_pnl = row.accrued_interest = row.accrued_dividends = None
    touch(at.session, at.account, at.moment)
    return row


def remove_cash(at: Scope, cash_id: int) -> None:
    """Remove a cash balance that is kept by hand."""
    row = find_cash(at.session, at.account, cash_id)
    refuse_synced(at, row, f"The {row.currency} cash")
    at.session.delete(row)
    touch(at.session, at.account, at.moment)
