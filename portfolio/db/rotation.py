"""A new key for all that is sealed, while the program runs; it may be killed at any moment.

The file says that a rotation has begun, and keeps the former keys until nothing is sealed with
them: what was done is not done again, and what was not is done next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Row, Table, delete, select, update
from sqlalchemy.orm import Session

from portfolio.db.batches import batches
from portfolio.db.keycheck import KeyCheck, check_keys, hold_keys, sealed_columns
from portfolio.db.keyfile import KeyFile
from portfolio.db.keysource import new_key
from portfolio.db.sealed import SEALED, key_id
from portfolio.db.sealing import Sealer
from portfolio.db.session import changed_rows, read_only, unit_of_work
from portfolio.errors import Unreadable

BATCH = 50
# Told before each thing that can be interrupted.
Step = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did: the key in use, how much it sealed anew, and what it could not open."""

    key: str
    sealed: int
    unreadable: int
    removed: tuple[str, ...]


def rotate(sealer: Sealer, now: datetime, step: Step = lambda _name: None) -> Rotated:
    """Seal all secrets anew with a new key, and remove the former keys from the file.

    Keys of the environment are not changed: everything is sealed with the first of them. What
    cannot be opened stays as it is and is counted. `KeyUnavailable` where there is no key.
    """
    sealer.ids()
    file = sealer.keys if isinstance(sealer.keys, KeyFile) else None
    if file is not None:
        step("new key")
        _begin(file)
    count, removed, broken = 0, None, set[str]()
    while removed is None:
        count += _reseal(sealer, broken, step)
        step("end")
        removed = _end(sealer, file, (now, broken), step) if file is not None else ()
    return Rotated(key=sealer.ids()[0], sealed=count, unreadable=len(broken), removed=removed)


def _begin(file: KeyFile) -> None:
    """A new key in front of the others, unless an earlier rotation has brought one already."""
    with unit_of_work() as session:
        hold_keys(session, alone=True)
        if not file.rotates():
            file.write((new_key(), *file.read()), rotates=True)


def _reseal(sealer: Sealer, broken: set[str], step: Step) -> int:
    """Seal everything with the newest key, some rows at a time; how many texts were sealed."""
    done = 0
    for table, column in sealed_columns():
        rows = [row for row in _rows(table, column) if _key(row[0]) != sealer.ids()[0]]
        for some in batches(rows, BATCH):
            step("batch")
            with unit_of_work() as session:
                for row in some:
                    done += _resealed(session, sealer, row, (table, column), broken)
    return done


def _rows(table: Table, column: Column[str]) -> Sequence[Row[Any]]:
    """Each sealed text of a column, with the key of its row."""
    with read_only() as session:
        query = select(column, *table.primary_key).where(column.is_not(None))
        return session.execute(query).all()


def _key(sealed: str) -> str:
    found = SEALED.fullmatch(sealed)
    return found[1] if found else ""


def _resealed(
    session: Session,
    sealer: Sealer,
    row: Row[Any],
    where: tuple[Table, Column[str]],
    broken: set[str],
) -> int:
    """Seal one text anew, unless it was changed meanwhile; how many were."""
    table, column = where
    former, keys = row[0], row[1:]
    try:
        sealed = sealer.reseal(former)
    except Unreadable:
        broken.add(former)
        return 0
    pairs: Iterable[tuple[Column[Any], Any]] = zip(table.primary_key, keys, strict=True)
    mine = [of == value for of, value in pairs]
    change = update(table).where(column == former, *mine).values({column.name: sealed})
    return changed_rows(session, change)


def _end(
    sealer: Sealer, file: KeyFile, known: tuple[datetime, set[str]], step: Step
) -> tuple[str, ...] | None:
    """Remove the former keys; None where something was sealed with one of them meanwhile."""
    now, broken = known
    with unit_of_work() as session:
        hold_keys(session, alone=True)
        newest, *former = file.read()
        ids = tuple(map(key_id, former))
        if _in_use(session, ids, broken):
            return None
        step("former keys")
        session.execute(delete(KeyCheck).where(KeyCheck.key_id.in_(ids)))
        check_keys(session, sealer, now)
        file.write([newest])
        step("commit")
    with read_only() as session:
        if not _in_use(session, ids, broken):
            return ids
    # Whoever sealed it did not hold the keys.
    file.write([newest, *former], rotates=True)
    return None


def _in_use(session: Session, ids: Sequence[str], broken: set[str]) -> bool:
    """Whether one of these keys is needed for something that can be opened."""
    for _, column in sealed_columns():
        for sealed in session.scalars(select(column).where(column.is_not(None))):
            if sealed not in broken and _key(sealed) in ids:
                return True
    return False
