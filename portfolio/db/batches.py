"""Long lists in pieces: neither database takes any number of parameters in one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, TypeVar

from sqlalchemy import Column, Insert, Table, Update, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

Item = TypeVar("Item")

# Far below every limit, and enough that one statement more makes no difference.
BATCH = 1_000
# Another name than that of the column, which a statement may set as well.
ROW_ID = "row_id"


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """The items in their order, at most so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_rows(
    session: Session, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Insert rows, whose values stand in the order of `columns`, made as they are written.

    A column with a default is among them. SQLAlchemy would make a dictionary of each row and
    prepare each value, whether its type prepares anything or not: as long again as storing it.
    """
    given = {name: table.c[name] for name in columns}
    _each(session, insert(table).inline(), columns, given, rows)


def update_rows(
    session: Session, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Change rows by their ids: the id comes first in each, then what `columns` become.

    Objects of the session that are these rows are as they were until they are read again.
    """
    given = {ROW_ID: table.c.id, **{name: table.c[name] for name in columns}}
    _each(session, update(table).where(table.c.id == bindparam(ROW_ID)), columns, given, rows)


def _each(
    session: Session,
    statement: Insert | Update,
    columns: Sequence[str],
    given: Mapping[str, Column[Any]],
    rows: Iterable[tuple[Any, ...]],
) -> None:
    """Carry a statement that sets `columns` out for each row, whose values are those `given`."""
    following = iter(rows)
    some = list(islice(following, BATCH))
    if not some:
        return
    connection = session.connection()
    dialect = connection.dialect
    made = statement.compile(dialect=dialect, column_keys=list(columns))
    order = made.positiontup or list(given)
    types = {name: of.type.dialect_impl(dialect) for name, of in given.items()}
    processes = [types[name].bind_processor(dialect) for name in order]
    while some:
        by_name = dict(zip(given, zip(*some, strict=True), strict=True))
        values = [
            _prepared(by_name[name], process)
            for name, process in zip(order, processes, strict=True)
        ]
        ready = list(zip(*values, strict=True))
        named = (dict(zip(order, row, strict=True)) for row in ready)
        connection.exec_driver_sql(made.string, ready if made.positional else list(named))
        some = list(islice(following, BATCH))


def _prepared(values: Sequence[Any], process: Callable[[Any], Any] | None) -> Iterable[Any]:
    """A column as the database takes it; what all rows share, such as a time, is prepared once."""
    if process is None:
        return values
    first = values[0]
    if all(each is first for each in values):
        return repeat(process(first), len(values))
    return map(process, values)


def new_ids(session: Session, table: Table, count: int) -> Sequence[int]:
    """So many ids for rows that this write transaction is about to add to a table.

    Where rows are told apart by ids that are known beforehand, none need be read back.
    """
    if session.get_bind().dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, "id")
        following = select(func.nextval(sequence)).select_from(func.generate_series(1, count))
        return session.scalars(following).all()
    # Nobody else adds any until this transaction ends.
    last = session.scalar(select(func.max(table.c.id))) or 0
    return range(last + 1, last + 1 + count)
