"""What is read of instruments: what can be held, as its owner knows it."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.sql.elements import ColumnElement

from portfolio.accounts.models import Instrument
from portfolio.accounts.resources import InstrumentView


def instrument_view(row: Instrument) -> InstrumentView:
    """An instrument with its identifiers."""
    named: dict[str, str | None] = {"isin": None}
    named |= {identifier.scheme: identifier.value for identifier in row.identifiers}
    return InstrumentView(
        id=row.id,
        symbol=row.symbol,
        name=row.name,
        kind=row.kind,
        currency=row.currency,
        multiplier=row.multiplier,
        identifiers=named,
        expiry=row.expiry,
        strike=row.strike,
        right=row.option_right,
        underlying=row.underlying,
        source=row.source,
    )


def instruments(
    session: Session, owner_id: int, *, text: str, start: int, limit: int
) -> list[Instrument]:
    """The owner's instruments whose symbol or name begins with a text, one row more than asked."""
    query = select(Instrument).where(Instrument.owner_id == owner_id)
    if text:
        query = query.where(any_like((Instrument.symbol, Instrument.name), f"{escaped(text)}%"))
    query = query.options(selectinload(Instrument.identifiers))
    ordered = query.order_by(Instrument.symbol, Instrument.id).offset(start).limit(limit + 1)
    return list(session.scalars(ordered))


def any_like(columns: tuple[Any, ...], pattern: str) -> ColumnElement[bool]:
    """Whether one of some columns is like a pattern, in whichever case."""
    wanted = _cases(normalize("NFC", pattern))
    return or_(*(func.lower(of).like(each, escape="\\") for of in columns for each in wanted))


def _cases(pattern: str) -> tuple[str, ...]:
    """A pattern in small letters, and where that is not enough in the other usual ways."""
    if pattern.isascii():
        return (pattern.lower(),)
    # SQLite knows that A is a, but not that Ä is ä.
    return tuple(dict.fromkeys([pattern.lower(), pattern.upper(), pattern.title(), pattern]))


def escaped(text: str) -> str:
    """A text as a pattern that is like nothing else."""
    text = text.replace("\0", "")
    for character in "\\%_":
        text = text.replace(character, f"\\{character}")
    return text
