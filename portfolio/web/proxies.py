"""What the outermost proxy says of a request: who asks, by which name, and over TLS or not.

Werkzeug reads exactly as many entries of the headers as there are proxies of ours; what a client
wrote before them is ignored. Without proxies the headers are ignored altogether.
"""

from __future__ import annotations

from ipaddress import ip_address

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from werkzeug.middleware.proxy_fix import ProxyFix

from portfolio.settings import LOOPBACK, Settings

FOR_HEADER = "X-Forwarded-For"
# By these a proxy makes itself known.
TRACES = (FOR_HEADER, "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")


class Sessions(SecureCookieSessionInterface):
    """The signed session, whose cookie stays with TLS where it came over TLS."""

    def __init__(self, app: Flask) -> None:
        self._serializer = super().get_signing_serializer(app)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """What signs and reads all cookies: made once, since the key stays while we run."""
        return self._serializer

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the browser may send the cookie over TLS only."""
        return request.is_secure


def register(app: Flask, settings: Settings) -> None:
    """Count the proxies before everything else, the gate included."""
    app.session_interface = Sessions(app)
    number = settings.trusted_proxies
    if number:
        counted = ProxyFix(app.wsgi_app, x_for=number, x_proto=number, x_host=number)
        app.wsgi_app = counted  # type: ignore[method-assign]


def wants_tls_for_good() -> bool:
    """Whether browsers may be told to never use plain http with this name again."""
    # The name of one's own computer belongs to other programs, too.
    return request.is_secure and not _is_for_this_computer()


def _is_for_this_computer() -> bool:
    """Whether the request asks for a name that means the same computer to everybody."""
    host = request.host
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name in LOOPBACK


def is_from_here(proxies: int) -> bool:
    """Whether a program on this computer asks, and not somebody beyond a proxy that runs here."""
    try:
        here = ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
    if not any(name in request.headers for name in TRACES):
        # A proxy that adds nothing may still pass on the name that its client asked for.
        return here and _is_for_this_computer()
    passed = request.headers.get(FOR_HEADER, "").split(",")
    # Otherwise the address is still that of a proxy.
    return here and 0 < proxies <= len(passed) and bool(passed[-proxies].strip())
