"""One answer of the simulator."""

from __future__ import annotations

from typing import Any, NamedTuple

JSON = "application/json;charset=utf-8"


class Reply(NamedTuple):
    """A status, a body (bytes, or a value for JSON), and whether it was a forbidden request."""

    status: int
    body: Any
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    trip: bool = False
