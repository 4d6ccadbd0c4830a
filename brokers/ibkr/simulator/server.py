"""Serves the simulator on a real TLS socket, the way the gateway does: TLS 1.2, IPv4, chunked."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from brokers.ibkr.simulator.certificate import ensure_certificate

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
HANDSHAKE = 5.0
IDLE = 150.0


class Server:
    """A running simulator; a context manager that stops it."""

    def __init__(self, http: ThreadingHTTPServer, folder: TemporaryDirectory[str] | None) -> None:
        self._http = http
        self._folder = folder
        self._thread = Thread(target=http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """The address of the gateway."""
        return f"https://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Close the socket and end the thread."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve(
    app: WsgiApp, host: str = "127.0.0.1", port: int = 0, certificate_file: Path | None = None
) -> Server:
    """Start to serve; port 0 takes a free one, and no certificate file makes a passing one."""
    folder = TemporaryDirectory() if certificate_file is None else None
    file = ensure_certificate(certificate_file or Path(folder.name if folder else "") / "own.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(file)
    handler = type("Handler", (_Handler,), {"app": staticmethod(app), "context": context})
    http = _QuietServer((host, port), handler)
    return Server(http, folder)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave early are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    app: WsgiApp
    context: ssl.SSLContext

    def setup(self) -> None:
        """Shake hands in this thread, so that a slow client holds up nobody else."""
        self.request.settimeout(HANDSHAKE)
        self.request = self.context.wrap_socket(self.request, server_side=True)
        self.request.settimeout(IDLE)
        super().setup()

    def finish(self) -> None:
        """Say goodbye properly where the client still listens."""
        with suppress(OSError):
            super().finish()
        with suppress(OSError):
            self.request.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started[:] = [status, headers]

        answer = b"".join(self.app(self._environ(body), start_response))
        status, headers = started
        self._send(status, headers, answer)

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        lines.append("Transfer-Encoding: chunked")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if body and self.command != "HEAD":
            self.wfile.write(b"%x\r\n%b\r\n" % (len(body), body))
        self.wfile.write(b"0\r\n\r\n")

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.connection.getsockname()[1]),
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "wsgi.input": BytesIO(body),
            "wsgi.url_scheme": "https",
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return environ

    do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = _handle
