"""Writes the holdings of a snapshot and their instruments: only what differs, many at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from brokers.types import Instrument as BrokerInstrument
from brokers.types import Position, Snapshot
from portfolio.accounts.models import Holding, Instrument, InstrumentIdentifier
from portfolio.accounts.quotes import Quoted, quoted_at, rescaled
from portfolio.db.batches import batches, insert_plain
from portfolio.db.session import streamed
from portfolio.sync.lease import LeaseLost
from portfolio.sync.plan import Plan, Stored, StoredHolding, symbol_of
from portfolio.sync.rows import (
    DESCRIBED,
    StoredInstrument,
    StoredRow,
    from_source,
    instruments_of,
    rows_of,
)
from portfolio.sync.target import Target

Values = dict[str, Any]
HOLDINGS = Holding.metadata.tables[Holding.__tablename__]
INSTRUMENTS = Holding.metadata.tables[Instrument.__tablename__]
IDENTIFIERS = Holding.metadata.tables[InstrumentIdentifier.__tablename__]
KEYS = ("owner_id", "instrument_id", "scheme", "value", "is_key")
# SQLite keeps a megabyte for a statement of a thousand rows, for as long as the connection lives.
MANY_INSTRUMENTS = {"insertmanyvalues_page_size": 500}
NOTHING = (None,) * len(DESCRIBED)


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
    """What has to be written of the rows that are there, by the statement that does it."""

    described: list[Values] = field(default_factory=list)
    changed: list[Values] = field(default_factory=list)
    opened: list[Values] = field(default_factory=list)
    closed: list[Values] = field(default_factory=list)
    kept: list[Values] = field(default_factory=list)
    isins: dict[int, str] = field(default_factory=dict)
    moved: bool = False
    # Instruments of others' holdings, known before this account had them.
    met_again: list[int] = field(default_factory=list)

    def bring(self, row: StoredRow, position: Position, target: Target, read_at: datetime) -> None:
        """Note what differs between a row and its position."""
        described = _described(position.instrument, row.instrument.described)
        if described is not row.instrument.described:
            self.described.append({"id": row.instrument.id, **_columns(described)})
            self.moved = True
        self.name(row.instrument.id, position)
        figures, since = _figures(row, position, target)
        moves = figures != row.figures
        self.moved |= moves
        if not row.holding.is_open:
            again = {"opened_at": read_at, "closed_at": None}
            self.opened.append({"id": row.id, **figures._asdict(), "quoted_at": since, **again})
        elif moves or since != row.quoted_at:
            self.changed.append({"id": row.id, **figures._asdict(), "quoted_at": since})

    def name(self, instrument_id: int, position: Position) -> None:
        """Note the ISIN of an instrument, where the broker says it."""
        if position.instrument.isin:
            self.isins[instrument_id] = position.instrument.isin

    def write(self, session: Session) -> None:
        """Write it, many rows at a time."""
        for some in batches(self.described):
            session.execute(update(Instrument), some)
        for rows in (self.changed, self.opened, self.closed, self.kept):
            for some in batches(rows):
                session.execute(update(Holding), some)


def write_holdings(
    session: Session,
    target: Target,
    plan: Plan,
    snapshot: Snapshot,
    *,
    before: Stored,
    keep: frozenset[str],
) -> Written:
    """Bring the rows of a source to the snapshot; the holdings in `keep` stay.

    `LeaseLost` where the rows are not those that the plan starts from.
    """
    absent = {position.instrument.key: position for position in snapshot.positions}
    expected = {row.key: row for row in before.holdings}
    planned = {step.key for step in plan.steps if isinstance(step.old, StoredHolding)}
    ids, todo, read_at = dict[str, int](), _Differences(), snapshot.read_at
    with closing(rows_of(session, target.account, target.source)) as rows:
        for row in rows:
            key = row.holding.key
            if expected.pop(key, None) != row.holding:
                raise LeaseLost(target.run.id)
            if key in planned:
                ids[key] = row.id
            position = absent.pop(key, None)
            if position is not None:
                todo.bring(row, position, target, read_at)
            elif key in keep:
                todo.kept += [] if row.quoted_at else [_dated(row, target)]
            elif row.holding.is_open:
                todo.closed.append({**_dated(row, target), "closed_at": read_at})
    if expected:
        raise LeaseLost(target.run.id)
    todo.write(session)
    if absent:
        ids |= _add(session, target, tuple(absent.values()), todo, read_at)
    _name(session, target, todo.isins)
    described = [values["id"] for values in todo.described] + todo.met_again
    return Written(ids=ids, moved=todo.moved or bool(described), described=described)


def _add(
    session: Session,
    target: Target,
    positions: Sequence[Position],
    todo: _Differences,
    read_at: datetime,
) -> dict[str, int]:
    """Add holdings; their ids by key."""
    instruments: dict[str, int] = {}
    scheme, keys = target.source.manifest.identifier_scheme, [p.instrument.key for p in positions]
    # Before the first is added: PostgreSQL, whose statistics know nothing of what is being added,
    # would look for each thousand among all that came before.
    known = instruments_of(session, target.owner_id, scheme, keys)
    for some in batches(positions):
        ids, described = _write_instruments(session, target, some, known)
        todo.met_again += described
        for position in some:
            todo.name(ids[position.instrument.key], position)
        values = [_new_row(target, ids[p.instrument.key], p, read_at) for p in some]
        session.execute(insert(HOLDINGS), values)
        instruments |= ids
    made = select(Holding.instrument_id, Holding.id).where(
        *from_source(target.account, target.source),
        *(Holding.closed_at.is_(None), Holding.opened_at == read_at),
    )
    holdings: dict[int, int] = dict(map(tuple, streamed(session, made)))
    return {key: holdings[of] for key, of in instruments.items()}


def _new_row(target: Target, instrument_id: int, position: Position, read_at: datetime) -> Values:
    return {
        "account_id": target.account.id,
        "instrument_id": instrument_id,
        "source": target.source.manifest.key,
        "source_account": target.source.broker_account,
        "opened_at": read_at,
        **_quoted(position)._asdict(),
    }


def _quoted(of: Position) -> Quoted:
    return Quoted(of.quantity, of.average_price, of.price, of.market_value, of.unrealized_pnl)


def _figures(row: StoredRow, position: Position, target: Target) -> tuple[Quoted, datetime | None]:
    """What is written of a row that is there: its figures, and the time of a quote that is old.

    Without a quote the last known one stays, with its time; its value follows the quantity.
    """
    if position.price is not None or position.market_value is not None:
        return _quoted(position), None
    before, multiplier = row.figures, row.instrument.multiplier
    after = rescaled(before, multiplier, position.quantity, position.average_price)
    return after, _dated(row, target)["quoted_at"]


def _dated(row: StoredRow, target: Target) -> Values:
    """The time of a quote that this read does not renew."""
    read_at = target.account.synced_at
    return {"id": row.id, "quoted_at": quoted_at(row.figures, row.quoted_at, read_at)}


def _write_instruments(
    session: Session,
    target: Target,
    positions: Sequence[Position],
    known: Mapping[str, StoredInstrument],
) -> tuple[dict[str, int], Sequence[int]]:
    """The id of each position's instrument, and of those that were brought up to date."""
    ids, changed, new = dict[str, int](), [], []
    for position in positions:
        row, of = known.get(position.instrument.key), position.instrument
        if row is None:
            new.append(of)
            continue
        ids[of.key] = row.id
        if (described := _described(of, row.described)) is not row.described:
            changed.append({"id": row.id, **_columns(described)})
    if changed:
        session.execute(update(Instrument), changed)
    made = _new_instruments(session, target, new)
    return ids | made, [values["id"] for values in changed]


