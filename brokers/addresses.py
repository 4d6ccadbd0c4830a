"""Addresses as people type them, in one spelling, and the place that an address leads to."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

LONGEST_ADDRESS = 300
LONGEST_NAME = 253
THIS_COMPUTER = "localhost"
LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost", "ip6-loopback"})
NEEDED = "An https address such as https://localhost:5001 is needed."
NO_HOST = "What stands after https:// is neither the name nor the address of a computer."
NO_PORT = "A port is a number from 1 to 65535."
AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
PORT = re.compile(r"0*([1-9][0-9]{0,4})", re.ASCII)
# Underscores are in no host's name by the letter, but containers are called so.
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
# The system's resolver takes such a last part for an address in one of its old spellings.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


def https_address(typed: str) -> str:
    """An https address without a path in its one spelling, or `ValueError` with a reason."""
    text = typed.strip()
    if len(text) > LONGEST_ADDRESS or not text.isprintable() or set(" ?#\\") & set(text):
        raise ValueError(NEEDED)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(NO_HOST) from None
    found = AUTHORITY.fullmatch(parts.netloc)
    if parts.scheme != "https" or not parts.netloc or parts.path.strip("/"):
        raise ValueError(NEEDED)
    if found is None:
        raise ValueError(NO_HOST)
    host = host_name(found[1])
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}" + ("" if found[2] is None else f":{_port(found[2])}")


def _port(typed: str) -> int:
    found = PORT.fullmatch(typed)
    if found is None or int(found[1]) > 65535:
        raise ValueError(NO_PORT)
    return int(found[1])


def host_name(typed: str) -> str:
    """A host's name or literal address in its one spelling, or `ValueError` with a reason."""
    try:
        return _literal_6(typed) if ":" in typed or "[" in typed else _name(typed)
    except ValueError:
        raise ValueError(NO_HOST) from None


def _literal_6(typed: str) -> str:
    bare = typed[1:-1] if typed.startswith("[") and typed.endswith("]") else typed
    address = IPv6Address(bare)
    if address.scope_id or address.is_unspecified or address.is_multicast:
        raise ValueError(NO_HOST)
    return str(address.ipv4_mapped or address)


def _name(typed: str) -> str:
    name = typed.removesuffix(".").encode("idna").decode("ascii").lower()
    labels = name.split(".")
    if NUMBER.fullmatch(labels[-1]):
        address = IPv4Address(name)
        if address.is_unspecified or address.is_multicast:
            raise ValueError(NO_HOST)
        return str(address)
    if len(name) > LONGEST_NAME or not all(map(LABEL.fullmatch, labels)):
        raise ValueError(NO_HOST)
    return name


def is_literal(host: str) -> bool:
    """Whether a host is an address in digits, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `https://host[:port]`; `localhost` is 127.0.0.1, where gateways listen.

    Raises `ValueError` for anything but a bare https address.
    """
    parts = urlsplit(address)
    bare = not (parts.username or parts.query or parts.fragment or parts.path.strip("/"))
    if parts.scheme != "https" or not parts.hostname or not bare:
        raise ValueError(f"not a bare https address: {address}")
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    return host, parts.port or 443


def place(address: str) -> str:
    """What is the same for all spellings of an address; one that is not https is its own place."""
    try:
        host, port = split_address(address)
    except ValueError:
        return address
    return f"{THIS_COMPUTER if _is_this_computer(host) else host} {port}"


def _is_this_computer(host: str) -> bool:
    """Whether a host is loopback by its address or by one of its usual names."""
    if is_literal(host):
        address = ip_address(host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    return host in LOOPBACK_NAMES or host.endswith(".localhost")
