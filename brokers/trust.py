"""Whose certificate is believed: one rule for all adapters that speak TLS to an address.

On this computer the first certificate is believed, and pinned by whoever keeps the connection. Off
it, only a host that the operator vouches for, whose certificate is verified or was accepted by a
person. An expired one, and the public one of IBKR's gateway off this computer, prove nothing.
"""

from __future__ import annotations

from brokers.addresses import split_address
from brokers.contract import Context
from brokers.errors import BrokerError, CertificateChanged, CertificateUntrusted
from brokers.tls import grouped, is_loopback
from brokers.types import Certificate

HANDSHAKE = 5
OWN = (
    "Use a gateway on this computer, or give it a key store of your own and name its host in "
    "FOLIOSYNC_TRUSTED_GATEWAY_HOSTS."
)
# The same wherever the gateway is: it is known already, and only its certificate is too old.
RENEW = (
    "Give the gateway a new key store (`foliosync gateway certificate` makes one) and restart it; "
    "a restart loses the login. Then accept the new certificate under Test connection."
)


def shown(context: Context) -> Certificate:
    """The certificate that the context's address shows now; sends nothing.

    `CertificateUntrusted` (and no contact) for a host that nobody vouches for, `OSError` or
    `ValueError` where none is shown.
    """
    host, _ = split_address(context.address)
    if not is_loopback(host) and host not in context.trusted_hosts:
        raise untrusted(f"{host} is not this computer")
    return context.network.certificate(*split_address(context.address), HANDSHAKE)


def trusted(context: Context, seen: Certificate | None = None) -> Certificate:
    """The certificate to speak to; `CertificateUntrusted`, or as `shown` where none is known.

    `seen` is the one that is shown, where somebody has looked already.
    """
    host, _ = split_address(context.address)
    near = is_loopback(host)
    if not near and host not in context.trusted_hosts:
        raise untrusted(f"{host} is not this computer")
    certificate = context.certificate or seen or shown(context)
    refusal = unfit(certificate, context)
    if refusal is not None:
        raise refusal
    if not near and context.certificate is None and not certificate.is_verified:
        raise unaccepted(certificate)
    return certificate


def acceptable(context: Context) -> Certificate:
    """The certificate that is shown now, where it helps that a person accepts it; as `shown`."""
    certificate = shown(context)
    refusal = unfit(certificate, context)
    if refusal is not None:
        raise refusal
    return certificate


def unfit(certificate: Certificate, context: Context) -> CertificateUntrusted | None:
    """Why nobody may accept this certificate at the context's address, or None."""
    host, _ = split_address(context.address)
    if certificate.is_stock:
        return None if is_loopback(host) else untrusted("its private key is public")
    expired = certificate.expires_at < context.clock.now()
    return untrusted("it has expired", RENEW) if expired else None


def refused_handshake(context: Context, pinned: Certificate) -> BrokerError | None:
    """Why a handshake with the pinned certificate failed, or None where that one is shown.

    Looks at the certificate that is shown now: fails as `shown` does.
    """
    return replaced(context, pinned, shown(context))


def replaced(
    context: Context, pinned: Certificate, found: Certificate
) -> CertificateChanged | CertificateUntrusted | None:
    """What it means that this certificate is shown and not the pinned one; None if it is that."""
    if found.fingerprint == pinned.fingerprint:
        return None
    return unfit(found, context) or changed(pinned, found)


def changed(pinned: Certificate, found: Certificate) -> CertificateChanged:
    """Another certificate than the pinned one."""
    error = CertificateChanged(
        "The gateway shows another certificate than before; nothing was sent. "
        f"Known: {grouped(pinned.fingerprint)}. Shown now: {grouped(found.fingerprint)}.",
        "If you installed the gateway anew or changed its key store, accept the new certificate; "
        "otherwise find out what listens there.",
    )
    error.shown = found
    return error


def unaccepted(found: Certificate) -> CertificateUntrusted:
    """A certificate that a person has to compare and accept."""
    error = CertificateUntrusted(
        "The gateway's certificate cannot be trusted: nobody has accepted it yet; nothing was "
        f"sent. Shown now: {grouped(found.fingerprint)}.",
        "Compare the fingerprint with the gateway's own (`keytool -list -v` there); if they are "
        "equal, accept it under Test connection.",
    )
    error.shown = found
    return error


def untrusted(reason: str, remedy: str = OWN) -> CertificateUntrusted:
    """A certificate that proves nothing at this address."""
    return CertificateUntrusted(
        f"The gateway's certificate cannot be trusted: {reason}; nothing was sent.", remedy
    )
