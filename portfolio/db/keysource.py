"""Where the keys come from that seal what is secret: a file of its own, or the environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cryptography.fernet import Fernet


def new_key() -> str:
    """A key that nobody else has."""
    return Fernet.generate_key().decode("ascii")


class Keys(Protocol):
    """A source of keys, newest first; `where` names it for people, without a key."""

    @property
    def where(self) -> str:
        """What it is called."""

    def stamp(self) -> object:
        """What differs once the keys may have changed; None where there are none."""

    def read(self) -> tuple[str, ...]:
        """All keys, newest first; `SetupProblem` where they cannot be used."""

    def ensure(self) -> bool:
        """Make a first key where there is none; whether it did."""


class GivenKeys:
    """Keys from the environment, which only whoever starts the program can change."""

    where = "FOLIOSYNC_ENCRYPTION_KEYS"

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)

    def stamp(self) -> object:
        """They stay as long as the process."""
        return self.where

    def read(self) -> tuple[str, ...]:
        """The keys as they were given."""
        return self._keys

    def ensure(self) -> bool:
        """There is nothing to make."""
        return False
