"""What the vendor writes for numbers, texts and days, and what is none of them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from brokers.ibkr import errors

Row = Mapping[str, Any]


# More than any figure needs; what is longer is damage, and could not be stored.
LONGEST = 38
LONGEST_TEXT = 200
CURRENCY = re.compile(r"[A-Z]{3}[A-Z0-9]{0,5}", re.ASCII)


def number(value: Any, name: str) -> Decimal | None:
    """A decimal from a number or a string; None where there is none."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        found = Decimal(value) if isinstance(value, int | Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or _is_damaged(found):
        raise errors.bad(f"The field {name} is not a number.")
    return found


def _is_damaged(found: Decimal) -> bool:
    return found != 0 and (abs(found.adjusted()) > 18 or len(found.as_tuple().digits) > LONGEST)


def text(value: Any) -> str | None:
    """Text with the vendor's HTML entities undone once; None where there is none."""
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        return None
    return html.unescape(str(value)).strip()[:LONGEST_TEXT] or None


def currency(value: Any) -> str | None:
    """A currency code, or None where there is none."""
    found = text(value)
    return found if found is not None and CURRENCY.fullmatch(found) else None


def day(value: Any) -> date | None:
    """A day from its eight digits, or None where there is none."""
    digits = str(value or "")
    try:
        return (
            date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if len(digits) == 8 else None
        )
    except ValueError:
        return None
