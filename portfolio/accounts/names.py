"""Names that people give, kept safe in URLs, pages and databases."""

from __future__ import annotations

import unicodedata

from portfolio.errors import Invalid

LONGEST = 100
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNSAFE_IN_A_PATH = frozenset("/\\%?#;")


def clean_name(text: str, field: str = "name") -> str:
    """The name in its one normal form (NFC), or `Invalid` with the reason."""
    name = unicodedata.normalize("NFC", text)
    reason = _reason(name)
    if reason:
        raise Invalid({field: reason})
    return name


def _reason(name: str) -> str | None:
    if not name or name != name.strip():
        return (
            "A name has no spaces at its ends and is not empty." if name else "A name is needed."
        )
    if len(name) > LONGEST:
        return f"A name has at most {LONGEST} characters."
    if name.startswith("~"):
        return "A name does not begin with “~”."
    if any(_forbidden(character) for character in name):
        return "A name has no control characters or text-direction marks."
    return None


def _forbidden(character: str) -> bool:
    hidden = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
    return hidden or character in BIDI or character == "\ufffd"


def slug(name: str, identity: int) -> str:
    """The name as a segment of a URL; `~<id>` for a name that cannot stand there."""
    unsafe = name in {".", ".."} or any(character in UNSAFE_IN_A_PATH for character in name)
    return f"~{identity}" if unsafe else name


CURRENCY_HINT = "A currency is a code of three capital letters, such as EUR."


def clean_currency(text: str, field: str = "currency") -> str:
    """A currency code in capitals, or `Invalid`."""
    code = text.strip().upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise Invalid({field: CURRENCY_HINT})
    return code
