"""From what is stored and what was read to what would change; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from brokers.contract import Manifest
from brokers.types import Instrument, Position, Snapshot
from portfolio.accounts.names import called
from portfolio.accounts.quotes import Quoted
from portfolio.db.base import canonical
from portfolio.db.batches import BATCH

# A longer one is cut everywhere alike, so that it is no change at each sync.
LONGEST_SYMBOL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows come from: a broker, and one account there."""

    manifest: Manifest
    broker_account: str


class Terms(NamedTuple):
    """The terms that decide what is held; a name is a description and not among them."""

    symbol: str
    kind: str
    currency: str
    multiplier: Decimal
    expiry: date | None
    strike: Decimal | None
    right: str | None


# The fields of a holding that must be as they were read: key, quantity, average price, currency.
PositionRow = tuple[str, Decimal, Decimal | None, str]
# What is recorded beside the quantity of a holding that is added.
BESIDE = ("average_price", *Terms._fields)


class StoredHolding(msgspec.Struct, frozen=True, gc=False):
    """A holding of this connection as the database has it; `is_open` is whether it is held.

    What follows its figures tells the writer which rows these are, and what else they say.
    """

    key: str
    quantity: Decimal
    average_price: Decimal | None
    is_open: bool
    terms: Terms
    price: Decimal | None
    market_value: Decimal | None
    unrealized_pnl: Decimal | None
    name: str | None = None
    exchange: str | None = None
    underlying: str | None = None
    id: int = 0
    instrument_id: int = 0
    quoted_at: datetime | None = None

    @property
    def figures(self) -> Quoted:
        """Its figures as they are stored."""
        return Quoted(self.quantity, self.average_price, *self.quote)

    @property
    def quote(self) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        """Its price, its market value and its unrealised profit."""
        return self.price, self.market_value, self.unrealized_pnl

    @property
    def label(self) -> str:
        """How people call it."""
        return _called(self.terms)

    @property
    def kind(self) -> str:
        """What sort of instrument it is."""
        return self.terms.kind

    @property
    def currency(self) -> str:
        """The currency of its figures."""
        return self.terms.currency

    @property
    def expiry(self) -> date | None:
        """When it ceases to exist, or None."""
        return self.terms.expiry


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """All that a sync of one account compares with, as it was under the owner's `stamp`.

    `as_read` has by key the positions that are stored as they are, in all that is written of them:
    who meets the very same one need not compare it field by field again.
    """

    holdings: tuple[StoredHolding, ...]
    cash: Mapping[str, Decimal]
    stamp: str | None = field(default=None, compare=False)
    as_read: Mapping[str, Position] = field(default_factory=dict, compare=False)

    def has(self, position: Position) -> bool:
        """Whether this very position is stored as it is."""
        return self.as_read.get(position.instrument.key) is position


class FieldChange(NamedTuple):
    """One position field, old to new, as text; None where there was or will be nothing."""

    field: str
    old: str | None
    new: str | None


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What happens to one holding (`subject` "holding", by key) or one currency ("cash").

    `old` is what is stored and `new` what was read; None where there is or will be nothing.
    """

    subject: str
    key: str
    label: str
    action: str
    old: StoredHolding | Decimal | None
    new: Position | Decimal | None

    @property
    def changes(self) -> tuple[FieldChange, ...]:
        """Field by field; of a holding that comes or goes its quantity, which stands for all.

        Worked out when it is asked for, as a first run has thousands.
        """
        old, new = self.old, self.new
        if not isinstance(old, StoredHolding) and not isinstance(new, Position):
            return _differences({"amount": old}, {"amount": new})
        held = old if isinstance(old, StoredHolding) and old.is_open else None
        read = new if isinstance(new, Position) else None
        if held is not None and read is not None:
            return _holding_changes(held, read)
        before = None if held is None else canonical(held.quantity)
        after = None if read is None else canonical(read.quantity)
        return (FieldChange("quantity", before, after),)

    @property
    def beside(self) -> dict[str, str] | None:
        """What a holding that is added came with beside its quantity, as text."""
        if self.action != "added" or not isinstance(self.new, Position):
            return None
        fields = _beside(self.old if isinstance(self.old, StoredHolding) else None, self.new)
        return {name: _text(of) for name, of in zip(BESIDE, fields, strict=True) if of is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps of a run, and how many rows stay or only get a new price."""

    steps: tuple[Step, ...]
    unchanged: int
    repriced: int

    def count(self, action: str) -> int:
        """How many rows would be added, changed or closed."""
        return sum(step.action == action for step in self.steps)

    @property
    def closed(self) -> tuple[StoredHolding, ...]:
        """The holdings that would be no longer held."""
        gone = (step.old for step in self.steps if step.action == "closed")
        return tuple(row for row in gone if isinstance(row, StoredHolding))


def make_plan(stored: Stored, snapshot: Snapshot, keep: frozenset[str] = frozenset()) -> Plan:
    """What a snapshot would change; the holdings in `keep` stay although they are missing."""
    before = {row.key: row for row in stored.holdings}
    after = {position.instrument.key: position for position in snapshot.positions}
    # That nothing differs is the usual case by far, told as quickly as it can be.
    moving = {key: position for key, position in after.items() if not stored.has(position)}
    steps = [_holding_step(before.get(key), position) for key, position in moving.items()]
    missing = [row for row in stored.holdings if row.is_open and row.key not in after]
    steps += [_closing(row) for row in missing if row.key not in keep]
    steps += _cash_steps(stored.cash, {row.currency: row.cash for row in snapshot.ledger.rows})
    changing = tuple(step for step in steps if step is not None)
    return Plan(
        steps=changing,
        unchanged=len(after) - len(moving) + len(steps) - len(changing),
        repriced=sum(_repriced(before.get(key), position) for key, position in moving.items()),
    )


