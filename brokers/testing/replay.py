"""A recorded gateway: answers each path with what was recorded for it, in the same order."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from brokers.http import decode, encode


class Replay:
    """A WSGI callable made from a recording; the last answer of a path repeats."""

    def __init__(self, recording: Path) -> None:
        self._answers: defaultdict[tuple[str, str], deque[dict[str, Any]]] = defaultdict(deque)
        for answer in decode(recording.read_bytes())["answers"]:
            self._answers[answer["method"], answer["path"]].append(answer)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        waiting = self._answers.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if not waiting:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"not recorded"]
        answer = waiting.popleft() if len(waiting) > 1 else waiting[0]
        headers = [("Content-Type", answer["content_type"])]
        headers += [("Location", answer["location"])] if answer["location"] else []
        status = HTTPStatus(answer["status"])
        start_response(f"{status.value} {status.phrase}", headers)
        return [encode(answer["json"]) if "json" in answer else answer["text"].encode()]
