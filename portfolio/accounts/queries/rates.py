"""What is read of exchange rates and daily values."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account, DailyValue, Rate
from portfolio.db.paging import Page, page_of

# A chart of more points than pixels says nothing more.
LONGEST_CHART = 750


def rates(
    session: Session, owner_id: int, *, start: int, limit: int, source: str = ""
) -> Page[Rate]:
    """The rates of an owner, the newest day first; perhaps only those of one source."""
    query = select(Rate).where(Rate.owner_id == owner_id)
    if source:
        query = query.where(Rate.source == source)
    ordered = query.order_by(Rate.day.desc(), Rate.from_currency, Rate.to_currency, Rate.id)
    return page_of(list(session.scalars(ordered.offset(start).limit(limit + 1))), start, limit)


def daily_values(session: Session, account: Account, *, newest: int) -> list[DailyValue]:
    """The last values of an account, the oldest first."""
    query = select(DailyValue).where(DailyValue.account_id == account.id)
    rows = session.scalars(query.order_by(DailyValue.day.desc()).limit(newest))
    return list(reversed(rows.all()))


def values_page(session: Session, account: Account, *, start: int, limit: int) -> Page[DailyValue]:
    """A stretch of an account's daily values, the oldest first."""
    query = select(DailyValue).where(DailyValue.account_id == account.id)
    ordered = query.order_by(DailyValue.day).offset(start).limit(limit + 1)
    return page_of(list(session.scalars(ordered)), start, limit)
