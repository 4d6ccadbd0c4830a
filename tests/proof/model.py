"""A small model of what an account must hold, independent of the program's own planning."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine

from brokers.ibkr.simulator.answers import CLASSES
from brokers.ibkr.simulator.data import Account
from tests.proof.truth import MANUAL, rows


def plain(value: object) -> str:
    """A number, perhaps given as text, without exponent and superfluous zeros."""
    written = format(Decimal(str(value)), "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def digest_of(account: Account) -> str:
    """The documented digest of what the broker holds: positions by contract, then cash."""
    held = sorted(
        (str(row.conid), plain(row.quantity), plain(row.average), row.currency)
        for row in account.held
        if row.quantity
    )
    cash = sorted((currency, plain(of.balance)) for currency, of in account.cash.items())
    lines = ["|".join(row) for row in held] + ["=".join(row) for row in cash]
    return sha256("\n".join(lines).encode()).hexdigest()


# account, source, account at the broker, and what: a contract, a symbol by hand, or a currency.
Key = tuple[int, str, str, str]
# A holding's quantity and average price, or an amount of cash.
Figures = tuple[str, ...]
Held = dict[Key, Figures]

HOLDINGS = """
    SELECT h.account_id, h.source, h.source_account, COALESCE(k.value, i.symbol), h.quantity,
           h.average_price, h.notes, h.closed_at, h.id, i.id, i.symbol
    FROM holding h JOIN instrument i ON i.id = h.instrument_id
    LEFT JOIN instrument_identifier k ON k.instrument_id = i.id AND k.is_key
    ORDER BY h.closed_at IS NULL, h.id
"""
CASH = "SELECT account_id, source, source_account, currency, amount FROM cash_balance"
CHANGES = """
    SELECT c.id, c.run_id, r.account_id, c.source, c.source_account, c.holding_id, c.subject,
           c.label, c.field, c.old, c.new, CAST(c.beside AS TEXT)
    FROM change c JOIN sync_run r ON r.id = c.run_id ORDER BY c.id
"""
NOTHING = "—"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the database says: what is held, the notes, and the broker's rows by their ids.

    `instruments` has the instrument of each row, `symbols` how each is called.
    """

    held: Held
    notes: dict[Key, str]
    rows: dict[int, Figures]
    instruments: dict[int, int]
    symbols: dict[int, str]


def seen(engine: Engine) -> Seen:
    """One look at the database."""
    with engine.connect() as connection:
        holdings, cash = rows(connection, HOLDINGS), rows(connection, CASH)
    found = Seen(held={}, notes={}, rows={}, instruments={}, symbols={})
    for *key, quantity, average, notes, closed, row, instrument, symbol in holdings:
        place = _key(key)
        if notes != NOTHING:
            found.notes[place] = notes
        if closed == NOTHING:
            assert place not in found.held, f"twice: {place}"
            found.held[place] = quantity, average
        if place[1] != MANUAL:
            found.instruments[int(row)] = int(instrument)
            found.symbols[int(instrument)] = symbol
            if closed == NOTHING:
                found.rows[int(row)] = quantity, average
    for *key, currency, amount in cash:
        place = _key([*key, f"cash {currency}"])
        assert place not in found.held, f"twice: {place}"
        found.held[place] = (amount,)
    return found


def _key(key: list[str]) -> Key:
    return int(key[0]), key[1], key[2].replace(NOTHING, ""), key[3]


@dataclass(kw_only=True)
class Reading:
    """What the gateway said in one run, as the wire had it: the last whole pass and the witness.

    `gone` are contracts that it listed with quantity 0; `books` is the value of all classes that
    the last ledger states in base currency.
    """

    positions: dict[str, Figures]
    cash: dict[str, Figures]
    gone: set[str]
    witnesses: list[set[str]]
    books: Decimal


def reading_of(said: Iterable[tuple[str, Any]], broker_account: str) -> Reading:
    """The reading behind the answers (path, body) of one run."""
    found = Reading(positions={}, cash={}, gone=set(), witnesses=[], books=Decimal(0))
    pages: list[Any] = []
    for path, body in said:
        inside = path.partition(f"/{broker_account}/")[2]
        if not isinstance(body, list | dict) or "error" in body:
            continue
        if inside == "ledger" and "BASE" in body:
            found.cash = {of: (plain(row["cashbalance"]),) for of, row in body.items()}
            found.cash.pop("BASE", None)
            found.books = sum((abs(body["BASE"][of]) for of in CLASSES.values()), Decimal(0))
        elif inside == "positions":
            found.witnesses.append({str(row["conid"]) for row in body if _held(row)})
        elif inside.startswith("positions/"):
            pages = [] if inside.endswith("/0") else pages
            pages += body
            if not body:
                _whole_pass(found, pages)
    return found


def _held(row: Any) -> bool:
    return bool(Decimal(str(row["position"])))


