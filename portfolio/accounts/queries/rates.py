"""What is read of exchange rates and daily values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.orm import Session, aliased

from portfolio.accounts.figures import Rates
from portfolio.accounts.models import Account, DailyValue, Rate
from portfolio.db.memory import Memory
from portfolio.db.paging import Page, page_of
from portfolio.db.session import columns, only_reads
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
    """The rates that an owner's figures are computed with, remembered until one changes."""
    found = _remembered.recall(owner.held_stamp)
    if found is not None:
        return found
    query = _newest().add_columns(User.held_stamp).join(User, User.id == Rate.owner_id)
    rows = session.execute(query, {"owner": owner.id}).all()
    found = Rates(rate for rate, _ in rows)
    # Another stamp: somebody has changed something since the owner was read.
    if only_reads(session) and all(stamp == owner.held_stamp for _, stamp in rows):
        _remembered.keep(owner.held_stamp, found)
    return found


def newest_rates(session: Session, owner_id: int) -> list[Rate]:
    """The rates of the newest day of each pair of currencies; older ones are in no figure."""
    return list(session.scalars(_newest(), {"owner": owner_id}))


@cache
def _newest() -> Select[Rate]:
    pairs, last = _pairs(), aliased(Rate)
    same = (
        Rate.owner_id == last.owner_id,
        Rate.from_currency == last.from_currency,
        Rate.to_currency == last.to_currency,
        # Perhaps from several sources.
        Rate.day == last.day,
    )
    return select(Rate).join(last, and_(*same)).join(pairs, pairs.c.id == last.id)


def last_rates(session: Session, owner_id: int, *, source: str, to: str) -> dict[str, Decimal]:
    """The newest rate of each currency to this one that a source gave, by currency."""
    given = {"owner": owner_id, "source": source, "to": to}
    rows = session.execute(_last(), given)
    return {row.from_currency: row.value for row in rows}


@cache
def _last() -> Select[str, Decimal]:
    pairs, pair, of_source = _pairs(), aliased(Rate), aliased(Rate)
    same = (
        of_source.owner_id == pair.owner_id,
        of_source.from_currency == pair.from_currency,
        of_source.to_currency == pair.to_currency,
    )
    query = select(of_source.id).where(*same, of_source.source == bindparam("source"))
    newest = query.order_by(of_source.day.desc()).limit(1).correlate(pair).scalar_subquery()
    found = select(Rate.from_currency, Rate.value).join(pair, Rate.id == newest)
    wanted = pair.to_currency == bindparam("to")
    return found.join(pairs, pairs.c.id == pair.id).where(wanted)


def _pairs() -> CTE:
    """The id of a newest rate of each pair of currencies.

    Goes down the index of the table from pair to pair, a step each: years of rates between two of
    them cost nothing, where DISTINCT or GROUP BY would read them all.
    """
    pairs, here = select(_highest().label("id")).cte("pairs", recursive=True), aliased(Rate)
    same, lower = Rate.from_currency == here.from_currency, Rate.from_currency < here.from_currency
    below = func.coalesce(
        _highest(same, Rate.to_currency < here.to_currency, beside=here),
        _highest(lower, beside=here),
    )
    return pairs.union_all(select(below).join_from(pairs, here, here.id == pairs.c.id))


def _highest(*only: ColumnElement[bool], beside: type[Rate] | None = None) -> ScalarSelect[int]:
    """A newest rate of the highest pair of those that are asked for."""
    query = select(Rate.id).where(Rate.owner_id == bindparam("owner"), *only).correlate(beside)
    order = Rate.from_currency.desc(), Rate.to_currency.desc(), Rate.day.desc()
    return query.order_by(*order).limit(1).scalar_subquery()


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
    rows = columns(session, _VALUES, of)
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
