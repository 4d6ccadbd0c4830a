"""The declarative base, and column types that keep money exact and times in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Date,
    DateTime,
    Dialect,
    MetaData,
    Numeric,
    String,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, mapped_column, registry
from sqlalchemy.types import TypeDecorator, TypeEngine

from portfolio.errors import StorageDamaged

Moment = TypeVar("Moment", bound=date)

# Inputs have at most 20 + 20 digits; a product of two, rounded to 20 decimals, still fits.
MONEY = Context(prec=120, Emax=999, Emin=-999)
MAX_DIGITS = 80
# That are remembered.
TIMES = 1_000

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

_is_plain = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII).match
_are_digits = re.compile(r"[-.|0-9]*\Z").match
_TYPED = re.compile(r"-?\d{1,20}(\.\d{1,20})?\Z", re.ASCII)


def canonical(value: Decimal) -> str:
    """The one way to write a number: plain digits, no exponent, no trailing zeros, no -0."""
    text = str(value)
    # Every other number is written as it should be already.
    return _plainly(value, text) if text[-1] == "0" or "E" in text else text


def _plainly(value: Decimal, text: str) -> str:
    if "E" in text:
        # Rare, and writing all of them by a format would take twice as long.
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def canonical_each(values: Iterable[Decimal | None]) -> list[str | None]:
    """Numbers as `canonical` writes them; unknown ones stay unknown."""
    return [None if value is None else canonical(value) for value in values]


def _read(value: Any) -> Decimal | None:
    return None if value is None else exact(value if type(value) is str else str(value))


def exact(text: str) -> Decimal:
    """A number that is stored as text; damage in the file is an error, never another number."""
    if _is_plain(text) is None:
        raise StorageDamaged("The database has no number where one belongs.")
    return Decimal(text)


def _written(value: Any) -> str | None:
    if value is None:
        return None
    # No annotation can stop a float that comes at run time.
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError(f"money columns take finite decimals, not {value!r}")
    text = canonical(value)
    if _is_too_long(text):
        raise ValueError(f"a number of more than {MAX_DIGITS} digits: {text[:60]}")
    return text


def is_storable(value: Decimal) -> bool:
    """Whether a number has no more digits than are kept."""
    return not _is_too_long(canonical(value))


def _is_too_long(text: str) -> bool:
    return len(text) > MAX_DIGITS and sum(map(str.isdigit, text)) > MAX_DIGITS


class ExactDecimal(TypeDecorator[Decimal]):
    """An exact decimal: canonical text in SQLite, unconstrained NUMERIC elsewhere.

    Refuses anything but a finite `Decimal`, so no float and no NaN can reach a money column.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text where NUMERIC would be binary floating point."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Check, and write the canonical form."""
        text = _written(value)
        return text if text is None or dialect.name == "sqlite" else Decimal(text)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """The same in one call where it is written as text: a sync writes thousands."""
        return _written if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Read it back; damage in the file is an error, never another number."""
        return _read(canonical(value) if isinstance(value, Decimal) else value)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], Decimal | None] | None:
        """The same in one call where it is text already: a page has hundreds of numbers."""
        return _read if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def exact_each(stored: Sequence[Any]) -> list[Decimal | None]:
    """A column of `ExactDecimal` as it is stored, read in half the time: all of it together."""
    texts = [canonical(each) if isinstance(each, Decimal) else each for each in stored]
    try:
        numbers = [None if each is None else Decimal(each) for each in texts]
        if _all_plain(f"|{'|'.join(filter(None, texts))}|"):
            return numbers
    except (TypeError, ValueError, ArithmeticError):
        pass
    # One after the other, to say which of them is none.
    return [_read(each) for each in texts]


def _all_plain(joined: str) -> bool:
    """Whether numbers that `Decimal` takes are of plain digits, some on both sides of a point."""
    return bool(_are_digits(joined)) and not any(of in joined for of in ("|.", "-.", ".|"))


def _from_json(text: str | bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except ValueError as error:
        raise StorageDamaged("The database has no JSON where some belongs.") from error


# What an engine is told of JSON columns: a first sync writes thousands.
JSON_COLUMNS: dict[str, Any] = {
    "json_serializer": lambda value: msgspec.json.encode(value).decode(),
    "json_deserializer": _from_json,
}


class ExactShares(TypeDecorator[dict[str, Decimal]]):
    """Named decimals in one JSON column, each as canonical text."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: dict[str, Decimal] | None, dialect: Dialect) -> Any:
        """Write each in the canonical form."""
        return {name: canonical(each) for name, each in (value or {}).items()}

    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, Decimal]:
        """Read each back exactly."""
        return {name: exact(text) for name, text in (value or {}).items()}


class _ReadOnce(TypeDecorator[Moment]):
    """A time, read once for each text: what was read or typed at one time has one time.

    Damage in the file is an error, never another time.
    """

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], Moment | None] | None:
        """Only SQLite has texts."""
        usual = super().result_processor(dialect, coltype)
        return _once_each(usual) if usual and dialect.name == "sqlite" else usual


def _once_each(read: Callable[[Any], Moment | None]) -> Callable[[Any], Moment | None]:
    @lru_cache(TIMES)
    def found(text: Any) -> Moment | None:
        try:
            return read(text)
        except (TypeError, ValueError) as error:
            raise StorageDamaged("The database has no time where one belongs.") from error

    return found


class UtcDateTime(_ReadOnce[datetime]):
    """An aware UTC time; a naive one is refused, since nobody could know what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Check that the time is aware, and convert it to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"times must be aware, not {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite forgets the zone; it was UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Day(_ReadOnce[date]):
    """A day of the calendar."""

    impl = Date
    cache_ok = True


Key = Annotated[int, mapped_column(primary_key=True)]
Name = Annotated[str, mapped_column(String(100))]
Code = Annotated[str, mapped_column(String(40))]
Currency = Annotated[str, mapped_column(String(12))]


class Base(DeclarativeBase):
    """The base of every table; carries its own registry, which Flask-SQLAlchemy needs."""

    registry = registry(
        type_annotation_map={
            Decimal: ExactDecimal(),
            datetime: UtcDateTime(),
            date: Day(),
            str: Text(),
            dict[str, Any]: JSON(),
            dict[str, Decimal]: ExactShares(),
            list[str]: JSON(),
            list[int]: JSON(),
        }
    )
    metadata = MetaData(naming_convention=NAMING)


def numbers(*columns: str) -> tuple[CheckConstraint, ...]:
    """Constraints that keep NaN and Infinity out of money columns, on every database."""
    return tuple(
        CheckConstraint(f"upper(CAST({name} AS TEXT)) NOT LIKE '%N%'", name=f"{name}_is_a_number")
        for name in columns
    )


def one_of(column: str, *values: str) -> CheckConstraint:
    """A constraint that holds a column to a closed list."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")


def typed_decimal(text: str) -> Decimal | None:
    """A number as people and programs send it, or None: plain digits, 20 before and 20 after."""
    return Decimal(text) if _TYPED.match(text) else None


db = SQLAlchemy(model_class=Base)
