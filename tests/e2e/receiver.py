"""A small receiver of messages on loopback, as a webhook would be."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Keeps what it was sent; answers with `status`, and not before `gate` opens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.status = 200
        self.gate = threading.Event()
        self.gate.set()
        self.seen: list[dict[str, Any]] = []
        self.calls = 0

    def url(self, schema: str = "json", more: str = "") -> str:
        return f"{schema}://bot:canary-4711@127.0.0.1:{self.port}/canary-path{more}"

    @property
    def messages(self) -> list[tuple[str, str]]:
        return [(each["title"], each["message"]) for each in self.seen]


@contextmanager
def receiving() -> Iterator[Receiver]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    found = Receiver(server.server_address[1])

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            # Whatever is spoken: somebody came.
            found.calls += 1
            super().handle()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.gate.wait(60)
            if found.status == 200:
                found.seen.append(json.loads(body))
            self.send_response(found.status)
            if found.status == 307:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        found.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
