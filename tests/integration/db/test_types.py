"""Money comes back digit by digit and times come back in UTC, on every database."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError

from portfolio.db.base import ExactDecimal, UtcDateTime, canonical, canonical_each, exact_each
from portfolio.errors import StorageDamaged


@pytest.fixture
def table(database_url):
    engine = create_engine(database_url)
    metadata = MetaData()
    made = Table(
        "sample",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("amount", ExactDecimal()),
        Column("at", UtcDateTime()),
    )
    metadata.create_all(engine)
    yield made, engine
    engine.dispose()


def back(table, column, value):
    made, engine = table
    with engine.begin() as connection:
        connection.execute(made.delete())
        connection.execute(insert(made).values({column: value}))
        return connection.execute(select(made.c[column])).scalar_one()


def test_all_decimals_come_back_equal(table):
    digits = st.decimals(
        min_value=Decimal("-1e20"), max_value=Decimal("1e20"), places=20, allow_nan=False
    )

    @given(digits | st.integers(-(10**39), 10**39).map(Decimal))
    def check(value):
        found = back(table, "amount", value)
        assert found == value
        assert canonical(found) == canonical(value)

    check()


def test_all_times_come_back_in_utc(table):
    zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
    moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=zones)

    @given(moments)
    def check(value):
        found = back(table, "at", value)
        assert found == value
        assert found.tzinfo == UTC

    check()


@pytest.mark.parametrize("value", [1.5, 1, "1", Decimal("NaN"), Decimal("Infinity"), True])
def test_nothing_but_finite_decimals_is_stored(table, value):
    with pytest.raises(StatementError, match="finite decimals"):
        back(table, "amount", value)


def test_a_number_too_long_is_refused(table):
    with pytest.raises(StatementError, match="more than 80 digits"):
        back(table, "amount", Decimal("1" * 81))


def test_a_naive_time_is_refused(table):
    with pytest.raises(StatementError, match="aware"):
        back(table, "at", datetime(2026, 1, 1))


def test_a_time_is_read_once_for_all_rows_that_have_it():
    dialect = sqlite.dialect()
    kind = UtcDateTime().dialect_impl(dialect)
    read, write = kind.result_processor(dialect, None), kind.bind_processor(dialect)
    assert read("2026-11-27 10:00:00.000001") is read("2026-11-27 10:00:00.000001")
    assert read(None) is None
    with pytest.raises(StorageDamaged, match="no time"):
        read("2026-13-27 10:00:00.000001")

    @given(st.datetimes(timezones=st.just(UTC)))
    def check(value):
        assert read(write(value)) == value
        assert read(write(value)).tzinfo is UTC

    check()


@given(st.decimals("-1e30", "1e30") | st.decimals("-1e9", "1e9", places=8))
def test_a_number_is_written_as_a_plain_format_would_write_it(value):
    plain = format(value, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    assert canonical(value) == ("0" if plain in {"-0", ""} else plain)


ODD = [Decimal(text) for text in ("-0", "0E+3", "-0.00", "1E+3", "1.50", "100", "1E-20", "0E-20")]


@given(st.lists(st.none() | st.sampled_from(ODD) | st.decimals(allow_nan=False)))
def test_many_numbers_are_written_as_each_is(values):
    each = [None if value is None else canonical(value) for value in values]
    assert canonical_each(iter(values)) == each


DAMAGED = ["", "-", "--1", "1.2.3", "5.", ".5", "-.5", "1-2", "1|2", "1_0", " 1", "1\n", "+1"]
DAMAGED += ["1E+3", "NaN", "Infinity", "١", "１", b"5", 5.5, Decimal("NaN"), Decimal("1E+400")]
STORED = st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", fullmatch=True)
NUMBER = st.decimals(allow_nan=False, allow_infinity=False, places=20) | st.sampled_from(ODD)


@given(st.lists(st.none() | STORED | NUMBER | st.sampled_from(DAMAGED) | st.text(), max_size=4))
@example(["1", "-0", None, "0.50", "007", Decimal("1E+3")])
def test_a_column_is_read_as_each_of_its_numbers(stored):
    def each():
        return [ExactDecimal().process_result_value(value, None) for value in stored]

    def outcome(read):
        try:
            return list(map(repr, read()))
        except StorageDamaged as error:
            return str(error)

    assert outcome(lambda: exact_each(stored)) == outcome(each)


@pytest.mark.parametrize("damaged", DAMAGED)
def test_damage_in_a_column_is_an_error_and_no_other_number(damaged):
    try:
        alone = ExactDecimal().process_result_value(damaged, None)
    except StorageDamaged as error:
        with pytest.raises(StorageDamaged, match=re.escape(str(error))):
            exact_each(["1", damaged, None])
    else:
        assert exact_each(["1", damaged, None]) == [1, alone, None]
