"""How the text of a setting becomes a value; what is none raises `ValueError`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from portfolio.paths import named

SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
KEY = re.compile(r"[A-Za-z0-9_-]{43}=", re.ASCII)


def text(value: str) -> str:
    """Any text, as it is."""
    return value


def filled(value: str) -> str:
    """Any text but none."""
    if not value.strip():
        raise ValueError
    return value.strip()


def host(value: str) -> str:
    """A name or an address; one of IPv6 may stand in brackets, as it does in a URL."""
    bare = filled(value)
    in_brackets = bare.startswith("[") and bare.endswith("]") and ":" in bare
    return filled(bare[1:-1]) if in_brackets else bare


def between(least: int, most: int) -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def read(value: str) -> int:
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return read


def empty_or_long(least: int) -> Callable[[str], str]:
    """Nothing, or at least so many characters that a header can carry."""

    def read(value: str) -> str:
        if value and (len(value) < least or not value.isascii() or not value.isprintable()):
            raise ValueError
        return value

    return read


def folder(value: str) -> Path:
    """A folder; `~` is the home of whoever runs the program."""
    return named(filled(value)).resolve()


def names(value: str) -> tuple[str, ...]:
    """Names separated by commas, in lower case."""
    return tuple(name.strip().lower() for name in value.split(",") if name.strip())


def targets(value: str) -> tuple[str, ...]:
    """Addresses with a scheme, separated by commas; none twice."""
    # An address may have commas of its own: a new one begins where a scheme follows.
    parts = [part.strip(" ,") for part in re.split(rf",\s*(?={SCHEME})", value)]
    found = tuple(dict.fromkeys(part for part in parts if part))
    if not all(re.fullmatch(rf"{SCHEME}\S*", each) and each.isprintable() for each in found):
        raise ValueError
    return found


def sealing_key(value: str) -> str:
    """A key as `foliosync key new` prints them: 32 bytes in base64 for addresses."""
    if not KEY.fullmatch(value):
        raise ValueError
    return value


def sealing_keys(value: str) -> tuple[str, ...]:
    """Keys separated by commas or spaces; none twice."""
    return tuple(dict.fromkeys(sealing_key(key) for key in re.split(r"[,\s]+", value) if key))


def zone(value: str) -> ZoneInfo | None:
    """A time zone by its name, or None."""
    return ZoneInfo(value) if value else None


def one_of(*words: str) -> Callable[[str], str]:
    """One of a few words."""

    def read(value: str) -> str:
        if value not in words:
            raise ValueError
        return value

    return read
