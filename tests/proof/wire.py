"""A wire to PostgreSQL that can be cut at a COMMIT, before it or after it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

COMMIT = b"COMMIT\x00"
# Before the server has it, or after it has carried it out and before its answer arrives.
BEFORE, AFTER = "before", "after"


class Wire:
    """Forwards connections to a server; `cut` names the COMMIT at which one of them ends."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.commits = 0
        self.was_cut = False
        self._at = 0
        self._side = BEFORE
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, at: int, side: str) -> None:
        """Cut at this COMMIT from now on (0: never), and count anew."""
        self.commits, self.was_cut = 0, False
        self._at, self._side = at, side

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                pair = _Pair(self, client, server)
                threading.Thread(target=pair.ask, daemon=True).start()
                threading.Thread(target=pair.answer, daemon=True).start()

    def is_the_one(self, asked: bytes) -> bool:
        """Whether this is the COMMIT to cut at."""
        if not asked.endswith(COMMIT):
            return False
        self.commits += 1
        return self.commits == self._at

    @property
    def side(self) -> str:
        """Where it is cut."""
        return self._side


class _Pair:
    """One connection."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket) -> None:
        self._wire = wire
        self._client = client
        self._server = server
        self._ends = False

    def ask(self) -> None:
        """Forward what the application says."""
        with suppress(OSError):
            while asked := self._client.recv(65_536):
                if self._wire.is_the_one(asked):
                    self._wire.was_cut = self._ends = True
                    if self._wire.side == BEFORE:
                        break
                self._server.sendall(asked)
        self._end()

    def answer(self) -> None:
        """Forward what the server says; the answer to a COMMIT that is cut is thrown away."""
        with suppress(OSError):
            while answered := self._server.recv(65_536):
                if self._ends:
                    break
                self._client.sendall(answered)
        self._end()

    def _end(self) -> None:
        for each in (self._client, self._server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
