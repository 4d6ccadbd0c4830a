"""Writes the holdings of a snapshot and their instruments: only what differs, many at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from brokers.types import Instrument as BrokerInstrument
from brokers.types import Position, Snapshot
from portfolio.accounts.models import Holding, Instrument, InstrumentIdentifier
from portfolio.accounts.quotes import Quoted, quoted_at, rescaled
from portfolio.sync.plan import symbol_of
from portfolio.sync.rows import (
    DESCRIBED,
    FIGURES,
    INSTRUMENT,
    StoredRow,
    instruments_of,
)
from portfolio.sync.target import Target

Values = dict[str, Any]
# Else rows that differ in what is not known would be written one by one.
WITH_NULLS = {"render_nulls": True}
NOTHING = (None,) * len(DESCRIBED)


class Written(NamedTuple):
    """What `write_holdings` did: the ids of all holdings of the source by instrument key.

    `moved` is whether anything that is shown has moved, descriptions included, which are in no
    plan; `described` are the instruments that are described otherwise than before.
    """

    ids: dict[str, int]
    moved: bool
    described: Sequence[int]


def write_holdings(
    session: Session,
    target: Target,
    rows: Mapping[str, StoredRow],
    snapshot: Snapshot,
    keep: frozenset[str],
) -> Written:
    """Bring the rows of a source to the snapshot; the holdings in `keep` stay."""
    instruments, described = _write_instruments(session, target, rows, snapshot.positions)
    new: dict[int, str] = {}
    added, changed, opened, moved = [], [], [], False
    for position in snapshot.positions:
        key = position.instrument.key
        row = rows.get(key)
        if row is None:
            new[instruments[key]] = key
            added.append(_new_row(target, instruments[key], position, snapshot))
            continue
        figures, since = _figures(row, position, target)
        moves = figures != row.figures
        moved |= moves
        values = {"id": row.id, **figures._asdict(), "quoted_at": since}
        if not row.holding.is_open:
            opened.append({**values, "opened_at": snapshot.read_at, "closed_at": None})
        elif moves or since != row.quoted_at:
            changed.append(values)
    held = {position.instrument.key for position in snapshot.positions} | keep
    absent = [row for key, row in rows.items() if key not in held and row.holding.is_open]
    closed = [{**_dated(row, target), "closed_at": snapshot.read_at} for row in absent]
    kept = [_dated(row, target) for key, row in rows.items() if key in keep and not row.quoted_at]
    for some in (changed, opened, closed, kept):
        if some:
            session.execute(update(Holding), some)
    ids = {key: row.id for key, row in rows.items()}
    if added:
        made = insert(Holding).returning(Holding.instrument_id, Holding.id)
        ids |= {
            new[of]: holding_id
            for of, holding_id in session.execute(made, added, execution_options=WITH_NULLS)
        }
    return Written(ids, moved or bool(described), described)


def _new_row(target: Target, instrument_id: int, position: Position, snapshot: Snapshot) -> Values:
    return {
        "account_id": target.account.id,
        "instrument_id": instrument_id,
        "source": target.source.manifest.key,
        "source_account": target.source.broker_account,
        "opened_at": snapshot.read_at,
        **{name: getattr(position, name) for name in FIGURES},
    }


def _figures(row: StoredRow, position: Position, target: Target) -> tuple[Quoted, datetime | None]:
    """What is written of a row that is there: its figures, and the time of a quote that is old.

    Without a quote the last known one stays, with its time; its value follows the quantity.
    """
    if position.price is not None or position.market_value is not None:
        return Quoted(*(getattr(position, name) for name in FIGURES)), None
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
    rows: Mapping[str, StoredRow],
    positions: Sequence[Position],
) -> tuple[dict[str, int], Sequence[int]]:
    """The id of each position's instrument, and of those that were brought up to date."""
    scheme = target.source.manifest.identifier_scheme
    known = {key: row.instrument for key, row in rows.items()}
    absent = [p.instrument.key for p in positions if p.instrument.key not in known]
    known |= instruments_of(session, target.owner_id, scheme, absent)
    changed, new = [], []
    for position in positions:
        row, of = known.get(position.instrument.key), position.instrument
        if row is None:
            new.append(of)
        elif (described := _described(of, row.described)) != row.described:
            changed.append({"id": row.id, **_columns(described)})
    if changed:
        session.execute(update(Instrument), changed)
    ids = {key: row.id for key, row in known.items()} | _new_instruments(session, target, new)
    _name(session, target, {ids[p.instrument.key]: p.instrument for p in positions})
    return ids, [values["id"] for values in changed]


def _columns(described: tuple[Any, ...]) -> Values:
    return dict(zip(DESCRIBED, described, strict=True))


def _described(of: BrokerInstrument, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """The columns `DESCRIBED`; what the broker leaves out this time is not forgotten."""
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
    return tuple(old if new is None else new for new, old in zip(said, before, strict=True))


def _new_instruments(
    session: Session, target: Target, new: Sequence[BrokerInstrument]
) -> dict[str, int]:
    """Make instruments; their ids by their keys."""
    if not new:
        return {}
    manifest, owner = target.source.manifest, target.owner_id
    described = [_described(of, NOTHING) for of in new]
    values = [{"owner_id": owner, "source": manifest.key, **_columns(each)} for each in described]
    made = insert(Instrument).returning(Instrument.id, *INSTRUMENT)
    # What comes back is in no order; of two that are described alike, either will do.
    free: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for of, *columns in session.execute(made, values, execution_options=WITH_NULLS):
        free[tuple(columns)].append(of)
    ids = {of.key: free[each].pop() for of, each in zip(new, described, strict=True)}
    keys = [
        {"owner_id": owner, "instrument_id": of, "scheme": manifest.identifier_scheme}
        | {"value": key, "is_key": True}
        for key, of in ids.items()
    ]
    session.execute(insert(InstrumentIdentifier), keys)
    return ids


def _name(session: Session, target: Target, held: Mapping[int, BrokerInstrument]) -> None:
    """Note the ISIN of instruments that had none."""
    told = {of: instrument.isin for of, instrument in held.items() if instrument.isin}
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
