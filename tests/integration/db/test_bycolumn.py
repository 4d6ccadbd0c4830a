"""Rows that are fetched together are those that an ordinary statement gives."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    select,
    text,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portfolio.db import bycolumn
from portfolio.db.base import Day, ExactDecimal, UtcDateTime
from portfolio.db.bycolumn import PARTS, SOME_AT_A_TIME, ByColumn
from portfolio.errors import StorageDamaged

TABLE = Table(
    "plain",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("number", Integer),
    Column("name", String(120)),
    Column("is_key", Boolean),
    Column("amount", ExactDecimal()),
    Column("at", UtcDateTime()),
    Column("day", Day()),
    Column("beside", JSON(none_as_null=True)),
)
NAMED = ByColumn(select(TABLE.c.id, TABLE.c.name, TABLE.c.amount).order_by(TABLE.c.id.desc()))


@pytest.fixture
def engine(engine_of):
    return engine_of(TABLE.metadata)


def texts():
    # PostgreSQL takes neither half of a pair alone nor the character zero.
    kept = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    # What means something within JSON, or between its lines.
    return st.text(st.sampled_from('\n\r\x1f\x7f\x85\u2028\\"],[{}') | kept, max_size=20)


def rows():
    return st.fixed_dictionaries(
        {
            "number": st.none() | st.integers(-(2**31), 2**31 - 1),
            "name": st.none() | texts(),
            "is_key": st.none() | st.booleans(),
            "amount": st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=20),
            "at": st.none() | st.datetimes(timezones=st.just(UTC)),
            "day": st.none() | st.dates(),
            "beside": st.none() | st.dictionaries(texts(), texts(), max_size=2),
        }
    )


def filled(session, count=3):
    made = [{"name": f"N{number}", "amount": Decimal(number)} for number in range(count)]
    session.execute(TABLE.insert(), made)


def test_they_are_what_an_ordinary_statement_gives_and_in_its_order(engine, monkeypatch):
    monkeypatch.setattr(bycolumn, "SOME_AT_A_TIME", 3)
    query = select(*TABLE.c).where(TABLE.c.id > bindparam("after"))
    query = query.order_by(TABLE.c.number.desc(), TABLE.c.id.desc())
    together, after = ByColumn(query), {"after": 1}

    @given(st.lists(rows(), max_size=8))
    def check(made):
        with Session(engine) as session:
            for each in made:
                session.execute(TABLE.insert().values(each))
            plain = [tuple(row) for row in session.execute(query, after)]
            assert list(together.rows(session, after)) == plain
            assert [*zip(*together.columns(session, after), strict=True)] == plain

    check()


def test_in_parts_they_are_the_same_rows_and_on_sqlite_take_a_statement_each(engine):
    query = select(TABLE.c.id, TABLE.c.name, TABLE.c.amount).where(TABLE.c.id > bindparam("after"))
    counted = []

    @event.listens_for(engine, "after_cursor_execute")
    def _count(*_):
        counted.append(True)

    with Session(engine) as session:
        filled(session, 2 * SOME_AT_A_TIME + 3)
        plain = [tuple(row) for row in session.execute(query, {"after": 2})]
        counted.clear()
        found = list(ByColumn(query, part_by=TABLE.c.id).rows(session, {"after": 2}))
        assert len(counted) == (PARTS if engine.dialect.name == "sqlite" else 1)
    assert sorted(found) == sorted(plain)


def test_all_of_them_take_one_statement_and_on_sqlite_one_row(engine):
    counted = []

    @event.listens_for(engine, "after_cursor_execute")
    def _count(_connection, cursor, *_):
        counted.append(cursor)

    with Session(engine) as session:
        filled(session, 2 * SOME_AT_A_TIME + 1)
        counted.clear()
        found = NAMED.rows(session)
        assert next(found)[1:] == ("N400", Decimal(400))
        assert len(list(found)) == 2 * SOME_AT_A_TIME
        assert len(counted) == 1
        if engine.dialect.name == "sqlite":
            # With the first row, the statement is over: others may change what it has read.
            first = NAMED.rows(session)
            next(first)
            session.execute(delete(TABLE))
            assert len(list(first)) == 2 * SOME_AT_A_TIME


def test_who_stops_before_the_end_leaves_nothing_open(engine):
    with Session(engine) as session:
        filled(session, 2 * SOME_AT_A_TIME)
        with closing(NAMED.rows(session)) as found:
            assert next(found)[1] == "N399"
        # Neither database does that while a statement reads the table.
        TABLE.drop(session.connection())


@pytest.mark.parametrize("damaged", ["'1e5'", "'NaN'", "''", "'abc'", "9e999", "x'41'"])
def test_a_damaged_number_is_an_error_until_it_is_mended(damaged):
    # PostgreSQL takes no such value.
    engine = create_engine("sqlite://")
    TABLE.metadata.create_all(engine)
    with Session(engine) as session:
        filled(session)
        session.execute(text(f"UPDATE plain SET amount = {damaged} WHERE name = 'N1'"))
        with pytest.raises((StorageDamaged, OperationalError)):
            list(NAMED.rows(session))
        session.execute(text("UPDATE plain SET amount = '1' WHERE name = 'N1'"))
        assert [row[2] for row in NAMED.rows(session)] == [2, 1, 0]
    engine.dispose()
