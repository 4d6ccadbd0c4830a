"""The one place that knows Apprise: it tries or uses the targets it is given on standard input.

Apprise and its plug-ins log, warn and print as they like, addresses and tokens among it. So they
live in a process of their own, which ends with the message and whose words all go nowhere, but for
one line per target: its place, and 1 where it took the message.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Any, TextIO

IP = IPv4Address | IPv6Address
# Each of these is this computer itself for some systems.
THIS = IPv4Network("0.0.0.0/8")
# Where most of the world listens; any other port of a gateway is closed everywhere.
EVERYBODYS = 443


def main() -> None:
    """Do what standard input asks; without a body the targets are only understood, not used."""
    answer = hush()
    order: Mapping[str, Any] = json.load(sys.stdin)
    if "closed" in order:
        sys.addaudithook(guard(order["closed"]))
    targets = [understood(url) for url in order["urls"]]
    with ThreadPoolExecutor(max_workers=max(1, len(targets))) as pool:
        asked = {pool.submit(takes, each, order): place for place, each in enumerate(targets)}
        # Each is said at once: what the deadline cuts off must not hide what was sent before.
        for done in as_completed(asked):
            print(asked[done], int(done.result()), file=answer, flush=True)


def hush() -> TextIO:
    """Send all that this process would say to nowhere; returns the way to answer."""
    logging.disable(logging.CRITICAL)
    answer = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answer


def guard(closed: Sequence[tuple[str, int]]) -> Callable[[str, tuple[Any, ...]], None]:
    """What raises `PermissionError` before this process reaches a place that people must not.

    It sees each connection with the address that it is really made to, whatever a plug-in does and
    whatever a name resolves to; nothing in this process can take it away.
    """

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            where = given[1]
            # What is no address and port, such as a local socket, is on this computer.
            if not isinstance(where, tuple) or refused(where[0], where[1], closed):
                raise PermissionError("This place is closed to people's notifications.")

    return hook


def refused(host: str, port: int, closed: Sequence[tuple[str, int]] = ()) -> bool:
    """Whether an address in figures and a port are not for people: ours, or a gateway's."""
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return True
    ip = getattr(found, "ipv4_mapped", None) or found
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast:
        return True
    if ip in THIS or _is_ours(ip):
        return True
    hosts = [name for name, at in closed if at == port]
    # A private address may be another name of the gateway's computer.
    return bool(hosts) and (port != EVERYBODYS or not ip.is_global or ip in _resolved(hosts))


def _is_ours(ip: IP) -> bool:
    """Whether this computer has the address: only then a socket can be bound to it."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            tried.bind((str(ip), 0))
    except OSError:
        return False
    return True


def _resolved(hosts: Sequence[str]) -> set[IP]:
    found = set()
    for host in hosts:
        # A name that leads nowhere is no gateway's now.
        with suppress(OSError):
            for *_, where in socket.getaddrinfo(host, None):
                found.add(ip_address(str(where[0]).partition("%")[0]))
    return found


def understood(url: str) -> Any:
    """The target of an address, or None where Apprise does not understand it."""
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(storage_mode="memory", secure_logging=True)
    asset.app_id, asset.app_desc, asset.app_url = "Foliosync", "Foliosync", ""
    # A message goes where its owner said, and nowhere else.
    asset.http_redirects = False
    target = Apprise(asset=asset)
    # Whatever a plug-in raises for an address: it is not understood.
    try:
        return target if target.add([url]) else None
    except Exception:  # noqa: BLE001
        return None


def takes(target: Any, order: Mapping[str, Any]) -> bool:
    """Whether a target took the message, or would be asked at all."""
    if target is None or "body" not in order:
        return target is not None
    try:
        # Plain text, so that what looks like markup in a name is escaped where it must be.
        return bool(target.notify(body=order["body"], title=order["title"], body_format="text"))
    except Exception:  # noqa: BLE001
        return False


if __name__ == "__main__":
    main()
