"""What is read of exchange rates and daily values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.orm import Session

from portfolio.accounts.figures import Rates
from portfolio.accounts.models import Account, DailyValue, Rate
from portfolio.db.memory import Memory
from portfolio.db.paging import Page, page_of
from portfolio.db.session import only_reads
from portfolio.users.models import User

# A chart of more points than pixels says nothing more.
LONGEST_CHART = 750
OWNERS = 100

_remembered: Memory[Rates] = Memory(OWNERS)
_NEWEST = (
    select(DailyValue.day, DailyValue.currency, DailyValue.net_liquidation)
    .where(DailyValue.account_id == bindparam("account"))
    .order_by(DailyValue.day.desc())
    .limit(bindparam("newest", type_=Integer))
)


class DayValue(NamedTuple):
    """What an account was worth on a day, for a chart of hundreds of them."""

    day: date
    currency: str
    net_liquidation: Decimal | None


def known_rates(session: Session, owner: User) -> Rates:
    """All exchange rates of an owner, who may have years of them: remembered until one changes."""
    found = _remembered.recall(owner.held_stamp)
    if found is not None:
        return found
    query = select(Rate, User.held_stamp).join(User, User.id == Rate.owner_id)
    rows = session.execute(query.where(Rate.owner_id == owner.id)).all()
    found = Rates(rate for rate, _ in rows)
    # Another stamp: somebody has changed something since the owner was read.
    if only_reads(session) and all(stamp == owner.held_stamp for _, stamp in rows):
        _remembered.keep(owner.held_stamp, found)
    return found


def rates(
    session: Session, owner_id: int, *, start: int, limit: int, source: str = ""
) -> Page[Rate]:
    """The rates of an owner, the newest day first; perhaps only those of one source."""
    query = select(Rate).where(Rate.owner_id == owner_id)
    if source:
        query = query.where(Rate.source == source)
    ordered = query.order_by(Rate.day.desc(), Rate.from_currency, Rate.to_currency, Rate.id)
    return page_of(list(session.scalars(ordered.offset(start).limit(limit + 1))), start, limit)


def daily_values(session: Session, account: Account, *, newest: int) -> list[DayValue]:
    """The last values of an account, the oldest first."""
    rows = session.execute(_NEWEST, {"account": account.id, "newest": newest}).all()
    return [DayValue._make(row) for row in reversed(rows)]


def values_page(session: Session, account: Account, *, start: int, limit: int) -> Page[DailyValue]:
    """A stretch of an account's daily values, the oldest first."""
    query = select(DailyValue).where(DailyValue.account_id == account.id)
    ordered = query.order_by(DailyValue.day).offset(start).limit(limit + 1)
    return page_of(list(session.scalars(ordered)), start, limit)
