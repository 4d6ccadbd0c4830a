"""Names that people give, to things and to themselves, kept safe in pages and databases."""

from __future__ import annotations

import unicodedata

from portfolio.errors import Invalid

LONGEST = 100
# UAX #15 calls texts with no more of them in a row stream-safe: to bring many into order takes
# time that grows with their square.
MARKS = 30
# No name is longer; what is compared comes from strangers, too.
COMPARED = 1_000
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_name(text: str, field: str = "name") -> str:
    """The name in its one normal form (NFC), or `Invalid` with the reason."""
    name = normal_form(text, field)
    reason = _reason(name)
    if reason:
        raise Invalid({field: reason})
    return name


def normal_form(text: str, field: str) -> str:
    """A text in normal form (NFC), or `Invalid` where too many marks stand on one letter."""
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > MARKS:
            raise Invalid({field: f"More than {MARKS} marks stand on one letter."})
    return unicodedata.normalize("NFC", text)


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
    compatible = unicodedata.normalize("NFKC", name[:COMPARED])
    return unicodedata.normalize("NFKC", compatible.casefold())
