"""Names that people give, kept safe in URLs, pages and databases."""

from __future__ import annotations

import unicodedata
from datetime import date
from decimal import Decimal
from typing import Any

from portfolio.db.base import canonical
from portfolio.errors import Invalid
from portfolio.names import is_forbidden, normal_form

UNSAFE_IN_A_PATH = frozenset("/\\%?#;")
LONGEST_CALLED = 120


def slug(name: str, identity: int) -> str:
    """The name as a segment of a URL; `~<id>` for a name that cannot stand there."""
    unsafe = name in {".", ".."} or any(character in UNSAFE_IN_A_PATH for character in name)
    return f"~{identity}" if unsafe else name


def called(symbol: str, expiry: date | None, strike: Decimal | None, right: str | None) -> str:
    """How an instrument is told from others of its symbol: NVDA 2027-01-15 200 call."""
    if expiry is None and strike is None:
        return symbol
    terms = expiry, None if strike is None else canonical(strike), right
    # So much of it goes into the record of a change.
    return " ".join([symbol, *(str(term) for term in terms if term is not None)])[:LONGEST_CALLED]


def label_of(of: Any) -> str:
    """The same of an instrument, stored or typed."""
    return called(of.symbol, of.expiry, of.strike, of.option_right)


CURRENCY_HINT = "A currency is a code of three capital letters, such as EUR."
# Stock exchanges and their data write GBp, ZAc and ILa: pence is no other spelling of pounds.
MAJOR = {"ZAc": "ZAR", "ILa": "ILS"}
MINOR = "{} stands for hundredths, such as pence: give the prices and amounts in {}."


def clean_currency(text: str, field: str = "currency") -> str:
    """A currency code in capitals, or `Invalid`."""
    code = text.strip()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise Invalid({field: CURRENCY_HINT})
    if code[:2].isupper() and code[2].islower():
        raise Invalid({field: MINOR.format(code, MAJOR.get(code, code.upper()))})
    return code.upper()


LONGEST_NOTES = 10_000


def clean_notes(text: str | None) -> str | None:
    """Notes in normal form; None where there are none."""
    if text is None or not text.strip():
        return None
    # Without spaces at its ends, as a cell of a file comes back.
    notes = normal_form(text.replace("\r\n", "\n"), "notes").strip()
    if len(notes) > LONGEST_NOTES:
        raise Invalid({"notes": f"Notes have at most {LONGEST_NOTES} characters."})
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in notes):
        raise Invalid({"notes": "Notes have no control characters."})
    return notes


def clean_text(text: str | None, field: str, longest: int) -> str | None:
    """A line of text in normal form; None where it is empty, `Invalid` where it cannot stand."""
    line = normal_form(text or "", field).strip()
    if len(line) > longest:
        raise Invalid({field: f"At most {longest} characters."})
    if any(is_forbidden(character) for character in line):
        raise Invalid({field: "No control characters or text-direction marks."})
    return line or None


def clean_isin(text: str | None) -> str | None:
    """An ISIN in capitals whose check digit is right, None where there is none, or `Invalid`."""
    code = (text or "").strip().upper()
    if not code:
        return None
    shaped = len(code) == 12 and code.isascii() and code.isalnum() and code[:2].isalpha()
    if not shaped or not _luhn("".join(str(int(character, 36)) for character in code)):
        raise Invalid(
            {"identifiers.isin": "Not an ISIN: two letters, nine characters, one digit."}
        )
    return code


def _luhn(digits: str) -> bool:
    doubled = (int(d) * 2 if place % 2 else int(d) for place, d in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0
