"""The shortest sync: the same calls, decoded exactly, compared and written with nothing around.

No pace, no checks, no totals, no reading back. What it stores is what cannot be left out: the
instrument, the holding, and a line of the journal for what changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import requests
import urllib3

DECODER = msgspec.json.Decoder(float_hook=Decimal)
HOLDINGS = """
CREATE TABLE IF NOT EXISTS instrument (
    id INTEGER PRIMARY KEY, key TEXT UNIQUE, symbol TEXT, name TEXT, kind TEXT, currency TEXT);
CREATE TABLE IF NOT EXISTS holding (
    id INTEGER PRIMARY KEY, instrument_id INTEGER UNIQUE REFERENCES instrument, quantity TEXT,
    average_price TEXT, price TEXT, market_value TEXT, unrealized_pnl TEXT);
CREATE TABLE IF NOT EXISTS change (
    id INTEGER PRIMARY KEY, holding_id INTEGER, field TEXT, old TEXT, new TEXT);
"""
TERMS = ("contractDesc", "name", "assetClass", "currency")
FIGURES = ("position", "avgPrice", "mktPrice", "mktValue", "unrealizedPnl")
Rows = dict[str, tuple[tuple[Any, ...], tuple[str, ...]]]


class Gateway:
    """One signed-in gateway, asked without a pace."""

    def __init__(self, address: str) -> None:
        # Its certificate was made for this run, on this computer.
        urllib3.disable_warnings()
        self._session = requests.Session()
        self._session.verify = self._session.trust_env = False
        self._base = f"{address}/v1/api"

    def call(self, path: str, method: str = "GET") -> bytes:
        """The body of an answer."""
        answer = self._session.request(method, f"{self._base}{path}")
        answer.raise_for_status()
        return answer.content

    def pages(self, account: str) -> Iterator[bytes]:
        """The pages of positions; the first call is who is signed in, the last one, too."""
        self.call("/tickle", "POST")
        self.call("/portfolio/accounts")
        self.call(f"/portfolio/{account}/ledger")
        number = 0
        while len(page := self.call(f"/portfolio/{account}/positions/{number}")) > len("[]"):
            yield page
            number += 1
        self.call(f"/portfolio/{account}/ledger")
        self.call("/tickle", "POST")


def parse(pages: Iterator[bytes]) -> Rows:
    """Terms and canonical figures of each contract."""
    return {
        str(row["conid"]): (
            tuple(row.get(name) for name in TERMS),
            tuple(_canonical(row.get(name)) for name in FIGURES),
        )
        for page in pages
        for row in DECODER.decode(page)
    }


def _canonical(value: Decimal | int | None) -> str:
    text = format(value or 0, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def store(file: Path, found: Rows) -> None:
    """Bring the file to what was found, in one transaction."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {HOLDINGS}")
        connection.execute("BEGIN IMMEDIATE")
        _write(connection, found)
        connection.execute("COMMIT")


def _write(connection: sqlite3.Connection, found: Rows) -> None:
    query = (
        "SELECT i.key, h.id, quantity, average_price, price, market_value, unrealized_pnl "
        "FROM holding h JOIN instrument i ON i.id = h.instrument_id"
    )
    stored = {key: (row_id, figures) for key, row_id, *figures in connection.execute(query)}
    fresh = [(key, *found[key][0]) for key in found if key not in stored]
    connection.executemany(
        "INSERT INTO instrument (key, symbol, name, kind, currency) VALUES (?, ?, ?, ?, ?)", fresh
    )
    ids = dict(connection.execute("SELECT key, id FROM instrument"))
    added = [(ids[key], *found[key][1]) for key, *_ in fresh]
    connection.executemany("INSERT INTO holding VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6)", added)
    moved = [
        (*found[key][1], row_id)
        for key, (row_id, figures) in stored.items()
        if key in found and list(found[key][1]) != figures
    ]
    connection.executemany(
        "UPDATE holding SET quantity=?, average_price=?, price=?, market_value=?, "
        "unrealized_pnl=? WHERE id=?",
        moved,
    )
    journal = [(row_id, "", quantity) for row_id, quantity, *_ in added]
    journal += [(row_id, "moved", quantity) for quantity, *_, row_id in moved]
    connection.executemany(
        "INSERT INTO change (holding_id, field, old, new) VALUES (?, 'quantity', ?, ?)", journal
    )
    gone = [(stored[key][0],) for key in stored.keys() - found.keys()]
    connection.executemany("DELETE FROM holding WHERE id=?", gone)
