"""Exchange rates that are typed by hand, and the reference rates of the European Central Bank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portfolio.accounts.ecb import ECB, ReferenceRate
from portfolio.accounts.models import MANUAL, Rate
from portfolio.accounts.names import clean_currency
from portfolio.accounts.services.totals import rates_changed
from portfolio.clock import Moment
from portfolio.errors import Conflict, Invalid, NotFound


def add_rate(session: Session, owner_id: int, values: Mapping[str, Any], moment: Moment) -> Rate:
    """A rate by hand for a day (default: today); one for the same day takes its place."""
    source, target = (clean_currency(values.get(name) or "", name) for name in ("from", "to"))
    if source == target:
        raise Invalid({"to": "Another currency than the first is needed."})
    value, day = values.get("rate"), values.get("date") or moment.day
    if value is None or value <= 0:
        raise Invalid({"rate": "A rate is greater than 0."})
    if day > moment.day + timedelta(days=1):
        raise Invalid({"date": "A rate of a future day is not known yet."})
    row = _rate(session, owner_id, (source, target), day, MANUAL)
    row.value, row.read_at = value, moment.now
    rates_changed(session, owner_id, moment)
    return row


def _rate(session: Session, owner_id: int, pair: tuple[str, str], day: Any, source: str) -> Rate:
    key: dict[str, Any] = {
        "owner_id": owner_id,
        "from_currency": pair[0],
        "to_currency": pair[1],
        "day": day,
        "source": source,
    }
    row = session.scalar(select(Rate).filter_by(**key))
    if row is None:
        row = Rate(**key)
        session.add(row)
    return row


def remove_rate(session: Session, owner_id: int, rate_id: int, moment: Moment) -> None:
    """Remove a rate that was typed by hand."""
    row = session.get(Rate, rate_id)
    if row is None or row.owner_id != owner_id:
        raise NotFound("rate")
    if row.source != MANUAL:
        raise Conflict(
            "Only rates typed by hand can be removed.", "A newer rate takes the place of this one."
        )
    session.delete(row)
    rates_changed(session, owner_id, moment)


def store_reference_rates(
    session: Session, owner_id: int, rates: Iterable[ReferenceRate], moment: Moment
) -> int:
    """Store reference rates; returns how many were new or different."""
    moved = 0
    for each in rates:
        row = _rate(session, owner_id, ("EUR", each.currency), each.day, ECB)
        if row.value != each.value:
            row.value, row.read_at = each.value, moment.now
            moved += 1
    if moved:
        rates_changed(session, owner_id, moment)
    return moved
