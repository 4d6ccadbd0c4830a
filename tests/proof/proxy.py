"""A TCP proxy that does to bytes what networks do: delay, slice, cut, hang, and half close."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

CHUNK = 65_536
# Closing with this option sends a reset at once.
RESET = struct.pack("ii", 1, 0)


@dataclass
class Toxic:
    """What happens to the bytes that come back from the server.

    `after` so many of them `cut` happens ("reset", "half", or "close"), on `times` connections;
    `size` and `pause` send slices, `hang` lets the first so many connections never answer,
    `shut` refuses them after they were taken.
    """

    after: int = 0
    cut: str | None = None
    times: int = 0
    size: int = CHUNK
    pause: float = 0
    hang: int = 0
    shut: int = 0


@dataclass
class Proxy:
    """Listens on loopback and passes on to a port there."""

    target: int
    toxic: Toxic = field(default_factory=Toxic)
    stop: Event = field(default_factory=Event)
    port: int = 0
    open: list[socket.socket] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def listen(self) -> None:
        """Begin to take connections."""
        server = socket.create_server(("127.0.0.1", self.port))
        self.server, self.port = server, int(server.getsockname()[1])
        self.listener = Thread(target=self._accept, args=(server,), daemon=True)
        self.listener.start()

    def deaf(self) -> None:
        """Listen no more, and drop what is open: nobody is there."""
        with suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.listener.join(30)
        while self.open:
            with suppress(OSError):
                _reset(self.open.pop())

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self.open.append(client)
        toxic = self.toxic
        if self._one_more(toxic, "shut"):
            _reset(client)
            return
        if self._one_more(toxic, "hang"):
            # Nobody answers the greeting; the connection stays until the client gives up.
            self.stop.wait(30)
            return
        with suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self.target))
            self.open.append(server)
            Thread(target=self._pump, args=(client, server), daemon=True).start()
            self._back(server, client, toxic)

    def _pump(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                to.sendall(data)
        with suppress(OSError):
            to.shutdown(socket.SHUT_WR)

    def _back(self, server: socket.socket, client: socket.socket, toxic: Toxic) -> None:
        while data := server.recv(CHUNK):
            left = data if toxic.cut is None else data[: max(toxic.after, 0)]
            for start in range(0, len(left), toxic.size):
                client.sendall(left[start : start + toxic.size])
                if toxic.pause:
                    self.stop.wait(toxic.pause)
            toxic.after -= len(data)
            if toxic.cut is not None and toxic.after < 0 and self._one_more(toxic, "times"):
                _cut(client, toxic.cut)
                return
            client.sendall(data[len(left) :])
        client.shutdown(socket.SHUT_WR)

    def _one_more(self, toxic: Toxic, what: str) -> bool:
        with self.lock:
            left = getattr(toxic, what)
            setattr(toxic, what, left - 1)
        return bool(left > 0)

    def close(self) -> None:
        """Close everything, so that no thread waits for anything any more."""
        self.stop.set()
        self.deaf()


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


def _cut(client: socket.socket, how: str) -> None:
    if how == "reset":
        _reset(client)
    elif how == "half":
        client.shutdown(socket.SHUT_WR)
    else:
        client.close()


@contextmanager
def proxied(target: int) -> Iterator[Proxy]:
    """A proxy that is listening."""
    proxy = Proxy(target)
    proxy.listen()
    try:
        yield proxy
    finally:
        proxy.close()
