"""What a broker answered, scrubbed, as a file that can be sent to us and replayed as a test."""

from __future__ import annotations

from typing import Any

from brokers.contract import Scrubber
from brokers.errors import Malformed
from brokers.http import Answer, decode, encode

FORMAT = 1
# Texts that are no data, tell nothing about anybody, and mean something to an adapter.
PLAIN = (b"", b"Access Denied")
HIDDEN = "(not data)"
LOGIN = "/sso/Login"


class Recording:
    """Satisfies `brokers.contract.Recorder`; keeps nothing that the scrubber has not seen."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._answers: list[dict[str, Any]] = []

    def note(self, method: str, path: str, answer: Answer) -> None:
        """Keep one answer."""
        kept = {
            "method": method,
            "path": self._scrubber.path(path),
            "status": answer.status,
            "content_type": answer.content_type,
            "location": LOGIN if LOGIN in (answer.location or "") else None,
        }
        self._answers.append({**kept, **self._body(answer.body)})

    def _body(self, body: bytes) -> dict[str, Any]:
        if body in PLAIN:
            return {"text": body.decode()}
        try:
            return {"json": self._scrubber.answer(decode(body))}
        except Malformed:
            # A web page or half an answer: what it says about whom cannot be known.
            return {"text": HIDDEN}

    def document(self) -> bytes:
        """All that was kept, as JSON with exact numbers."""
        return encode({"format": FORMAT, "answers": self._answers}, indent=1)
