"""Many rows at a time, written as an ordinary insert would."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Integer,
    MetaData,
    String,
    Table,
    select,
)
from sqlalchemy.orm import Session

from portfolio.db import batches
from portfolio.db.base import ExactDecimal, UtcDateTime
from portfolio.db.batches import BATCH, insert_rows, new_ids, update_rows

# Not in the order of the table.
COLUMNS = ("name", "number", "amount", "is_key", "at", "day", "beside")


TABLE = Table(
    "plain",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("number", Integer),
    Column("name", String(120), default="not this"),
    Column("left_out", String),
    Column("is_key", Boolean),
    Column("amount", ExactDecimal()),
    Column("at", UtcDateTime()),
    Column("day", Date),
    Column("beside", JSON(none_as_null=True)),
)


@pytest.fixture
def engine(engine_of):
    return engine_of(TABLE.metadata)


def texts():
    # PostgreSQL takes neither half of a pair alone nor the character zero.
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def test_it_stores_what_an_ordinary_insert_stores(engine, monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 3)
    row = st.tuples(
        texts(),
        st.none() | st.integers(-(2**31), 2**31 - 1),
        st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=20),
        st.booleans(),
        st.none() | st.datetimes(timezones=st.just(UTC)),
        st.none() | st.dates(),
        st.none() | st.dictionaries(texts(), texts(), max_size=2),
    )

    def stored(session):
        columns = [TABLE.c[name] for name in (*COLUMNS, "left_out")]
        query = select(*columns).order_by(TABLE.c.id)
        return session.execute(query).all()

    @given(st.lists(row, max_size=8))
    def check(rows):
        with Session(engine) as session:
            insert_rows(session, TABLE, COLUMNS, iter(rows))
            plain = stored(session)
        with Session(engine) as session:
            for each in rows:
                session.execute(TABLE.insert().values(dict(zip(COLUMNS, each, strict=True))))
            assert plain == stored(session)

    check()


def test_rows_are_changed_as_by_plain_statements(engine):
    numbers = st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=20)
    changes = st.dictionaries(st.integers(1, 5), st.tuples(texts(), numbers), max_size=5)

    def stored(session):
        return session.execute(select(TABLE).order_by(TABLE.c.id)).all()

    @given(changes)
    def check(changes):
        found = []
        for plainly in (False, True):
            with Session(engine) as session:
                rows = ((of, f"N{of}", Decimal(of)) for of in range(1, 6))
                insert_rows(session, TABLE, ("id", "name", "amount"), rows)
                made = [(of, *values) for of, values in changes.items()]
                if not plainly:
                    update_rows(session, TABLE, ("name", "amount"), iter(made))
                for of, name, amount in made if plainly else ():
                    one = TABLE.update().where(TABLE.c.id == of)
                    session.execute(one.values(name=name, amount=amount))
                found.append(stored(session))
        assert found[0] == found[1]

    check()


def test_many_rows_are_changed_in_pieces_and_the_others_stay(engine):
    with Session(engine) as session:
        count = 2 * BATCH + 1
        insert_rows(session, TABLE, ("id", "name"), ((of, "N") for of in range(1, count + 2)))
        update_rows(session, TABLE, ("name",), ((of, f"M{of}") for of in range(1, count + 1)))
        rows = session.execute(select(TABLE.c.id, TABLE.c.name).order_by(TABLE.c.id)).all()
        assert rows == [*((of, f"M{of}") for of in range(1, count + 1)), (count + 1, "N")]
        with pytest.raises(KeyError, match="nmae"):
            update_rows(session, TABLE, ("nmae",), [(1, "M")])


def test_what_its_column_does_not_take_is_refused(engine):
    with Session(engine) as session:
        for amount in (1.5, Decimal("NaN")):
            with pytest.raises(TypeError, match="finite decimals"):
                insert_rows(session, TABLE, ("name", "amount"), [("N", amount)])
        assert session.execute(select(TABLE)).all() == []


def test_what_is_no_column_is_not_left_out_without_a_word(engine):
    with Session(engine) as session:
        with pytest.raises(KeyError, match="nmae"):
            insert_rows(session, TABLE, ("name", "nmae"), [("N", "M")])
        assert session.execute(select(TABLE)).all() == []


def test_new_ids_are_those_that_nobody_has(engine):
    with Session(engine) as session:
        assert list(new_ids(session, TABLE, 0)) == []
        for first in (1, 5):
            ids = list(new_ids(session, TABLE, 3))
            assert ids == [first, first + 1, first + 2]
            insert_rows(session, TABLE, ("id", "name"), ((of, "N") for of in ids))
            # An ordinary insert goes on after them.
            made = session.execute(TABLE.insert().values(name="M")).inserted_primary_key
            assert made == (first + 3,)
