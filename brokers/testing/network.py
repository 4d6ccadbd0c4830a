"""A network that ends in a WSGI application of the same process; no socket is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO, RawIOBase
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from brokers.http import plain_session
from brokers.tls import certificate_from_pem
from brokers.types import Certificate

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# A certificate whose key was thrown away; nothing is ever encrypted with it.
CERTIFICATE = certificate_from_pem("""\
-----BEGIN CERTIFICATE-----
MIIBFjCBvaADAgECAgEHMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCVNpbXVsYXRl
ZDAgFw0yMDAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJ
U2ltdWxhdGVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErkeNCZAjL3Mzet/9
s9FKwP+qf/lccKzJLbWGgzVB1TwxRLjjcXrJDJc5DDq57Cv1gvYX3BtRobNxrK8C
D/vMaDAKBggqhkjOPQQDAgNIADBFAiAYKf3bijRsBxxXdn+y+dFARjDTUKyKfymb
4AopqKiJFwIhAJR8N/0Id0hhBNifzoz6dbRRYZw/OfpgFzgK0h4n/BwB
-----END CERTIFICATE-----
""")

OTHER_CERTIFICATE = certificate_from_pem("""\
-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUaLEZA3PDuQsDInfm08rRSX58wl0wCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHQW5vdGhlcjAgFw0yNjExMjQwNTAxMzBaGA8yMTAwMTAyNzA1
MDEzMFowEjEQMA4GA1UEAwwHQW5vdGhlcjBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABL2gIpuIDtROfdIlhF3WzHzF193dfhZWYbuJSY0nZWTgNnq9prZrSlr9AnRD
mUcqMWxfrGF2XZM60u7Zc1d7ek6jUzBRMB0GA1UdDgQWBBTlXz6Abkq0mlVug/kT
74i8s6au4zAfBgNVHSMEGDAWgBTlXz6Abkq0mlVug/kT74i8s6au4zAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDzWKWgIuhXVYWfgKAIaWknmFz0
y6WFy6+Yex7ubrsxLwIgWJ7ZZnEJ9BPwG6vFLBtAajLsC+/prjrrdCVZgy+Dkps=
-----END CERTIFICATE-----
""")

EXPIRED_CERTIFICATE = certificate_from_pem("""\
-----BEGIN CERTIFICATE-----
MIIBETCBt6ADAgECAgEJMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB0V4cGlyZWQw
HhcNMTgwMTAxMDAwMDAwWhcNMTkwMTAxMDAwMDAwWjASMRAwDgYDVQQDDAdFeHBp
cmVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYZfGO9ZAUQcxPIEoWwA3NZLl
vDvDBsHRwC+xl1o0NW/saa7LRxoqSKaMptpNJrAPsdzMRwgxSpWg1DbEyzrX5jAK
BggqhkjOPQQDAgNJADBGAiEAtoHE3dkoB8lshqsx6eYFbH6iYWv2VV3xu8tAL99s
Kt0CIQD0/GLK1SYdOY2nU0eBvda7N/wq3H4KzSKtueVSJxpQPQ==
-----END CERTIFICATE-----
""")


class WsgiNetwork:
    """Satisfies `brokers.contract.Network`.

    Set `failure` to have each call raise it instead, and `shown` to show another certificate.
    """

    def __init__(self, app: WsgiApp, certificate: Certificate = CERTIFICATE) -> None:
        self.app = app
        self._shown = certificate
        self.failure: Exception | None = None

    def session(self, certificate: Certificate) -> requests.Session:
        """A session whose calls go to the application; another certificate is refused."""
        session = plain_session()
        session.mount("https://", _WsgiAdapter(self, certificate))
        return session

    def certificate(self, host: str, port: int, timeout: float) -> Certificate:
        """The certificate that is shown."""
        if isinstance(self.failure, OSError) and not isinstance(
            self.failure, requests.RequestException
        ):
            raise self.failure
        if self.transport == "refused":
            raise ConnectionRefusedError
        return self.shown

    @property
    def transport(self) -> str | None:
        """How connections fail, where the application knows of it (a simulator does)."""
        return getattr(getattr(self.app, "state", None), "transport", None)

    @property
    def shown(self) -> Certificate:
        """The certificate that is shown now."""
        generation = getattr(getattr(self.app, "state", None), "certificate", 0)
        if generation < 0:
            return EXPIRED_CERTIFICATE
        return OTHER_CERTIFICATE if generation else self._shown

    @shown.setter
    def shown(self, certificate: Certificate) -> None:
        """Show another one from now on."""
        self._shown = certificate

    def connected(self, request: requests.PreparedRequest) -> None:
        """Fail as the network would, before the application is asked."""
        if self.failure is not None:
            raise self.failure
        if self.transport == "refused":
            raise _refused(request)
        if self.transport in {"silent", "cut", "drip"} and _goes_to_broker(request):
            raise requests.ReadTimeout("silence", request=request)


def _refused(request: requests.PreparedRequest) -> requests.ConnectionError:
    error = requests.ConnectionError("connection refused", request=request)
    error.__cause__ = ConnectionRefusedError()
    return error


def _goes_to_broker(request: requests.PreparedRequest) -> bool:
    return str(urlsplit(request.url or "").path).startswith("/v1/")


class _Endless(RawIOBase):
    """A body of spaces that never ends."""

    def readable(self) -> bool:
        """It can be read for ever."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill with spaces."""
        buffer[:] = b" " * len(buffer)
        return len(buffer)


class _WsgiAdapter(BaseAdapter):
    def __init__(self, network: WsgiNetwork, trusted: Certificate) -> None:
        super().__init__()
        self._network = network
        self._trusted = trusted

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Call the application and wrap what it says."""
        self._network.connected(request)
        if self._network.shown.fingerprint != self._trusted.fingerprint:
            raise requests.exceptions.SSLError("fingerprint mismatch", request=request)
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started[:] = [int(status.split()[0]), headers]

        body = BytesIO(b"".join(self._network.app(_environ(request), start_response)))
        status, headers = started
        flood = self._network.transport == "flood" and "/positions/" in str(request.url)
        return self._response(request, status, headers, _Endless() if flood else body)

    def _response(
        self,
        request: requests.PreparedRequest,
        status: int,
        headers: list[tuple[str, str]],
        body: BytesIO | RawIOBase,
    ) -> requests.Response:
        response = requests.Response()
        response.status_code, response.reason = status, HTTPStatus(status).phrase
        response.headers.update(headers)
        response.url, response.request = request.url or "", request
        response.raw = HTTPResponse(
            body, headers=HTTPHeaderDict(headers), status=status, preload_content=False
        )
        return response

    def close(self) -> None:
        """Nothing is open."""


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    parts = urlsplit(request.url or "")
    body = request.body or b""
    raw = body.encode() if isinstance(body, str) else bytes(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(str(parts.path)),
        "QUERY_STRING": str(parts.query),
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": str(parts.hostname),
        "SERVER_PORT": str(parts.port or 443),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(raw)),
        "wsgi.input": BytesIO(raw),
        "wsgi.url_scheme": "https",
    }
    for name, value in (request.headers or {}).items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ
