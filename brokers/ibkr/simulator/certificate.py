"""A self-signed certificate like the gateway's: its subject, no names; made once and kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

SUBJECT = (
    (NameOID.COUNTRY_NAME, "US"),
    (NameOID.STATE_OR_PROVINCE_NAME, "CT"),
    (NameOID.LOCALITY_NAME, "Greenwich"),
    (NameOID.ORGANIZATION_NAME, "Interactive Brokers"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "Client Portal"),
    (NameOID.COMMON_NAME, "Client Portal Web API"),
)


def ensure_certificate(file: Path, *, expired: bool = False) -> Path:
    """The file with key and certificate, made where it is missing."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(_made(expired=expired))
    return file


def _made(*, expired: bool) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in SUBJECT])
    begins = datetime.now(UTC) - timedelta(days=100 if expired else 1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=90 if expired else 3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
