"""Finds out at start whether our keys are those with which the database was sealed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Column, Table, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from portfolio.db.base import Base, Code
from portfolio.db.sealed import Sealed, key_of
from portfolio.db.sealing import Sealer
from portfolio.errors import DomainError, SealBroken, Unreadable

log = logging.getLogger(__name__)

# Short, so that the log does not take it for a secret.
WORD = "whole"


class KeyCheck(Base):
    """A known word, sealed with a key that is or was in use; `key_id` names the key."""

    __tablename__ = "key_check"

    key_id: Mapped[Code] = mapped_column(primary_key=True)
    sealed: Mapped[str] = mapped_column(Sealed)
    made_at: Mapped[datetime]


def hold_keys(session: Session, *, alone: bool = False) -> None:
    """Keep the keys as they are until this unit of work is over: call it before `seal`.

    Without it something could be sealed with a key that a rotation removes before it is stored.
    The rotation itself holds them `alone`.
    """
    if session.get_bind().dialect.name == "postgresql":
        mode = "SHARE ROW EXCLUSIVE" if alone else "ROW EXCLUSIVE"
        session.execute(text(f"LOCK TABLE key_check IN {mode} MODE"))
    else:
        # One writes at a time, from the first statement on.
        session.connection()


def check_keys(session: Session, sealer: Sealer, now: datetime) -> None:
    """Make a first key where none ever was, and say in the log which ones are missing.

    It never keeps the program from starting: all that is not secret can be read without a key.
    """
    try:
        if sealer.keys.ensure():
            log.info("a key to seal secrets with was made: %s", sealer.keys.where)
        ids = sealer.ids()
        checks = {row.key_id: row for row in session.scalars(select(KeyCheck))}
        _prove(sealer, checks)
    except DomainError as error:
        log.warning("%s %s", error.message, error.remedy)
        return
    _say_missing(session, sealer, set(checks).difference(ids))
    if ids[0] not in checks:
        sealed = sealer.seal(_place(ids[0]), WORD)
        session.add(KeyCheck(key_id=ids[0], sealed=sealed, made_at=now))


def _place(of: str) -> str:
    return f"key_check:{of}:sealed"


def _prove(sealer: Sealer, checks: dict[str, KeyCheck]) -> None:
    """Open what our keys must open; `SealBroken` where the database was tampered with."""
    for of, row in checks.items():
        if of in sealer.ids() and sealer.unseal(_place(of), row.sealed) != WORD:
            raise SealBroken("The word that proves a key is another one.")


def _say_missing(session: Session, sealer: Sealer, missing: set[str]) -> None:
    used = uses(session)
    for of in sorted(missing):
        if not used[of]:
            # Nothing is lost with it.
            session.delete(session.get_one(KeyCheck, of))
            continue
        log.warning(
            "the key %s is missing in %s, and %s cannot be read: bring the key back, or enter "
            "again what it sealed; nothing else is touched",
            of,
            sealer.keys.where,
            "1 secret" if used[of] == 1 else f"{used[of]} secrets",
        )


def sealed_columns() -> Iterator[tuple[Table, Column[str]]]:
    """Every column of sealed texts, but that of the checks themselves."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, Sealed) and table.name != KeyCheck.__tablename__:
                yield table, column


def uses(session: Session) -> Counter[str]:
    """How many sealed texts there are of each key; what is damaged counts under no name."""
    found: Counter[str] = Counter()
    for _, column in sealed_columns():
        for sealed in session.scalars(select(column).where(column.is_not(None))):
            try:
                found[key_of(sealed)] += 1
            except Unreadable:
                found[""] += 1
    return found
