"""Texts and whole numbers out of SQLite, which gives back whatever stands in the file.

A column's type is no more than advice to it: of a damaged file, bytes come where a text belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, Integer, String, Text

from portfolio.errors import StorageDamaged

Checked = Callable[[Any], Any]


class _Line(String):
    """A text of some length, and never bytes."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Checked:
        """Bytes are damage."""
        return _text


class _Text(Text):
    """A text of any length, and never bytes."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Checked:
        """Bytes are damage."""
        return _text


class _Whole(Integer):
    """A whole number, and never a text or bytes."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Checked:
        """Anything with letters is damage."""
        return _whole


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        raise StorageDamaged("The database has bytes where a text belongs.")
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, str | bytes):
        raise StorageDamaged("The database has no number where one belongs.")
    return value


def check_plain_values(dialect: Dialect) -> None:
    """Let a dialect of SQLite check what it reads into the plainest types."""
    dialect.colspecs = {**dialect.colspecs, String: _Line, Text: _Text, Integer: _Whole}
