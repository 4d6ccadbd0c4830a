"""Long lists in pieces: neither database takes any number of parameters in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

Item = TypeVar("Item")

# Far below every limit, and enough that one statement more makes no difference.
BATCH = 1_000
# Rows of a few short texts that one statement writes.
PLAIN_ROWS = 3_000


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """The items in their order, at most so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_plain(
    session: Session,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[tuple[str | int | None, ...]],
) -> None:
    """Insert rows of texts and whole numbers, made as they are written; other types need more.

    `columns` stand in the table's order. SQLAlchemy would prepare each value of each row by its
    column's type, which takes as long as storing it, and these need nothing of it.
    """
    connection = session.connection()
    made = insert(table).inline().compile(dialect=connection.dialect, column_keys=list(columns))
    assert made.positiontup in (None, list(columns))
    following = iter(rows)
    while some := list(islice(following, PLAIN_ROWS)):
        named = (dict(zip(columns, row, strict=True)) for row in some)
        connection.exec_driver_sql(made.string, some if made.positional else list(named))
