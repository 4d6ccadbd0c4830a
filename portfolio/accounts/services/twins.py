"""Rows that may be one thing twice: kept by hand beside a broker's, or left in two accounts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from portfolio.accounts.models import (
    CONNECTED,
    LIKELY_TWIN,
    MANUAL,
    NO_TWIN,
    SETTLED_TWIN,
    Account,
    CashBalance,
    Holding,
    Instrument,
    Portfolio,
)
from portfolio.accounts.queries.twins import LIKENESS
from portfolio.db.batches import batches


def mark(session: Session, owner_id: int) -> None:
    """Mark the owner's rows that are likely counted twice; what a person has settled stays."""
    session.flush()
    mine = _accounts_of(owner_id)
    counts: Counter[int] = Counter()
    alike = _holdings_by_hand(session, mine) | _holdings_left(session, mine)
    held = select(Holding).where(Holding.account_id.in_(mine))
    rows = {row.id: row for row in session.scalars(held.where(Holding.twin != NO_TWIN))}
    for some in batches(sorted(alike - rows.keys())):
        rows |= {row.id: row for row in session.scalars(held.where(Holding.id.in_(some)))}
    for row in rows.values():
        counts[row.account_id] += _note(row, alike=row.closed_at is None and row.id in alike)
    spent = set(session.scalars(_cash_by_hand(mine))) | _cash_left(session, mine)
    doubtful = or_(CashBalance.id.in_(spent), CashBalance.twin != NO_TWIN)
    cash = select(CashBalance).where(CashBalance.account_id.in_(mine), doubtful)
    for balance in session.scalars(cash):
        counts[balance.account_id] += _note(balance, alike=balance.id in spent)
    for account in session.scalars(select(Account).where(Account.id.in_(mine))):
        account.likely_twins = counts[account.id]
    session.flush()


def _accounts_of(owner_id: int) -> Select[int]:
    query = select(Account.id).join(Portfolio, Portfolio.id == Account.portfolio_id)
    return query.where(Portfolio.owner_id == owner_id)


def _holdings_by_hand(session: Session, mine: Select[int]) -> set[int]:
    """Rows kept by hand beside a broker's row that looks the same, in one account.

    Found here and not by a join: no index has all that makes two rows alike.
    """
    query = (
        select(Holding.id, Holding.account_id, *LIKENESS)
        .join(Instrument, Instrument.id == Holding.instrument_id)
        .where(Holding.account_id.in_(mine), Holding.closed_at.is_(None))
    )
    by_hand = {
        row[0]: tuple(row[1:]) for row in session.execute(query.where(Holding.source == MANUAL))
    }
    if not by_hand:
        return set()
    accounts = {account_id for account_id, *_ in by_hand.values()}
    theirs = query.where(Holding.source != MANUAL, Holding.account_id.in_(accounts))
    brought = {tuple(row[1:]) for row in session.execute(theirs)}
    return {of for of, alike in by_hand.items() if alike in brought}


def _holdings_left(session: Session, mine: Select[int]) -> set[int]:
    return _left(session, Holding, mine, Holding.instrument_id, Holding.closed_at.is_(None))


def _cash_left(session: Session, mine: Select[int]) -> set[int]:
    return _left(session, CashBalance, mine, CashBalance.currency)


def _left(
    session: Session,
    row: type[Holding | CashBalance],
    mine: Select[int],
    what: InstrumentedAttribute[Any],
    *only: ColumnElement[bool],
) -> set[int]:
    """Rows of a broker account that have a better copy in another account.

    The best one is where a connection brings it now, else the newest.
    """
    of, held = (row.source, row.source_account), (row.account_id.in_(mine), row.source != MANUAL)
    first, last = func.min(row.account_id), func.max(row.account_id)
    # Seldom so, and told by an index alone, without putting thousands of rows in order.
    moved = select(*of).where(*held, *only).group_by(*of).having(first < last)
    if not session.execute(moved).all():
        return set()
    read = _read_last(mine)
    live = Account.mode == CONNECTED, read.c.account_id.is_not(None)
    order = *(case((each, 0), else_=1) for each in live), row.id.desc()
    place = func.row_number().over(partition_by=(what, *of), order_by=order).label("place")
    query = select(row.id, place).join(Account, Account.id == row.account_id)
    by = (getattr(row, each.key) == each for each in read.c)
    placed = query.outerjoin(read, and_(*by)).where(*held, *only).subquery()
    return set(session.scalars(select(placed.c.id).where(placed.c.place > 1)))


def _read_last(mine: Select[int]) -> Subquery:
    """The broker accounts whose prices are as of the last read of the account that has them.

    A connected account may hold what a former connection brought, too; that is dated.
    """
    known = or_(Holding.price.is_not(None), Holding.market_value.is_not(None))
    undated = Holding.closed_at.is_(None), Holding.quoted_at.is_(None), known
    query = select(Holding.account_id, Holding.source, Holding.source_account)
    query = query.where(Holding.account_id.in_(mine), Holding.source != MANUAL, *undated)
    return query.distinct().subquery()


def _cash_by_hand(mine: Select[int]) -> Select[int]:
    other = aliased(CashBalance)
    return (
        select(CashBalance.id)
        .join(other, other.account_id == CashBalance.account_id)
        .where(
            CashBalance.account_id.in_(mine),
            CashBalance.source == MANUAL,
            other.source != MANUAL,
            other.currency == CashBalance.currency,
        )
    )


def _note(row: Holding | CashBalance, *, alike: bool) -> bool:
    """Mark a row, or take its mark away; whether somebody should look at it."""
    if not alike:
        row.twin = NO_TWIN
    elif row.twin == NO_TWIN:
        row.twin = LIKELY_TWIN
    return row.twin == LIKELY_TWIN


def hand_over(former: Holding, twin: Holding) -> None:
    """Give what a person wrote of a row to the row that replaces it, where that says nothing."""
    for name in ("notes", "display_name", "category", "target_weight"):
        if getattr(twin, name) is None:
            setattr(twin, name, getattr(former, name))


def settle(session: Session, row: Holding | CashBalance, owner_id: int) -> None:
    """Note that a person has looked: these are two things, and both count."""
    row.twin = SETTLED_TWIN
    mark(session, owner_id)
