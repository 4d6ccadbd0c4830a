"""What a start costs, beside the bare stack."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.figures import Figure


def figures() -> Iterable[Figure]:
    """To be written."""
    yield Figure("x", 1.0, "s", 0.9, "floor", 1.4)
