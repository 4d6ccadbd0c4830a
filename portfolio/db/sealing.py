"""Seals what is secret before it is stored: encrypted, and bound to the place it belongs to.

A place is `table:row:field`. It stands inside what is encrypted and is compared when it is opened,
so that a sealed text that was moved to another row or field is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from threading import Lock

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from portfolio.db.keysource import Keys
from portfolio.db.sealed import VERSION, key_id, key_of
from portfolio.errors import KeyLost, KeyUnavailable, SealBroken, SetupProblem
from portfolio.redaction import hide, hide_sealed


@dataclass(frozen=True, slots=True)
class _Ring:
    """Keys in use: their ids, newest first, and what seals with the newest and opens with all."""

    ids: tuple[str, ...]
    stamp: object
    fernet: MultiFernet = field(repr=False)


class Sealer:
    """Seals and opens texts with the keys of one source, and follows it when its keys change.

    Safe to share between threads. Seal within the unit of work that stores the result, after
    `hold_keys`: a rotation waits for it, or it sees the new key.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._ring: _Ring | None = None
        self._lock = Lock()

    def seal(self, place: str, text: str) -> str:
        """The text, sealed for its place; `KeyUnavailable` where there is no key."""
        hide_sealed(text)
        return self._encrypted(json.dumps([place, text]).encode("ascii"))

    def unseal(self, place: str, sealed: str) -> str:
        """The text that was sealed for this place.

        `KeyLost` where its key is not ours, `SealBroken` where it is damaged or was moved.
        """
        bound, text = json.loads(self._decrypted(sealed))
        if bound != place:
            raise SealBroken("Something stored as a secret belongs to another place.")
        hide_sealed(str(text))
        return str(text)

    def reseal(self, sealed: str) -> str:
        """The same, sealed with the newest key; its place stays, whether it is the right one."""
        return self._encrypted(self._decrypted(sealed))

    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, newest first; `KeyUnavailable` where there are none."""
        return self._current().ids

    def _encrypted(self, content: bytes) -> str:
        ring = self._current()
        return f"{VERSION}.{ring.ids[0]}.{ring.fernet.encrypt(content).decode('ascii')}"

    def _decrypted(self, sealed: str) -> bytes:
        wanted = key_of(sealed)
        ring = self._known(wanted)
        if wanted not in ring.ids:
            raise KeyLost(f"Something secret was sealed with the key {wanted}, which is missing.")
        try:
            return ring.fernet.decrypt(sealed.rpartition(".")[2])
        except InvalidToken:
            raise SealBroken("Something stored as a secret is damaged.") from None

    def _known(self, wanted: str) -> _Ring:
        """Keys with this one among them, if it is there; a file that was lost is not missed."""
        ring = self._ring
        return ring if ring is not None and wanted in ring.ids else self._current()

    def _current(self) -> _Ring:
        """The keys as their source has them now."""
        with self._lock:
            stamp = self.keys.stamp()
            if stamp is None:
                raise KeyUnavailable(f"There are no keys: {self.keys.where} is not there.")
            if self._ring is None or self._ring.stamp != stamp:
                try:
                    self._ring = _ring(self.keys.read(), stamp)
                except SetupProblem as problem:
                    raise KeyUnavailable(str(problem)) from None
            return self._ring


def _ring(keys: tuple[str, ...], stamp: object) -> _Ring:
    hide(*keys)
    fernet = MultiFernet([Fernet(key) for key in keys])
    return _Ring(tuple(map(key_id, keys)), stamp, fernet)
