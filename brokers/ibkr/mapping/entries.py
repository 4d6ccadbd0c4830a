"""Rows of the pages as they are kept until the last page is there: small, and each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import structs

from brokers.errors import Foreign, Incomplete
from brokers.ibkr.mapping.instruments import ENCODE, Known, Told, learnt, recognised, told
from brokers.ibkr.mapping.positions import FIGURES, Held, position_of, summed
from brokers.ibkr.mapping.rows import FOREIGN, TWIN, identity, is_cash, quantity, totals
from brokers.ibkr.mapping.values import Row
from brokers.types import Position

DECODE = msgspec.json.Decoder(tuple[list[Any], list[Any]]).decode


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A row of the pages: whose, which, and how much.

    `position` is None where nothing is held, and as long as `lean` waits for its contract's terms.
    """

    key: str
    model: str
    is_own: bool
    is_cash: bool
    quantity: Decimal
    position: Position | None = None
    lean: bytes | None = None

    @property
    def is_held(self) -> bool:
        """Whether it stands for a holding."""
        return self.quantity != 0 and not self.is_cash


def counted(row: Row, account_id: str) -> Entry:
    """A row of which only the quantity is asked."""
    of, model = identity(row)
    is_own = row.get("acctId") != account_id + TWIN
    return Entry(of, model, is_own, is_cash(row), quantity(row))


def understood(row: Row, account_id: str, base_currency: str, known: Known, now: int) -> Entry:
    """A row with its position, or with all that is needed of it once the terms are there."""
    entry = counted(row, account_id)
    if not entry.is_held or not entry.is_own:
        return entry
    of = told(entry.key, row)
    what = recognised(of, base_currency, known, now)
    if what is None:
        return structs.replace(entry, lean=_packed(of))
    return structs.replace(entry, position=position_of(row, what, entry.quantity))


def with_terms(entry: Entry, terms: Row, base_currency: str, known: Known, now: int) -> Entry:
    """A lean row once the terms of its contract were asked for; `terms` are empty without any."""
    assert entry.lean is not None
    described, figures = DECODE(entry.lean)
    of = Told(entry.key, described, dict(zip(FIGURES, figures, strict=True)))
    what = learnt(of, terms, base_currency, known, now)
    position = position_of(of.figures, what, entry.quantity)
    return structs.replace(entry, position=position, lean=None)


def _packed(of: Told) -> bytes:
    """What is needed of a row later."""
    return ENCODE((of.described, [*map(of.figures.get, FIGURES)]))


def distinct(entries: Iterable[Entry]) -> list[Entry]:
    """The entries once each; `Incomplete` where one came twice with another quantity.

    Prices move between two pages, so of the rest the first one counts.
    """
    seen: dict[tuple[str, str], Entry] = {}
    twins = []
    for entry in entries:
        if not entry.is_own:
            twins.append(entry)
            continue
        before = seen.setdefault((entry.key, entry.model), entry)
        if before.quantity != entry.quantity:
            raise Incomplete("A position came twice with different quantities.")
    for entry in twins:
        # The second name of an account repeats its holdings; what it holds alone is not ours.
        own = seen.get((entry.key, entry.model))
        if own is None or own.quantity != entry.quantity:
            raise Foreign(FOREIGN)
    return list(seen.values())


def held(entries: Iterable[Entry]) -> int:
    """How many contracts are held."""
    return sum(amount != 0 for amount in quantities(entries).values())


def wait(entries: Iterable[Entry]) -> bool:
    """Whether there are rows that wait for the terms of their contracts."""
    return any(entry.lean is not None for entry in entries)


def quantities(entries: Iterable[Entry]) -> dict[str, Decimal]:
    """How much of each contract is listed; a quantity of 0 is among them."""
    return totals((entry.key, entry.quantity) for entry in entries if not entry.is_cash)


def positions(entries: Sequence[Entry]) -> Held:
    """The holdings, and the contracts listed with quantity 0; cash is in the ledger already.

    In an account with models a row of 0 is no such proof: that of another model may be missing.
    """
    found = [entry.position for entry in entries if entry.position is not None]
    if any(entry.model for entry in entries if not entry.is_cash):
        return summed(found), frozenset()
    zero = (entry.key for entry in entries if not entry.quantity and not entry.is_cash)
    return summed(found), frozenset(zero)
