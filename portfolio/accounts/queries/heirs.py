"""Notes that may belong to another row by now: a contract left, and one like it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from portfolio.accounts.models import Account, Holding, Instrument
from portfolio.accounts.queries.totals import open_holdings

# A symbol or contract change, a merger, a roll: the new one comes within days.
WITHIN = timedelta(days=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heir:
    """A holding that left with notes, and one that arrived and may want them."""

    former_id: int
    former: str
    heir_id: int
    heir: str
    notes: str


def heirs(session: Session, account: Account, now: datetime) -> tuple[Heir, ...]:
    """Whose notes could be moved to whom; nobody's who has notes already."""
    left = (
        select(Holding)
        .join(Holding.instrument)
        .options(contains_eager(Holding.instrument))
        .where(
            Holding.account_id == account.id,
            Holding.closed_at >= now - WITHIN,
            Holding.notes.is_not(None),
        )
    )
    former = list(session.scalars(left.order_by(Holding.id)))
    if not former:
        return ()
    since = min(row.closed_at or now for row in former) - WITHIN
    query = open_holdings(account.id).where(Holding.opened_at >= since, Holding.notes.is_(None))
    new = list(session.scalars(query.order_by(Holding.id)))
    found = []
    for row in former:
        heir = next((each for each in new if _is_like(row, each)), None)
        if heir is not None:
            new.remove(heir)
            found.append(
                Heir(
                    former_id=row.id,
                    former=row.instrument.symbol,
                    heir_id=heir.id,
                    heir=heir.instrument.symbol,
                    notes=row.notes or "",
                )
            )
    return tuple(found)


def _is_like(former: Holding, new: Holding) -> bool:
    """Whether a new row of the same source has the same root or the same name."""
    old, other = former.instrument, new.instrument
    if former.source != new.source or old.id == other.id or former.closed_at is None:
        return False
    near = abs(new.opened_at - former.closed_at) <= WITHIN
    return near and (_root(old) == _root(other) or (old.name == other.name and bool(old.name)))


def _root(of: Instrument) -> str:
    return of.underlying or of.symbol
