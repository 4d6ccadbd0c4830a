"""Says in the log that something is broken and that it is healed, once each."""

from __future__ import annotations

import logging
from threading import Lock

from brokers.errors import BrokerError
from portfolio.errors import DomainError

log = logging.getLogger(__name__)


class Told:
    """Remembers by name what was said already; safe to share between threads."""

    def __init__(self) -> None:
        self._broken: set[str] = set()
        self._lock = Lock()

    def broken(self, name: str, error: Exception) -> None:
        """Something failed; what nobody expected comes with its traceback."""
        with self._lock:
            if name in self._broken:
                return
            self._broken.add(name)
        if isinstance(error, DomainError | BrokerError):
            # The message may name an account, the code never does.
            log.warning("%s: broken (%s); it is tried again", name, error.code)
        else:
            log.error("%s: broken; it is tried again", name, exc_info=error)

    def healed(self, name: str) -> None:
        """Something went well."""
        with self._lock:
            if name not in self._broken:
                return
            self._broken.discard(name)
        log.warning("%s: healed", name)