def terms_of(instrument: Instrument) -> Terms:
    """The terms of what a broker says is held."""
    return Terms(
        symbol_of(instrument),
        instrument.kind,
        instrument.currency,
        instrument.multiplier,
        instrument.expiry,
        instrument.strike,
        instrument.right,
    )


def symbol_of(instrument: Instrument) -> str:
    """How an instrument is called here."""
    return instrument.symbol[:LONGEST_SYMBOL]


def _called(terms: Terms) -> str:
    return called(terms.symbol, terms.expiry, terms.strike, terms.right)


def _holding_step(row: StoredHolding | None, position: Position) -> Step | None:
    instrument, terms = position.instrument, terms_of(position.instrument)
    held = row if row is not None and row.is_open else None
    if held and (_is_same(held, position, terms) or not _holding_changes(held, position)):
        return None
    return Step(
        subject="holding",
        key=instrument.key,
        label=_called(terms if held is None else Terms(*_beside(held, position)[1:])),
        action="changed" if held else "added",
        old=row,
        new=position,
    )


def _holding_changes(row: StoredHolding, position: Position) -> tuple[FieldChange, ...]:
    """Field by field, of a holding that stays."""
    return _differences(
        {"quantity": row.quantity, "average_price": row.average_price, **row.terms._asdict()},
        {"quantity": position.quantity, **dict(zip(BESIDE, _beside(row, position), strict=True))},
    )


def _is_same(row: StoredHolding, position: Position, terms: Terms) -> bool:
    return (
        row.quantity == position.quantity
        and row.average_price == position.average_price
        and row.terms == terms
    )


def _beside(row: StoredHolding | None, position: Position) -> tuple[Any, ...]:
    """The fields `BESIDE` the quantity; a term that the broker left out keeps what is stored."""
    terms: tuple[Any, ...] = terms_of(position.instrument)
    if row is not None and None in terms:
        terms = tuple(
            old if new is None else new for old, new in zip(row.terms, terms, strict=True)
        )
    return (position.average_price, *terms)


def _closing(row: StoredHolding) -> Step:
    return Step(
        subject="holding", key=row.key, label=row.label, action="closed", old=row, new=None
    )


def _cash_steps(
    before: Mapping[str, Decimal], after: Mapping[str, Decimal]
) -> Iterable[Step | None]:
    for currency in sorted(before.keys() | after.keys()):
        old, new = before.get(currency), after.get(currency)
        action = "added" if old is None else "closed" if new is None else "changed"
        yield (
            None
            if old == new
            else Step(
                subject="cash", key=currency, label=currency, action=action, old=old, new=new
            )
        )


def _differences(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(name, as_text(before), as_text(value))
        for name, value in new.items()
        if (before := old.get(name)) != value
    )


def as_text(value: object) -> str | None:
    """A field as the journal writes it."""
    return None if value is None else _text(value)


def _text(value: object) -> str:
    return canonical(value) if isinstance(value, Decimal) else str(value)


def _repriced(row: StoredHolding | None, position: Position) -> bool:
    if row is None or not row.is_open:
        return False
    quote = (position.price, position.market_value, position.unrealized_pnl)
    # Without any, the last known one stays.
    return row.quote != quote and any(figure is not None for figure in quote)


def digest(rows: Iterable[PositionRow], cash: Mapping[str, Decimal]) -> str:
    """One comparable line for the position fields of an account and its cash."""
    keyed = [
        (key, f"{key}|{canonical(held)}|{'-' if cost is None else canonical(cost)}|{currency}")
        for key, held, cost, currency in rows
    ]
    keyed.sort(key=itemgetter(0))
    lines = [line for _, line in keyed]
    lines += [f"{currency}={canonical(amount)}" for currency, amount in sorted(cash.items())]
    found = sha256()
    # Of thousands, the whole text would be a megabyte, twice.
    for start in range(0, len(lines), BATCH):
        found.update(("\n" * (start > 0) + "\n".join(lines[start : start + BATCH])).encode())
    return found.hexdigest()


def position_row(of: Position | StoredHolding) -> PositionRow:
    """The fields of a holding that must be as they were read."""
    if isinstance(of, StoredHolding):
        return of.key, of.quantity, of.average_price, of.currency
    return of.instrument.key, of.quantity, of.average_price, of.instrument.currency


def snapshot_digest(snapshot: Snapshot, kept: Iterable[StoredHolding] = ()) -> str:
    """The digest that the database must have once a snapshot is applied; `kept` rows stay."""
    held: tuple[Position | StoredHolding, ...] = (*snapshot.positions, *kept)
    return digest((position_row(of) for of in held), expected_cash(snapshot))


def expected_cash(snapshot: Snapshot) -> dict[str, Decimal]:
    """The cash that the database must have then."""
    return {row.currency: row.cash for row in snapshot.ledger.rows}


def stored_digest(stored: Stored) -> str:
    """The digest of what is stored."""
    return digest((position_row(row) for row in stored.holdings if row.is_open), stored.cash)
