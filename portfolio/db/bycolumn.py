"""Rows by the hundred as plain values: fetched together, and read a column at a time.

SQLite's driver hands the interpreter's lock over at each row, and makes its values one by one. As
lines of JSON, SQLite gives all rows in one step, during which others may compute, and they are
read in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import cached_property
from io import BytesIO
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    LargeBinary,
    Select,
    String,
    Text,
    bindparam,
    cast,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from portfolio.db.base import ExactDecimal, exact_each
from portfolio.errors import StorageDamaged

# Rows that are made of an answer together where they are looked at one after the other.
SOME_AT_A_TIME = 200
# Statements that share what one would give as a text of several megabytes.
PARTS = 4
Column = Sequence[Any]
Read = Callable[[Column], Column]

_JSON = msgspec.json.Decoder(list[Any])


class ByColumn:
    """A statement that asks for columns only; built once, and asked as often as is wanted.

    What a session does for each row serves objects, of which there are none here. Wide rows by the
    thousand are asked for in `PARTS`, and come in no order, where an id is named to `part_by`.
    """

    def __init__(
        self,
        statement: Select[*tuple[Any, ...]],
        *,
        part_by: ColumnElement[int] | InstrumentedAttribute[int] | None = None,
    ) -> None:
        self._statement = statement
        self._part_by = part_by
        self._types = [of.type for of in statement.selected_columns]
        self._reads: dict[str, list[Read | None]] = {}

    def columns(self, session: Session, values: Mapping[str, Any]) -> list[Column]:
        """All columns of an answer whose rows are few; none at all where there is no row."""
        connection = _asked(session)
        if connection.dialect.name == "sqlite":
            return self._read(connection.dialect, _decoded(self._text(connection, values)))
        return self._read(connection.dialect, connection.execute(self._stored, values).all())

    def rows(
        self, session: Session, values: Mapping[str, Any] | None = None
    ) -> Generator[tuple[Any, ...], None, None]:
        """The rows of an answer one after the other, of which few are there at a time.

        Until the last one is read, no other statement may change them. Who stops before closes it.
        """
        connection = _asked(session)
        parts = self._lines if connection.dialect.name == "sqlite" else self._partitions
        for some in parts(connection, values):
            yield from zip(*self._read(connection.dialect, some), strict=True)

    def _lines(
        self, connection: Connection, values: Mapping[str, Any] | None
    ) -> Iterable[Sequence[Column]]:
        for part in range(1 if self._part_by is None else PARTS):
            # Takes the text as it is, which is not small; one of characters would hold a copy.
            lines = BytesIO(self._text(connection, {**(values or {}), "part": part}))
            while some := b"".join(islice(lines, SOME_AT_A_TIME)):
                yield _decoded(some)

    def _partitions(
        self, connection: Connection, values: Mapping[str, Any] | None
    ) -> Iterable[Sequence[Column]]:
        # Not by a cursor of the server's: of one whose connection is lost, nobody is rid.
        with connection.execute(self._stored, values) as found:
            yield from found.partitions(SOME_AT_A_TIME)

    def _text(self, connection: Connection, values: Mapping[str, Any] | None) -> bytes:
        return connection.execute(self._as_lines, values).scalar() or b""

    @cached_property
    def _as_lines(self) -> Select[bytes]:
        """All rows as one text, a line of JSON each, in their order."""
        columns = self._statement.selected_columns
        line = func.json_array(*columns, type_=Text).label("line")
        asked = self._statement.with_only_columns(line)
        if self._part_by is not None:
            asked = asked.where(self._part_by % PARTS == bindparam("part"))
        lines = asked.subquery()
        return select(cast(func.group_concat(lines.c.line, "\n"), LargeBinary))

    @cached_property
    def _stored(self) -> Select[*tuple[Any, ...]]:
        """The statement, with exact decimals as they are stored."""
        asked = [
            type_coerce(of, Text) if isinstance(of.type, ExactDecimal) else of
            for of in self._statement.selected_columns
        ]
        return self._statement.with_only_columns(*asked)

    def _read(self, dialect: Dialect, rows: Iterable[Sequence[Any]]) -> list[Column]:
        if dialect.name not in self._reads:
            self._reads[dialect.name] = [_reading(of, dialect) for of in self._types]
        stored, reads = zip(*rows, strict=True), self._reads[dialect.name]
        return [read(of) if read else of for of, read in zip(stored, reads, strict=False)]


def _asked(session: Session) -> Connection:
    # What the session has not written yet belongs to the answer.
    session.flush()
    return session.connection()


def _decoded(lines: bytes) -> list[list[Any]]:
    try:
        return _JSON.decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageDamaged("The database has a value that is none.") from error


def _reading(of: TypeEngine[Any], dialect: Dialect) -> Read | None:
    """How a column is read of what the driver gave, or of what stood in the JSON."""
    if isinstance(of, ExactDecimal):
        return exact_each
    if isinstance(of, String):
        # Of bytes, SQLite makes no JSON.
        return None
    # Elsewhere the driver's values went through it already.
    process = of.dialect_impl(dialect).result_processor(dialect, None)
    if process is None or dialect.name != "sqlite":
        return None
    return lambda column: [*map(process, column)]
