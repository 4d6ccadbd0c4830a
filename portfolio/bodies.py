"""Bodies of requests that wait on the disk, also where it is full: the answer says so."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser

from portfolio.web.respond import no_room


def receive() -> None:
    """Let waitress take bodies our way: it ends the connection of one that it cannot keep."""
    HTTPChannel.parser_class = _Parser


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.body_rcv is not None:
            self.body_rcv.buf = _Inbox(self.body_rcv.buf)


class _Inbox:
    """What is received; once it finds no room, the rest is read and let go.

    Whoever sends it reads the answer only after that.
    """

    def __init__(self, kept: Any) -> None:
        self._kept = kept
        self._received = 0

    def append(self, part: bytes) -> None:
        self._received += len(part)
        try:
            self._kept.append(part)
        except OSError as error:
            # What is not written yet is tried once more.
            with suppress(OSError):
                self._kept.close()
            self._kept = _Lost(error)

    def __len__(self) -> int:
        return self._received

    def getfile(self) -> Any:
        return self._kept.getfile()

    def close(self) -> None:
        self._kept.close()


class _Lost:
    """A body that is not there: who reads it is told, as of any other failure."""

    def __init__(self, cause: OSError) -> None:
        self._cause = cause

    def append(self, part: bytes) -> None:
        """Let it go."""

    def getfile(self) -> _Lost:
        return self

    def read(self, *_size: int) -> bytes:
        raise no_room() from self._cause

    readline = readinto = read

    def close(self) -> None:
        """Nothing is open."""
