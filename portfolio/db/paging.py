"""Long lists, a stretch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
# What a key can be on every database; a larger number is nobody's.
LARGEST_KEY = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A stretch of a list, and where the next one begins (None at the end)."""

    items: tuple[T, ...]
    next_cursor: str | None


def page_of(rows: Sequence[T], start: int, limit: int) -> Page[T]:
    """A page from up to `limit + 1` rows; the extra one only tells that there is more."""
    more = len(rows) > limit
    return Page(items=tuple(rows[:limit]), next_cursor=str(start + limit) if more else None)
