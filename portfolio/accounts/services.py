"""What changes portfolios and accounts."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio.accounts import queries
from portfolio.accounts.models import (
    Account,
    AccountTotals,
    CashBalance,
    Holding,
    Portfolio,
)
from portfolio.accounts.names import clean_currency, clean_name
from portfolio.errors import Conflict, Invalid

NOTES_LIMIT = 10_000


def create_portfolio(
    session: Session, owner_id: int, *, name: str, base_currency: str, now: datetime
) -> Portfolio:
    """A new portfolio; `Conflict` where the owner already has one of this name."""
    clean = clean_name(name)
    taken = select(Portfolio.id).where(Portfolio.owner_id == owner_id, Portfolio.name == clean)
    if session.scalar(taken) is not None:
        raise _taken("portfolio", clean)
    portfolio = Portfolio(
        owner_id=owner_id,
        name=clean,
        base_currency=clean_currency(base_currency, "base_currency"),
        created_at=now,
    )
    session.add(portfolio)
    session.flush()
    return portfolio


def create_account(
    session: Session, portfolio: Portfolio, values: dict[str, Any], now: datetime
) -> Account:
    """A new account kept by hand; `values` holds `name`, `currency` and perhaps `notes`."""
    account = Account(portfolio=portfolio, created_at=now, revision=0, mode="manual")
    _describe(session, account, values)
    session.add(account)
    session.flush()
    return account


def change_account(session: Session, account: Account, values: dict[str, Any]) -> Account:
    """Give an account another name, currency or notes; what `values` does not name stays."""
    _describe(session, account, values)
    session.flush()
    return account


def _describe(session: Session, account: Account, values: dict[str, Any]) -> None:
    if "name" in values:
        account.name = _free_name(session, account, clean_name(values["name"]))
    if "currency" in values:
        account.currency = clean_currency(values["currency"])
    if "notes" in values:
        account.notes = clean_notes(values["notes"])


def _free_name(session: Session, account: Account, name: str) -> str:
    with session.no_autoflush:
        taken = session.scalar(
            select(Account.id).where(
                Account.portfolio_id == account.portfolio.id, Account.name == name
            )
        )
    if taken is not None and taken != account.id:
        raise _taken("account", name)
    return name


def _taken(what: str, name: str) -> Conflict:
    return Conflict(f"There is already {_article(what)} named “{name}”.", "Choose another name.")


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def clean_notes(text: str | None) -> str | None:
    """Notes in normal form; None where there are none."""
    if text is None or not text.strip():
        return None
    notes = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    if len(notes) > NOTES_LIMIT:
        raise Invalid({"notes": f"Notes have at most {NOTES_LIMIT} characters."})
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in notes):
        raise Invalid({"notes": "Notes have no control characters."})
    return notes


def touch(session: Session, account: Account) -> None:
    """Note that what the account holds has changed, and store its totals for the new state."""
    account.revision += 1
    session.flush()
    computed = queries.compute_totals(session, account)
    row = session.scalar(select(AccountTotals).where(AccountTotals.account_id == account.id))
    row = row or AccountTotals(account_id=account.id)
    row.state = queries.state_of(session, account)
    for field in queries.TOTAL_FIELDS:
        setattr(row, field, getattr(computed, field))
    row.incomplete = list(computed.incomplete)
    session.add(row)
    session.flush()


def cash_of(
    session: Session, account: Account, source: str, source_account: str
) -> list[CashBalance]:
    """The cash balances of one source in an account."""
    query = select(CashBalance).where(
        CashBalance.account_id == account.id,
        CashBalance.source == source,
        CashBalance.source_account == source_account,
    )
    return list(session.scalars(query.order_by(CashBalance.currency)))


def release(
    session: Session,
    account: Account,
    source: str,
    source_account: str,
    *,
    now: datetime,
) -> None:
    """Let go of all that one source brought: holdings become no longer held, cash goes."""
    held = Holding.account_id == account.id, Holding.source == source
    open_rows = select(Holding).where(
        *held, Holding.source_account == source_account, Holding.closed_at.is_(None)
    )
    for row in session.scalars(open_rows):
        row.closed_at = now
    for balance in cash_of(session, account, source, source_account):
        session.delete(balance)
