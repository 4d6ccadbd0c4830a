"""Names that people give, to things and to themselves, kept safe in pages and databases."""

from __future__ import annotations

import unicodedata

from portfolio.errors import Invalid

LONGEST = 100
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


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
    if any(is_forbidden(character) for character in name):
        return "A name has no control characters or text-direction marks."
    return None


def is_forbidden(character: str) -> bool:
    """Whether a character hides, changes the direction of text, or is no character at all."""
    hidden = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
    return hidden or character in BIDI or character == "\ufffd"


def folded(name: str) -> str:
    """A name as it is compared: whatever its case and its way of being typed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
