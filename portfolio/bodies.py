"""Bodies of requests that wait on the disk, also where it is full: the answer says so."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from waitress.buffers import OverflowableBuffer
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
            self.body_rcv.buf = _Inbox(self.adj.inbuf_overflow)


class _Inbox(OverflowableBuffer):  # type: ignore[misc]
    """What is received; once it finds no room, the rest is read and let go.

    Whoever sends it reads the answer only after that.
    """

    received = 0
    is_lost = False

    def append(self, s: bytes) -> None:
        self.received += len(s)
        if self.is_lost:
            return
        try:
            super().append(s)
        except OSError as error:
            self.is_lost, self.cause = True, error
            # What is not written yet is tried once more.
            with suppress(OSError):
                self.close()
            self.buf, self.strbuf = None, b""

    def __len__(self) -> int:
        kept: int = self.received if self.is_lost else super().__len__()
        return kept

    def getfile(self) -> Any:
        return _Lost(self.cause) if self.is_lost else super().getfile()


class _Lost:
    """A body that is not there: who reads it is told, as of any other failure."""

    def __init__(self, cause: OSError) -> None:
        self._cause = cause

    def read(self, *_size: int) -> bytes:
        raise no_room() from self._cause

    readline = readinto = read

    def close(self) -> None:
        """Nothing is open."""
