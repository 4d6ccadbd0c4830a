"""Writes the holdings of a snapshot and their instruments: only what differs, many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from brokers.types import Instrument as BrokerInstrument
from brokers.types import Position, Snapshot
from portfolio.accounts.models import NO_TWIN, Holding, Instrument, InstrumentIdentifier
from portfolio.accounts.quotes import Quoted, quoted_at, rescaled
from portfolio.db.batches import BATCH, insert_rows, new_ids, update_rows
from portfolio.sync.plan import Plan, Stored, StoredHolding, symbol_of
from portfolio.sync.rows import (
    DESCRIBED,
    instruments_of,
)
from portfolio.sync.target import Target

Row = tuple[Any, ...]
HOLDINGS = Holding.metadata.tables[Holding.__tablename__]
INSTRUMENTS = Holding.metadata.tables[Instrument.__tablename__]
IDENTIFIERS = Holding.metadata.tables[InstrumentIdentifier.__tablename__]
KEYS = ("owner_id", "instrument_id", "scheme", "value", "is_key")
ADDED = (
    *("id", "account_id", "instrument_id", "source", "source_account", "opened_at", "twin"),
    *Quoted._fields,
)
# What is set of a row that is there, after its id.
CHANGED = (*Quoted._fields, "quoted_at")
OPENED = (*CHANGED, "opened_at", "closed_at")
CLOSED, KEPT = ("quoted_at", "closed_at"), ("quoted_at",)


@dataclass(frozen=True, slots=True)
class Written:
    """The ids of the holdings that a plan is about, by key, and whether anything shown moved.

    What is shown and in no plan are quotes, and descriptions of instruments; `described` are the
    ids of instruments that are described otherwise than before.
    """

    ids: Mapping[str, int]
    moved: bool
    described: Sequence[int]


@dataclass(slots=True)
class _Differences:
    """What has to be written of the rows that are there, by the statement that does it.

    Each of its rows begins with the id, of an instrument where it is `described`.
    """

    described: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)
    opened: list[Row] = field(default_factory=list)
    closed: list[Row] = field(default_factory=list)
    kept: list[Row] = field(default_factory=list)
    isins: dict[int, str] = field(default_factory=dict)
    moved: bool = False
    # Instruments of others' holdings, known before this account had them.
    met_again: list[int] = field(default_factory=list)

    def bring(
        self, row: StoredHolding, position: Position, target: Target, read_at: datetime
    ) -> None:
        """Note what differs between a row and its position."""
        before = (*row.terms, row.name, row.exchange, row.underlying)
        described = _described(position.instrument, before)
        if described is not before:
            self.described.append((row.instrument_id, *described))
        self.name(row.instrument_id, position)
        figures, since = _figures(row, position, target)
        moves = figures != row.figures
        self.moved |= moves
        if not row.is_open:
            self.opened.append((row.id, *figures, since, read_at, None))
        elif moves or since != row.quoted_at:
            self.changed.append((row.id, *figures, since))

    def name(self, instrument_id: int, position: Position) -> None:
        """Note the ISIN of an instrument, where the broker says it."""
        if position.instrument.isin:
            self.isins[instrument_id] = position.instrument.isin

    def write(self, session: Session) -> None:
        """Write it, many rows at a time."""
        update_rows(session, INSTRUMENTS, DESCRIBED, self.described)
        update_rows(session, HOLDINGS, CHANGED, self.changed)
        update_rows(session, HOLDINGS, OPENED, self.opened)
        update_rows(session, HOLDINGS, CLOSED, self.closed)
        update_rows(session, HOLDINGS, KEPT, self.kept)


def write_holdings(
    session: Session,
    target: Target,
    plan: Plan,
    snapshot: Snapshot,
    *,
    before: Stored,
    keep: frozenset[str],
) -> Written:
    """Bring the rows of a source, which are those `before`, to the snapshot.

    The holdings in `keep` stay.
    """
    absent = {position.instrument.key: position for position in snapshot.positions}
    planned = {step.key for step in plan.steps if isinstance(step.old, StoredHolding)}
    ids, todo, read_at = dict[str, int](), _Differences(), snapshot.read_at
    for row in before.holdings:
        if row.key in planned:
            ids[row.key] = row.id
        position = absent.pop(row.key, None)
        if position is not None and before.has(position):
            todo.name(row.instrument_id, position)
        elif position is not None:
            todo.bring(row, position, target, read_at)
        elif row.key in keep:
            todo.kept += [] if row.quoted_at else [(row.id, _dated(row, target))]
        elif row.is_open:
            todo.closed.append((row.id, _dated(row, target), read_at))
        # While markets are open every row changes: none waits for thousands of others.
        if len(todo.changed) >= BATCH:
            update_rows(session, HOLDINGS, CHANGED, todo.changed)
            todo.changed.clear()
    todo.write(session)
    if absent:
        ids |= _add(session, target, tuple(absent.values()), todo, read_at)
    _name(session, target, todo.isins)
    described = [of for of, *_ in todo.described] + todo.met_again
    return Written(ids=ids, moved=todo.moved or bool(described), described=described)


def _add(
    session: Session,
    target: Target,
    positions: Sequence[Position],
    todo: _Differences,
    read_at: datetime,
) -> dict[str, int]:
    """Add holdings; their ids by key."""
    instruments, described = _instruments(session, target, [of.instrument for of in positions])
    todo.met_again += described
    ids = new_ids(session, HOLDINGS, len(positions))
    account, source = target.account.id, target.source
    of = source.manifest.key, source.broker_account
    rows = (
        (row_id, account, instruments[each.instrument.key], *of, read_at, NO_TWIN, *_quoted(each))
        for row_id, each in zip(ids, positions, strict=True)
    )
    insert_rows(session, HOLDINGS, ADDED, rows)
    for each in positions:
        todo.name(instruments[each.instrument.key], each)
    return {each.instrument.key: of for each, of in zip(positions, ids, strict=True)}


def _quoted(of: Position) -> Quoted:
    return Quoted(of.quantity, of.average_price, of.price, of.market_value, of.unrealized_pnl)


def _figures(
    row: StoredHolding, position: Position, target: Target
) -> tuple[Quoted, datetime | None]:
    """What is written of a row that is there: its figures, and the time of a quote that is old.

    Without a quote the last known one stays, with its time; its value follows the quantity.
    """
    if position.price is not None or position.market_value is not None:
        return _quoted(position), None
    before, multiplier = row.figures, row.terms.multiplier
    after = rescaled(before, multiplier, position.quantity, position.average_price)
    return after, _dated(row, target)


def _dated(row: StoredHolding, target: Target) -> datetime | None:
    """The time of a quote that this read does not renew."""
    return quoted_at(row.figures, row.quoted_at, target.account.synced_at)


def _instruments(
    session: Session, target: Target, wanted: Sequence[BrokerInstrument]
) -> tuple[dict[str, int], Sequence[int]]:
    """The ids of instruments by key, and those of the known ones that are described anew."""
    ids, changed, new = dict[str, int](), [], []
    scheme, keys = target.source.manifest.identifier_scheme, [of.key for of in wanted]
    known = instruments_of(session, target.owner_id, scheme, keys)
    for of in wanted:
        row = known.get(of.key)
        if row is None:
            new.append(of)
            continue
        ids[of.key] = row.id
        if (described := _described(of, row.described)) is not row.described:
            changed.append((row.id, *described))
    update_rows(session, INSTRUMENTS, DESCRIBED, changed)
    ids |= _new_instruments(session, target, new)
    return ids, [of for of, *_ in changed]


def _described(of: BrokerInstrument, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """The columns `DESCRIBED`; what the broker leaves out this time is not forgotten.

    It is `before` itself where nothing differs.
    """
    said = _said(of)
    if said == before:
        return before
    known = tuple(old if new is None else new for new, old in zip(said, before, strict=True))
    return before if known == before else known


def _said(of: BrokerInstrument) -> tuple[Any, ...]:
    """The columns `DESCRIBED` as the broker says them."""
    return (
        symbol_of(of),
        of.kind.value,
        of.currency,
        of.multiplier,
        of.expiry,
        of.strike,
        of.right.value if of.right else None,
        of.name[:200] if of.name else None,
        of.exchange[:40] if of.exchange else None,
        of.underlying[:100] if of.underlying else None,
    )


def _new_instruments(
    session: Session, target: Target, new: Sequence[BrokerInstrument]
) -> dict[str, int]:
    """Make instruments; their ids by their keys."""
    manifest, owner = target.source.manifest, target.owner_id
    ids = dict(zip((of.key for of in new), new_ids(session, INSTRUMENTS, len(new)), strict=True))
    made = ((ids[of.key], owner, manifest.key, *_said(of)) for of in new)
    insert_rows(session, INSTRUMENTS, ("id", "owner_id", "source", *DESCRIBED), made)
    scheme = manifest.identifier_scheme
    insert_rows(
        session, IDENTIFIERS, KEYS, ((owner, of, scheme, key, True) for key, of in ids.items())
    )
    return ids


def _name(session: Session, target: Target, told: Mapping[int, str]) -> None:
    """Note the ISIN of instruments that had none."""
    if not told:
        return
    query = select(InstrumentIdentifier.instrument_id).where(
        InstrumentIdentifier.owner_id == target.owner_id, InstrumentIdentifier.scheme == "isin"
    )
    named = set(session.scalars(query))
    new = [
        {"owner_id": target.owner_id, "instrument_id": of, "scheme": "isin", "value": isin}
        for of, isin in told.items()
        if of not in named
    ]
    if new:
        session.execute(insert(InstrumentIdentifier), new)
