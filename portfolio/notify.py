"""Sends messages to addresses of Apprise, which runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from portfolio.errors import SetupProblem

# Seconds for all targets together.
DEADLINE = 30
CHILD = Path(__file__).with_name("notify_child.py")
# Titles and bodies in, how many targets took them out.
Send = Callable[[str, str], int]


def sender(urls: Sequence[str], deadline: int = DEADLINE) -> Send:
    """What sends a title and a body to all targets and returns how many of them took it.

    Raises `SetupProblem` for an address that Apprise does not understand; the sentence says which
    one by its place, since the address itself is a secret.
    """
    tried = _ask({"urls": list(urls)}, deadline)
    wrong = [place + 1 for place in range(len(urls)) if not tried.get(place)]
    if len(tried) < len(urls):
        raise SetupProblem(
            "FOLIOSYNC_NOTIFY_URLS: Apprise does not start or does not end; install it anew."
        )
    if wrong:
        raise SetupProblem(
            f"FOLIOSYNC_NOTIFY_URLS: Apprise does not understand address {_listed(wrong)} of "
            f"{len(urls)}; docs/notifications.md has examples."
        )
    return partial(_deliver, {"urls": list(urls)}, deadline)


def understands(url: str) -> bool:
    """Whether Apprise knows what to do with an address of a person; nothing is sent."""
    return bool(_ask({"urls": [url], "closed": []}, DEADLINE).get(0))


def _listed(places: Sequence[int]) -> str:
    return " and ".join(map(str, places))


def deliver(
    urls: Sequence[str],
    title: str,
    body: str,
    closed: Sequence[tuple[str, int]],
    deadline: int = DEADLINE,
) -> int:
    """Send a title and a body to these addresses of people; how many of them took it.

    None reaches this computer itself, nor the hosts and ports that are `closed` to them.
    """
    return _deliver({"urls": list(urls), "closed": list(closed)}, deadline, title, body)


def _deliver(order: Mapping[str, object], deadline: int, title: str, body: str) -> int:
    return sum(_ask({**order, "title": title, "body": body}, deadline).values())


def _ask(order: Mapping[str, object], deadline: int) -> Mapping[int, bool]:
    """What each target answered, by its place; those that the deadline cut off are not in it."""
    if not order["urls"]:
        return {}
    try:
        done = subprocess.run(
            # The addresses go in by a pipe: arguments and environments are for all to see. Without
            # -P the files beside the child's would hide those of Python.
            [sys.executable, "-P", str(CHILD)],
            input=json.dumps(order).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(without_proxies="closed" in order),
            timeout=deadline,
            check=False,
        )
        said = done.stdout
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
    except OSError:
        said = b""
    pairs = (line.split() for line in said.decode("ascii", "replace").splitlines())
    return {int(pair[0]): pair[1] == "1" for pair in pairs if len(pair) == 2}


def _environment(*, without_proxies: bool) -> dict[str, str]:
    """Ours without our own settings, which are secrets to a plug-in, and without Apprise's.

    A proxy would go where the child must not, and only its own address would be seen.
    """
    hidden = ("FOLIOSYNC_", "APPRISE_")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(hidden)
        and not (without_proxies and name.lower().endswith("_proxy"))
    }
