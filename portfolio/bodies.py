"""What waitress takes for a request: bodies that find no room, and greetings of TLS, are told."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.utilities import BadRequest

from portfolio.web.respond import no_room

# The first byte of a TLS connection; no request begins with it.
HANDSHAKE = b"\x16"


def receive() -> None:
    """Let waitress take requests our way.

    It ends the connection of a body that it cannot keep, and of who greets as `https` does, it
    waits for a line that never comes.
    """
    HTTPChannel.parser_class = _Parser


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    def received(self, data: bytes) -> int:
        # Else a gateway's address with our own port looked like a gateway that is silent.
        if self.header_bytes_received or not data.startswith(HANDSHAKE):
            return int(super().received(data))
        super().parse_header(b"GET / HTTP/1.0\r\n")
        self.error = BadRequest("This is http, not https.")
        self.completed = True
        return len(data)

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
