"""Serves the simulator on a real TLS socket, the way the gateway does: TLS 1.2, IPv4, chunked."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore, Event, Lock, Thread
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from brokers.ibkr.simulator.certificate import ensure_certificate
from brokers.ibkr.simulator.state import CUT, DRIP, EXPIRED, FLOOD, REFUSED, SILENT

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
HANDSHAKE = 5.0
IDLE = 150.0
SLOTS = 5
BETWEEN_DRIPS = 5.0
FLOOD_PART, FLOOD_PARTS = b" " * 1_000_000, 2_000


class Server:
    """A running simulator; a context manager that stops it."""

    def __init__(
        self, address: tuple[str, int], handler: type[_Handler], files: _Certificates
    ) -> None:
        self._handler = handler
        self._files = files
        self._lock = Lock()
        self._http: _QuietServer | None = None
        self._address = address
        self.follow()
        listeners = getattr(handler.app, "listeners", None)
        if listeners is not None:
            listeners.append(self.follow)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._address[1])

    @property
    def url(self) -> str:
        """The address of the gateway."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def slots(self) -> BoundedSemaphore:
        """The places on the way to IBKR; who holds them all keeps everybody waiting."""
        return self._handler.slots

    def stop(self) -> None:
        """Close the socket and end the thread."""
        with self._lock:
            self._close()
        self._files.clean()

    def follow(self) -> None:
        """Listen, or not, and show the certificate that the simulator's scenario asks for."""
        state = getattr(self._handler.app, "state", None)
        with self._lock:
            self._handler.context = self._files.context(getattr(state, "certificate", 0))
            if getattr(state, "transport", None) == REFUSED:
                self._close()
            elif self._http is None:
                self._open()

    def _open(self) -> None:
        self._http = _QuietServer(self._address, self._handler)
        self._address = (self._address[0], int(self._http.server_address[1]))
        self._thread = Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _close(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()
            self._http = None

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
    handler = type(
        "Handler", (_Handler,), {"app": staticmethod(app), "slots": BoundedSemaphore(SLOTS)}
    )
    return Server((host, port), handler, _Certificates(certificate_file))


class _Certificates:
    """The certificate of a gateway, and others for when it changes."""

    def __init__(self, file: Path | None) -> None:
        self._folder = TemporaryDirectory()
        self._file = file

    def context(self, generation: int) -> ssl.SSLContext:
        """A context that shows one of them."""
        other = Path(self._folder.name) / f"{generation}.pem"
        file = self._file if self._file is not None and not generation else other
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(ensure_certificate(file, expired=generation == EXPIRED))
        return context

    def clean(self) -> None:
        """Remove what was made for this run only."""
        self._folder.cleanup()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave early are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else the end of each answer waits 40 ms for the client to have seen its beginning.
    disable_nagle_algorithm = True
    app: WsgiApp
    context: ssl.SSLContext
    slots: BoundedSemaphore

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
        if not self.path.startswith("/v1/"):
            status, headers, answer = self._answer(body)
            self._send_head(status, headers)
            self._send_body(answer)
            return
        # A place on the way to IBKR is held until an answer comes, whether or not the client is
        # still there; who waits for one is served late, even after it has gone.
        with self.slots:
            self._stall(SILENT)
            status, headers, answer = self._answer(body)
            trouble = self._transport()
            self._send_head(status, headers)
            self._send_body(answer[: len(answer) // 2] if trouble == CUT else answer, trouble)
            self._stall(CUT)

    def _answer(self, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started[:] = [status, headers]

        answer = b"".join(self.app(self._environ(body), start_response))
        status, headers = started
        return status, headers, answer

    def _transport(self) -> str | None:
        return getattr(getattr(self.app, "state", None), "transport", None)

    def _stall(self, trouble: str) -> None:
        """Send nothing while the way to IBKR is broken; the client sees no error either."""
        waited = Event()
        while self._transport() == trouble:
            waited.wait(0.1)

    def _send_head(self, status: str, headers: list[tuple[str, str]]) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        lines.append("Transfer-Encoding: chunked")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def _send_body(self, body: bytes, trouble: str | None = None) -> None:
        for part in self._parts(body, trouble) if self.command != "HEAD" else ():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n" if trouble != CUT else b"")
        self.wfile.flush()
        self.close_connection = self.close_connection or trouble is not None

    def _parts(self, body: bytes, trouble: str | None) -> Iterator[bytes]:
        """The body in the parts that are sent; a client that has gone ends a flood."""
        waited = Event()
        while trouble == DRIP and body and self._transport() == DRIP:
            yield body[:1]
            body = body[1:]
            waited.wait(BETWEEN_DRIPS)
        flood = trouble == FLOOD and "/positions/" in self.path
        for _ in range(FLOOD_PARTS if flood else 0):
            yield FLOOD_PART
        if body:
            yield body

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
