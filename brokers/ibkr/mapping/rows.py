"""Rows of positions before they are understood: whose, which, and how much."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any

from brokers.errors import Foreign
from brokers.ibkr import errors
from brokers.ibkr.mapping.values import EXACT, Row, exact, number

FOREIGN = "The gateway answered with positions of another account."
# Recordings show the holdings of an account a second time under its id with this letter.
TWIN = "C"
ZERO = Decimal(0)
LARGEST_ID = 10**18
WRITTEN_ID = re.compile(r"[1-9]\d{0,17}", re.ASCII)


def checked_page(answer: Any, account_id: str) -> list[Row]:
    """One page of positions: rows of this account; `counted` sees to what each must have."""
    if not isinstance(answer, list):
        raise errors.bad("A page of positions is not a list.")
    for row in answer:
        if not isinstance(row, dict):
            raise errors.bad("A row of the positions is not one.")
        if row.get("acctId") not in (None, account_id, account_id + TWIN):
            raise Foreign(FOREIGN)
    return answer


def key(row: Row) -> str:
    """The contract id of a row; required."""
    given = row.get("conid")
    if type(given) is int and 0 < given < LARGEST_ID:
        return str(given)
    if type(given) is str and WRITTEN_ID.fullmatch(given):
        return given
    value = number(given, "conid")
    if value is None or value != value.to_integral_value() or value <= 0:
        raise errors.bad("A position has no contract id.")
    return str(int(value))


def quantity(row: Row) -> Decimal:
    """The signed quantity of a row; required."""
    given = row.get("position")
    value = _shared(str(given)) if type(given) is Decimal else exact(given, "position")
    if value is None:
        raise errors.bad("A position has no quantity.")
    return value


# Thousands of rows have some hundred quantities between them; each is a tenth of a row's room.
@lru_cache(maxsize=1_000)
def _shared(written: str) -> Decimal | None:
    return exact(Decimal(written), "position")


def identity(row: Row) -> tuple[str, str]:
    """A contract and its model: what a row stands for."""
    return key(row), str(row.get("model") or "")


def is_cash(row: Row) -> bool:
    """Whether a row is one of the virtual currency positions, which the ledger's cash counts."""
    return row.get("assetClass") == "CASH"


def priced(rows: Iterable[Row]) -> tuple[int, int]:
    """How many holdings carry a price, and how many there are; strict like a reading."""
    held = [row for row in rows if key(row) and quantity(row) and not is_cash(row)]
    return sum(number(row.get("mktPrice"), "mktPrice") is not None for row in held), len(held)


def totals(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """The sum of each key."""
    found: dict[str, Decimal] = {}
    with localcontext(prec=EXACT):
        for of, amount in amounts:
            found[of] = found.get(of, ZERO) + amount
    return found