def _whole_pass(found: Reading, rows: list[Any]) -> None:
    """The end of the pages: what they said is the state, and each pass is a witness as well."""
    found.positions = {
        str(row["conid"]): (plain(row["position"]), plain(row["avgPrice"]))
        for row in rows
        if _held(row)
    }
    found.gone = {str(row["conid"]) for row in rows} - found.positions.keys()
    found.witnesses.append(set(found.positions))


def vanished_rightly(reading: Reading, keys: set[str]) -> bool:
    """Whether each absence is told by a row of quantity 0, or by two looks."""
    doubtful = keys - reading.gone
    twice = len(reading.witnesses) > 1
    return not doubtful or (twice and not any(doubtful & of for of in reading.witnesses[-2:]))


@dataclass
class Run:
    """An applied run as the model remembers it: what its account held before and after."""

    account: int
    before: Held
    after: Held
    undoes: str | None = None

    def taken_back(self, now: Held) -> Held:
        """What is held once the run is taken back; asserts that nothing newer is overwritten."""
        result = dict(now)
        for key in self.before.keys() | self.after.keys():
            old, new = self.before.get(key), self.after.get(key)
            if old == new:
                continue
            result[key] = self._restored(key, old, new, now.get(key))
        return {key: figures for key, figures in result.items() if figures}

    def _restored(
        self, key: Key, old: Figures | None, new: Figures | None, present: Figures | None
    ) -> Figures:
        if old is None or new is None:
            assert present == new, f"an undo overwrote {key}: {present} is not {new}"
            return old or ()
        assert present is not None, f"an undo brought {key} back"
        moved = [number for number, value in enumerate(old) if value != new[number]]
        for number in moved:
            assert present[number] == new[number], f"an undo overwrote {key}"
        return tuple(old[n] if n in moved else value for n, value in enumerate(present))


class Journal:
    """Rebuilds the broker's rows from the record of changes alone, between edits by hand."""

    def __init__(self) -> None:
        self.rows: dict[int, Figures] = {}
        self.closed: dict[int, Figures] = {}
        self.cash: dict[Key, str] = {}
        self.symbols: dict[int, str] = {}
        self._read: list[tuple[str, ...]] = []

    def begin(self, found: Seen) -> None:
        """Take what a person left as the new beginning."""
        self.closed |= {row: of for row, of in self.rows.items() if row not in found.rows}
        self.rows, self.cash = dict(found.rows), _cash_of(found)

    def follow(self, engine: Engine, found: Seen) -> None:
        """Apply what was recorded since, and compare with what the database holds."""
        with engine.connect() as connection:
            every = rows(connection, CHANGES)
        assert every[: len(self._read)] == self._read, "the past was rewritten"
        new, self._read = every[len(self._read) :], every
        groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for change in new:
            if change[3] != MANUAL:
                own = change[7] if change[6] == "cash" else change[5]
                groups.setdefault((change[1], change[4], change[6], own), []).append(change)
        for changes in groups.values():
            self._apply(changes, found)
        assert self.rows == found.rows, "the journal does not lead to what is held"
        assert self.cash == _cash_of(found), "the journal does not lead to the cash"
        assert self.symbols == found.symbols, "the journal does not lead to the names"

    def _apply(self, changes: list[tuple[str, ...]], found: Seen) -> None:
        _, _, account, source, broker_account, row, subject, label, _, old, new, _ = changes[0]
        if subject != "cash":
            fields = {change[8]: (change[9], change[10]) for change in changes}
            # What is added is one change, with its other fields beside it.
            for beside in {change[11] for change in changes} - {NOTHING, "null"}:
                fields |= {name: (NOTHING, of) for name, of in json.loads(beside).items()}
            self._apply_to(int(row), fields, found)
            return
        place = (int(account), source, broker_account, f"cash {label}")
        assert self.cash.get(place, NOTHING) == old, f"the record of {place} has a gap"
        self.cash[place] = new
        if new == NOTHING:
            del self.cash[place]

    def _apply_to(self, row: int, fields: dict[str, tuple[str, str]], found: Seen) -> None:
        same = (NOTHING, NOTHING)
        old, new = fields.get("quantity", same)
        if old != NOTHING and new == NOTHING:
            assert self.rows[row][0] == old, f"the record of row {row} has a gap"
            self.closed[row] = self.rows.pop(row)
            return
        if old == NOTHING and new != NOTHING:
            # A sync states everything anew; an undo brings back what was there.
            anew = len(fields) > 1
            self.rows[row] = (NOTHING, NOTHING) if anew else (NOTHING, self.closed[row][1])
        held = list(self.rows[row])
        for number, name in enumerate(("quantity", "average_price")):
            if name in fields:
                assert held[number] == fields[name][0], f"the record of row {row} has a gap"
                held[number] = fields[name][1]
        self.rows[row] = tuple(held)
        if "symbol" in fields:
            self.symbols[found.instruments[row]] = fields["symbol"][1]


def _cash_of(found: Seen) -> dict[Key, str]:
    """The cash that brokers brought."""
    return {
        key: figures[0]
        for key, figures in found.held.items()
        if key[1] != MANUAL and key[3].startswith("cash ")
    }
