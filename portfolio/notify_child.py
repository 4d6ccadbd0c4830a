"""The one place that knows Apprise: it tries or uses the targets it is given on standard input.

Apprise and its plug-ins log, warn and print as they like, addresses and tokens among it. So they
live in a process of their own, which ends with the message and whose words all go nowhere, but for
one line per target: its place, and 1 where it took the message.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TextIO


def main() -> None:
    """Do what standard input asks; without a body the targets are only understood, not used."""
    answer = hush()
    order: Mapping[str, Any] = json.load(sys.stdin)
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
