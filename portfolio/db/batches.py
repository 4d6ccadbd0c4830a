"""Long lists in pieces: neither database takes any number of parameters in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

# Far below every limit, and enough that one statement more makes no difference.
BATCH = 1_000
# What a statement is executed with whose rows are looked at one after the other and not kept.
STREAMED = {"yield_per": BATCH}


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """The items in their order, at most so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
