"""What the vendor writes for numbers, texts and days, and what is none of them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from sys import intern
from typing import Any

from brokers.contract import CURRENCY
from brokers.errors import BrokerError
from brokers.ibkr import errors

Row = Mapping[str, Any]


# More than any figure needs; what is longer is damage, and could not be stored.
LONGEST = 38
ORDINARY = 18
# Of a figure below this (as an exponent of ten) nothing is left but the rounding of a double.
SMALLEST = -18
NOTHING = Decimal(0)
PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
LONGEST_TEXT = 200
# Products and sums of accepted figures lose nothing within so many digits.
EXACT = 120


def number(value: Any, name: str) -> Decimal | None:
    """A figure from a number or a string; None where there is none.

    One that is too small to be any (the profit on dust, `1.08E-19`) is 0.
    """
    # The usual cases, as quick as they can be told: ordinary digits, and not many.
    if type(value) is Decimal:
        written = str(value)
        if len(written) <= ORDINARY and "E" not in written and value.is_finite():
            return value
    elif type(value) is str and len(value) <= ORDINARY and PLAIN.fullmatch(value):
        return Decimal(value)
    found = _written(value, name)
    if not found:
        return found
    if found.adjusted() < SMALLEST:
        return NOTHING
    if found.adjusted() > 18 or len(found.as_tuple().digits) > LONGEST:
        raise _no_number(name)
    return found


def exact(value: Any, name: str) -> Decimal | None:
    """The same of what must not become 0 because it is tiny, as a quantity: it is refused."""
    found = number(value, name)
    if found == 0 and _written(value, name):
        raise _no_number(name)
    return found


def _written(value: Any, name: str) -> Decimal | None:
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        found = Decimal(value) if isinstance(value, int | Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise _no_number(name)
    return found


def _no_number(name: str) -> BrokerError:
    return errors.bad(f"The field {name} is not a number.")


def text(value: Any) -> str | None:
    """Text with the vendor's HTML entities undone once; None where there is none.

    What cannot be seen is taken out: NUL (no database holds it), controls, and marks that turn the
    direction of writing, which make a title look like another one.
    """
    if value is None:
        return None
    if type(value) is not str:
        if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
            return None
        value = str(value)
    plain = html.unescape(value) if "&" in value else value
    if not plain.isprintable():
        plain = _printable(plain)
    return plain.strip()[:LONGEST_TEXT] or None


def _printable(found: str) -> str:
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in found)


def currency(value: Any) -> str | None:
    """A currency code, or None where there is none."""
    is_short = type(value) is str and len(value) <= LONGEST_TEXT
    return _currency(value if is_short else text(value))


# Thousands of rows share the few that there are.
@lru_cache(maxsize=256)
def _currency(value: str | None) -> str | None:
    found = text(value)
    return intern(found) if found is not None and CURRENCY.fullmatch(found) else None


def day(value: Any) -> date | None:
    """A day from its eight digits, or None where there is none."""
    digits = str(value or "")
    try:
        return (
            date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if len(digits) == 8 else None
        )
    except ValueError:
        return None
