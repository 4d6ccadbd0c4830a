"""What a sealed text looks like, and the columns that take nothing else."""

from __future__ import annotations

import re
from hashlib import sha256

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from portfolio.errors import SealBroken

VERSION = "s1"
# Version, key id, and the encrypted text.
SEALED = re.compile(rf"{VERSION}\.([0-9a-f]{{12}})\.([A-Za-z0-9_=-]+)", re.ASCII)


class Sealed(TypeDecorator[str]):
    """A column of sealed texts: what is not sealed is refused, so nothing secret is stored plain.

    `foliosync key rotate` finds what to seal anew by this type.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Check that it is sealed; the message does not repeat it."""
        if value is not None and not SEALED.fullmatch(value):
            raise TypeError("a sealed column takes sealed texts only")
        return value


def key_id(key: str) -> str:
    """The name of a key, which tells nothing about it."""
    return sha256(f"foliosync key {key}".encode("ascii")).hexdigest()[:12]


def key_of(sealed: str) -> str:
    """The id of the key with which something was sealed; `SealBroken` where it is not sealed."""
    found = SEALED.fullmatch(sealed)
    if found is None:
        raise SealBroken("Something stored as a secret is damaged.")
    return found[1]