def _columns(described: tuple[Any, ...]) -> Values:
    return dict(zip(DESCRIBED, described, strict=True))


def _described(of: BrokerInstrument, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """The columns `DESCRIBED`; what the broker leaves out this time is not forgotten.

    It is `before` itself where nothing differs.
    """
    said = (
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
    if said == before:
        return before
    known = tuple(old if new is None else new for new, old in zip(said, before, strict=True))
    return before if known == before else known


def _new_instruments(
    session: Session, target: Target, new: Sequence[BrokerInstrument]
) -> dict[str, int]:
    """Make instruments; their ids by their keys."""
    if not new:
        return {}
    manifest, owner = target.source.manifest, target.owner_id
    described = [_described(of, NOTHING) for of in new]
    values = [{"owner_id": owner, "source": manifest.key, **_columns(each)} for each in described]
    made = insert(INSTRUMENTS).returning(
        INSTRUMENTS.c.id, *(INSTRUMENTS.c[of] for of in DESCRIBED)
    )
    # What comes back is in no order; of two that are described alike, either will do.
    free: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for of, *columns in session.execute(made, values, execution_options=MANY_INSTRUMENTS):
        free[tuple(columns)].append(of)
    ids = {of.key: free[each].pop() for of, each in zip(new, described, strict=True)}
    scheme = manifest.identifier_scheme
    keys = ((owner, of, scheme, key, True) for key, of in ids.items())
    insert_plain(session, IDENTIFIERS, KEYS, keys)
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
