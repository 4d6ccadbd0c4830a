"""What changes portfolios and accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from portfolio.accounts.models import CONNECTED, Account, CashBalance, Holding, Portfolio
from portfolio.accounts.names import clean_currency, clean_notes
from portfolio.accounts.queries.totals import owner_rates
from portfolio.accounts.services import twins
from portfolio.accounts.services.totals import store
from portfolio.clock import Moment
from portfolio.errors import Conflict
from portfolio.names import clean_name


def create_portfolio(
    session: Session, owner_id: int, *, name: str, base_currency: str, now: datetime
) -> Portfolio:
    """A new portfolio; `Conflict` where the owner already has one of this name."""
    portfolio = Portfolio(owner_id=owner_id, created_at=now)
    values = {"name": name, "base_currency": base_currency}
    return change_portfolio(session, portfolio, values)


def change_portfolio(session: Session, portfolio: Portfolio, values: dict[str, Any]) -> Portfolio:
    """Give a portfolio another name or base currency; what `values` does not name stays."""
    if "name" in values:
        name = clean_name(values["name"])
        siblings = Portfolio.owner_id == portfolio.owner_id, Portfolio.name == name
        _refuse_taken(session, "portfolio", name, select(Portfolio.id).where(*siblings), portfolio)
        portfolio.name = name
    if "base_currency" in values:
        portfolio.base_currency = clean_currency(values["base_currency"], "base_currency")
    session.add(portfolio)
    session.flush()
    return portfolio


def delete_portfolio(session: Session, portfolio: Portfolio) -> None:
    """Delete a portfolio with its accounts; `Conflict` where one of them is connected."""
    linked = Account.portfolio_id == portfolio.id, Account.mode == CONNECTED
    name = session.scalar(select(Account.name).where(*linked).order_by(Account.name).limit(1))
    if name is not None:
        raise _linked(name)
    session.delete(portfolio)
    # What was there twice may be there once now.
    twins.mark(session, portfolio.owner_id)


def create_account(
    session: Session, portfolio: Portfolio, values: dict[str, Any], moment: Moment
) -> Account:
    """A new account kept by hand; `values` holds `name`, `currency` and perhaps `notes`."""
    account = Account(portfolio=portfolio, created_at=moment.now, revision=0, mode="manual")
    return change_account(session, account, values, moment)


def change_account(
    session: Session, account: Account, values: dict[str, Any], moment: Moment
) -> Account:
    """Give an account another name, currency or notes; what `values` does not name stays."""
    if "name" in values:
        name = clean_name(values["name"])
        parent = Account.portfolio_id == account.portfolio.id
        siblings = select(Account.id).where(parent, Account.name == name)
        _refuse_taken(session, "account", name, siblings, account)
        account.name = name
    if "currency" in values:
        account.currency = clean_currency(values["currency"])
    if "notes" in values:
        account.notes = clean_notes(values["notes"])
    session.add(account)
    session.flush()
    # Totals are in the account's currency.
    store(session, account, owner_rates(session, account.portfolio.owner_id), moment)
    return account


def delete_account(session: Session, account: Account) -> None:
    """Delete an account with all it holds; `Conflict` where it is connected."""
    if account.mode == CONNECTED:
        raise _linked(account.name)
    session.delete(account)
    twins.mark(session, account.portfolio.owner_id)


def _linked(name: str) -> Conflict:
    return Conflict(
        f"“{name}” is connected to a broker.",
        "Open Edit, External Connections, and disconnect it first; its holdings are kept.",
    )


def _refuse_taken(
    session: Session, what: str, name: str, siblings: Select[Any], row: Portfolio | Account
) -> None:
    with session.no_autoflush:
        taken = session.scalar(siblings)
    if taken is not None and taken != row.id:
        article = "an" if what[0] in "aeiou" else "a"
        raise Conflict(
            f"There is already {article} {what} named “{name}”.", "Choose another name."
        )


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


def date_quotes(session: Session, account: Account, source: str, source_account: str) -> None:
    """Note how old the quotes of one source are, which nobody will renew any more."""
    known = (Holding.price, Holding.market_value, Holding.unrealized_pnl)
    undated = update(Holding).where(
        Holding.account_id == account.id,
        Holding.source == source,
        Holding.source_account == source_account,
        Holding.quoted_at.is_(None),
        or_(*(figure.is_not(None) for figure in known)),
    )
    session.execute(undated.values(quoted_at=account.synced_at))


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
