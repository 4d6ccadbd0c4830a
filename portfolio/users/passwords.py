"""Passwords: how they are kept (argon2id), and which ones are taken."""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from portfolio.errors import Invalid
from portfolio.names import folded, is_forbidden

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 256
# Even where four characters become one, this much is still too long; strangers send it, too.
LOOKED_AT = 5 * LONGEST
# Twice the memory of OWASP's floor with its number of passes; some tenths of a second on a NAS.
PASSES, KIBIBYTES = 2, 38_912
# Each needs its memory: more at once would let strangers fill it.
AT_ONCE = 2


@dataclass(frozen=True)
class Passwords:
    """Hashes and verifies passwords; safe to share between threads.

    `passes` and `kibibytes` are argon2's time and memory; tests make them small.
    """

    passes: int = PASSES
    kibibytes: int = KIBIBYTES
    _gate: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(AT_ONCE), repr=False, compare=False
    )

    def hash(self, password: str) -> str:
        """The hash to store, with its salt and its parameters; takes a while on purpose."""
        with self._gate:
            return self._hasher.hash(_bytes(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; as slow where nobody of that name is there (None)."""
        from argon2.exceptions import InvalidHashError, VerificationError

        decoy, given = self._decoy, normal(password)
        with self._gate:
            try:
                self._hasher.verify(decoy if stored is None else stored, _bytes(given[:LONGEST]))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None and len(given) <= LONGEST

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than those in force."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _hasher(self) -> PasswordHasher:
        # Imported on first use: without logins nothing is ever hashed.
        from argon2 import PasswordHasher

        return PasswordHasher(self.passes, self.kibibytes, parallelism=1)

    @cached_property
    def _decoy(self) -> str:
        return self._hasher.hash(secrets.token_bytes(32))


def normal(password: str) -> str:
    """A password as it is hashed: the same however a keyboard composes its characters."""
    return unicodedata.normalize("NFC", password[:LOOKED_AT])


def _bytes(password: str) -> bytes:
    return normal(password).encode("utf-8", "surrogatepass")


def check_new(password: str, name: str, field: str = "password") -> None:
    """Refuse a new password that is too short, too long, or the user's name: `Invalid`."""
    reason = _reason(normal(password), name)
    if reason:
        raise Invalid({field: reason})


def _reason(password: str, name: str) -> str | None:
    if len(password) < SHORTEST:
        return f"A password has at least {SHORTEST} characters: three or four words will do."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    if any(is_forbidden(character) for character in password):
        return "A password has no control characters or text-direction marks."
    if folded(password) == folded(name):
        return "The password is the user name."
    return None
