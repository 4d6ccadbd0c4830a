"""Trust in one certificate: looked at before anything is sent, pinned, and checked at each call.

A gateway's certificate is self-signed, nameless and often expired, so the usual verification can
never succeed. The pin is stronger than a name: only the holder of one certificate is spoken to.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from certifi import where
from cryptography import x509
from requests.adapters import HTTPAdapter

from brokers.types import Certificate

# The certificate that ships with every gateway; its private key is public.
STOCK_FINGERPRINT = "13daf89a0712b962c3ecaa5ede344100aee0d3b5dec5a79abd7602a812eda3be"
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME: whether an expired certificate is accepted is our own rule.
NO_CHECK_TIME = 0x200000


def is_loopback(host: str) -> bool:
    """Whether a host is this computer itself, by its literal address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def fetch_certificate(host: str, port: int, timeout: float) -> Certificate:
    """The certificate shown at an address; handshakes only, no byte of a request is sent."""
    try:
        return replace(_shown(host, port, timeout, usual_trust()), is_verified=True)
    except ssl.SSLCertVerificationError:
        return _shown(host, port, timeout, _no_trust())


def usual_trust() -> ssl.SSLContext:
    """The ordinary verification: the name, the time, and an authority that vouches for both."""
    context = ssl.create_default_context()
    context.load_verify_locations(where())
    return context


def _no_trust() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # Nothing is trusted here: the certificate is looked at, and the connection thrown away.
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _shown(host: str, port: int, timeout: float, context: ssl.SSLContext) -> Certificate:
    plain = socket.create_connection((host, port), timeout=timeout)
    with closing(plain), context.wrap_socket(plain, server_hostname=host) as secure:
        der = secure.getpeercert(binary_form=True) or b""
    return certificate_from_pem(ssl.DER_cert_to_PEM_cert(der))


def certificate_from_pem(pem: str) -> Certificate:
    """What a person needs to judge a certificate."""
    der = ssl.PEM_cert_to_DER_cert(pem)
    parsed = x509.load_der_x509_certificate(der)
    fingerprint = sha256(der).hexdigest()
    return Certificate(
        pem=pem,
        fingerprint=fingerprint,
        subject=parsed.subject.rfc4514_string(),
        expires_at=parsed.not_valid_after_utc,
        is_stock=fingerprint == STOCK_FINGERPRINT,
    )


def grouped(fingerprint: str) -> str:
    """A fingerprint as people compare it, such as 13:DA:F8."""
    pairs = (fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2))
    return ":".join(pairs).upper()


class OwnTrust(HTTPAdapter):
    """Trusts whom its own context trusts, whatever a caller asks for.

    Without this, each new connection would load the usual authorities into that context.
    """

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Ask for a verified certificate; name no authorities."""
        conn.cert_reqs = "CERT_REQUIRED"


class PinnedAdapter(OwnTrust):
    """Speaks only to the holder of one certificate.

    Two locks: a context that trusts nothing but this certificate, and its fingerprint, which holds
    even where a caller asks for no verification. `socket_class` replaces the TLS socket.
    """

    def __init__(self, certificate: Certificate, socket_class: type[ssl.SSLSocket]) -> None:
        self._certificate = certificate
        self._socket_class = socket_class
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Give the pool our context and pin."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.load_verify_locations(cadata=self._certificate.pem)
        context.verify_flags |= NO_CHECK_TIME
        context.sslsocket_class = self._socket_class
        kwargs.update(ssl_context=context, assert_fingerprint=self._certificate.fingerprint)
        super().init_poolmanager(*args, **kwargs)


class VerifiedAdapter(OwnTrust):
    """Speaks to whom the public authorities vouch for; `socket_class` replaces the TLS socket."""

    def __init__(self, socket_class: type[ssl.SSLSocket]) -> None:
        self._socket_class = socket_class
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Give the pool our context."""
        context = usual_trust()
        context.sslsocket_class = self._socket_class
        super().init_poolmanager(*args, ssl_context=context, **kwargs)
