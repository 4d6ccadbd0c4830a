"""Many rows at a time: written as an ordinary insert would, and read without a rest."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, create_engine, select
from sqlalchemy.orm import Session

from portfolio.db import batches
from portfolio.db.batches import insert_plain
from portfolio.db.session import SOME_AT_A_TIME, streamed

COLUMNS = ("number", "name", "old", "is_key")


PLAIN = Table(
    "plain",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("number", Integer),
    Column("name", String(120), default="not this"),
    Column("old", String),
    Column("left_out", String),
    Column("is_key", Boolean),
)


@pytest.fixture
def engine(database_url):
    made = create_engine(database_url)
    PLAIN.metadata.create_all(made)
    yield made
    made.dispose()


def texts():
    # PostgreSQL takes neither half of a pair alone nor the character zero.
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def test_it_stores_what_an_ordinary_insert_stores(engine, monkeypatch):
    monkeypatch.setattr(batches, "PLAIN_ROWS", 3)
    row = st.tuples(
        st.none() | st.integers(-(2**31), 2**31 - 1), texts(), st.none() | texts(), st.booleans()
    )

    def stored(session):
        columns = [PLAIN.c[name] for name in (*COLUMNS, "left_out")]
        return session.execute(select(*columns).order_by(PLAIN.c.id)).all()

    @given(st.lists(row, max_size=8))
    def check(rows):
        with Session(engine) as session:
            insert_plain(session, PLAIN, COLUMNS, iter(rows))
            plain = stored(session)
        with Session(engine) as session:
            for each in rows:
                session.execute(PLAIN.insert().values(dict(zip(COLUMNS, each, strict=True))))
            assert plain == stored(session)

    check()


def test_columns_in_another_order_are_an_error_where_they_go_by_their_place():
    with Session(create_engine("sqlite://")) as session, pytest.raises(AssertionError):
        insert_plain(session, PLAIN, COLUMNS[::-1], [])


def test_a_stream_that_is_left_before_its_end_leaves_nothing_open(engine):
    count = 2 * SOME_AT_A_TIME
    with Session(engine) as session:
        insert_plain(session, PLAIN, ("name",), ((f"N{number}",) for number in range(count)))
        with closing(streamed(session, select(PLAIN.c.name))) as rows:
            assert next(rows).name == "N0"
        # Neither database does that while a statement reads the table.
        PLAIN.drop(session.connection())
