"""What is read of exchange rates and daily values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import Integer, Text, bindparam, cast, select
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
# As text, which is a third of the work: a chart has hundreds of days, and is on each page.
_VALUES = (
    select(cast(DailyValue.day, Text), cast(DailyValue.net_liquidation, Text))
    .where(DailyValue.account_id == bindparam("account"))
    .where(DailyValue.currency == bindparam("currency"))
    .order_by(DailyValue.day.desc())
    .limit(bindparam("newest", type_=Integer))
)


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


def daily_values(
    session: Session, account: Account, *, newest: int = LONGEST_CHART
) -> list[tuple[date, Decimal | None]]:
    """The last values of an account in its present currency, the oldest first.

    Those in another currency are not comparable.
    """
    of = {"account": account.id, "currency": account.currency, "newest": newest}
    rows = session.execute(_VALUES, of).all()
    return [
        (date.fromisoformat(day), Decimal(value) if value else None)
        for day, value in reversed(rows)
    ]


def values_page(
    session: Session, account: Account, *, start: int, limit: int, newest_first: bool = False
) -> Page[DailyValue]:
    """A stretch of an account's daily values, the oldest first unless said otherwise."""
    query = select(DailyValue).where(DailyValue.account_id == account.id)
    by = DailyValue.day.desc() if newest_first else DailyValue.day
    return page_of(
        list(session.scalars(query.order_by(by).offset(start).limit(limit + 1))), start, limit
    )
