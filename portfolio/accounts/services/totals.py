"""Keeps stored totals and daily values at the state they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio.accounts.figures import Rates
from portfolio.accounts.models import (
    CONNECTED,
    Account,
    AccountTotals,
    DailyValue,
    Holding,
    Portfolio,
)
from portfolio.accounts.queries.totals import TOTAL_FIELDS, compute_totals, owner_rates, stamp
from portfolio.accounts.services import twins
from portfolio.clock import Moment
from portfolio.db.base import MAX_DIGITS, is_storable
from portfolio.db.batches import batches
from portfolio.errors import Conflict
from portfolio.users.models import User, new_stamp


def touch(session: Session, account: Account, moment: Moment) -> AccountTotals:
    """Note that what the account holds has changed: its totals and today's value follow."""
    account.revision += 1
    twins.mark(session, account.portfolio.owner_id)
    return renew(session, account, moment)


def renew(session: Session, account: Account, moment: Moment) -> AccountTotals:
    """Store the totals of the present state by the owner's present rates."""
    return store(session, account, owner_rates(session, account.portfolio.owner_id), moment)


def rates_changed(session: Session, owner_id: int, moment: Moment) -> None:
    """Note that a rate has changed: the totals and today's values of all accounts follow."""
    owner = renew_stamp(session, owner_id)
    # Counted by the database: of two at once, each is a change of its own.
    owner.rates_revision = User.rates_revision + 1
    session.flush()
    rates = owner_rates(session, owner_id)
    members = select(Account).join(Account.portfolio).where(Portfolio.owner_id == owner_id)
    for account in session.scalars(members.order_by(Account.id)):
        _follow(session, account, rates, moment)


def instruments_changed(
    session: Session, instruments: Sequence[int], through: Account, moment: Moment
) -> None:
    """Note that instruments have changed `through` an account: others that hold them follow."""
    concerned: set[int] = set()
    for some in batches(instruments):
        holding = Holding.instrument_id.in_(some), Holding.closed_at.is_(None)
        concerned |= set(session.scalars(select(Holding.account_id).where(*holding).distinct()))
    others = select(Account).where(Account.id.in_(concerned - {through.id}))
    for account in session.scalars(others.order_by(Account.id)) if concerned else ():
        account.revision += 1
        _follow(session, account, owner_rates(session, account.portfolio.owner_id), moment)


def _follow(session: Session, account: Account, rates: Rates, moment: Moment) -> None:
    """Let totals follow what has changed elsewhere.

    That is no read of a broker: a day on which a connected account was not read has no value.
    """
    store(session, account, rates, moment, is_news=account.mode != CONNECTED)


def store(
    session: Session, account: Account, rates: Rates, moment: Moment, *, is_news: bool = True
) -> AccountTotals:
    """Store the totals of the present state, and today's value with them.

    Where that is no news of the account, a value of today follows, and none is made.
    """
    computed = compute_totals(session, account, rates)
    revision = renew_stamp(session, account.portfolio.owner_id).rates_revision
    row = session.scalar(select(AccountTotals).where(AccountTotals.account_id == account.id))
    row = row or AccountTotals(account_id=account.id)
    row.state = stamp(account, revision)
    for field in TOTAL_FIELDS:
        value = getattr(computed, field)
        if isinstance(value, Decimal) and not is_storable(value):
            raise _too_large(account)
        setattr(row, field, value)
    row.incomplete = list(computed.incomplete)
    session.add(row)
    daily_value(session, row, account.portfolio.owner_id, moment, is_news=is_news)
    session.flush()
    return row


def _too_large(account: Account) -> Conflict:
    return Conflict(
        f"The value of “{account.name}” would have more than {MAX_DIGITS} digits.",
        "Correct the quantity, the price, the multiplier, or the rate. Nothing was changed.",
    )


def renew_stamp(session: Session, owner_id: int) -> User:
    """Let everybody forget what they remember of the state before; returns the owner.

    All accounts of an owner are concerned, because they share instruments.
    """
    owner = session.get_one(User, owner_id)
    owner.held_stamp = new_stamp()
    return owner


def daily_value(
    session: Session,
    totals: AccountTotals,
    owner_id: int,
    moment: Moment,
    *,
    is_news: bool = True,
) -> None:
    """Today's value of an account; the last one of a day stays."""
    wanted = DailyValue.account_id == totals.account_id, DailyValue.day == moment.day
    row = session.scalar(select(DailyValue).where(*wanted))
    if row is None and not is_news:
        return
    value = totals.currency, totals.net_liquidation
    if row is None or (row.currency, row.net_liquidation) != value:
        row = row or DailyValue(account_id=totals.account_id, day=moment.day)
        row.currency, row.net_liquidation = value
        # What is remembered of the days before is without it.
        renew_stamp(session, owner_id)
    row.read_at = moment.now
    session.add(row)
