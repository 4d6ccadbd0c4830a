"""What the database says, read by SQL of the tests' own and not by the program's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, create_engine, text

HELD = """
    SELECT h.account_id, h.source, h.source_account, i.id AS instrument, k.value AS broker_key,
           i.symbol, i.kind, i.currency, h.quantity, h.average_price
    FROM holding h JOIN instrument i ON i.id = h.instrument_id
    LEFT JOIN instrument_identifier k ON k.instrument_id = i.id AND k.is_key
    WHERE h.closed_at IS NULL
"""
CASH = "SELECT account_id, source, source_account, currency, amount FROM cash_balance"
WRITTEN = """
    SELECT h.id, h.notes, h.display_name, h.category, h.target_weight FROM holding h
    WHERE h.notes IS NOT NULL OR h.display_name IS NOT NULL
       OR h.category IS NOT NULL OR h.target_weight IS NOT NULL
"""
MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One look at a database.

    `brokers` is what comes from brokers and `by_hand` what people keep (rows of holdings and
    cash, sorted, as text); `written` are the fields that only people write, by row; `twice` are
    holdings that are open more than once in one account.
    """

    brokers: tuple[tuple[str, ...], ...]
    by_hand: tuple[tuple[str, ...], ...]
    written: tuple[tuple[str, ...], ...]
    twice: tuple[tuple[str, ...], ...]


def look(database: str | Engine) -> Truth:
    """What the database holds now."""
    engine = create_engine(database) if isinstance(database, str) else database
    try:
        with engine.connect() as connection:
            held = rows(connection, HELD)
            cash = rows(connection, CASH)
            written = rows(connection, WRITTEN)
    finally:
        if isinstance(database, str):
            engine.dispose()
    seen: set[tuple[str, ...]] = set()
    twice = []
    for row in held:
        same = row[:4]
        twice += [same] if same in seen else []
        seen.add(same)
    every = sorted((*held, *cash))
    return Truth(
        brokers=tuple(row for row in every if row[1] != MANUAL),
        by_hand=tuple(row for row in every if row[1] == MANUAL),
        written=tuple(sorted(written)),
        twice=tuple(twice),
    )


def rows(connection: Any, statement: str) -> list[tuple[str, ...]]:
    """The rows of a statement as text, numbers without superfluous zeros."""
    return [tuple(_plain(value) for value in row) for row in connection.execute(text(statement))]


def _plain(value: object) -> str:
    written = "—" if value is None else str(value)
    if "." in written and written.replace(".", "").lstrip("-").isdigit():
        return written.rstrip("0").rstrip(".")
    return written
