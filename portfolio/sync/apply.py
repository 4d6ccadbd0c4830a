"""Writes a snapshot that passed all gates, inside the caller's one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from brokers.types import Instrument as BrokerInstrument
from brokers.types import LedgerRow, Position, Snapshot
from portfolio.accounts.models import (
    NO_TWIN,
    Account,
    AccountTotals,
    CashBalance,
    Holding,
    Instrument,
    InstrumentIdentifier,
    Rate,
)
from portfolio.accounts.services import totals, twins
from portfolio.accounts.services.portfolios import cash_of
from portfolio.clock import Moment
from portfolio.errors import StorageFailed
from portfolio.sync import journal
from portfolio.sync.models import SyncRun
from portfolio.sync.plan import (
    Plan,
    Source,
    Stored,
    StoredHolding,
    snapshot_digest,
    stored_digest,
    symbol_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """The rows kept by hand that a person chose to give up for those of the broker.

    With `only_alike`, only those that look the same as something the broker brings.
    """

    holdings: tuple[int, ...] = ()
    cash: tuple[int, ...] = ()
    only_alike: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a snapshot goes: the account, the source of its rows, the run, and the moment."""

    account: Account
    source: Source
    run: SyncRun
    moment: Moment
    replaced: Replaced

    @property
    def owner_id(self) -> int:
        """Whose instruments and rates are written."""
        return self.account.portfolio.owner_id


def stored_state(session: Session, account: Account, source: Source) -> Stored:
    """What the account holds from this source, as the planner wants it."""
    rows = rows_by_key(session, account, source)
    cash = _cash_rows(session, account, source)
    return Stored(
        holdings=tuple(_stored(key, row) for key, row in rows.items()),
        cash={row.currency: row.amount for row in cash},
    )


def apply(
    session: Session,
    target: Target,
    plan: Plan,
    snapshot: Snapshot,
    *,
    rates: Mapping[str, Decimal],
    keep: frozenset[str] = frozenset(),
) -> str:
    """Bring holdings, cash, rates, totals and the daily value to the snapshot; returns the digest.

    `rates` are those that are believed; the holdings in `keep` stay although they are missing.
    Reads everything back before returning and raises `StorageFailed` if it is not what was read
    at the broker, so that the caller's transaction is rolled back.
    """
    rows = rows_by_key(session, target.account, target.source)
    kept = [_stored(key, row) for key, row in rows.items() if key in keep and _is_open(row)]
    instruments = _instruments(session, target, snapshot.positions)
    moved = _write_holdings(session, target, rows, instruments, snapshot)
    _close_absent(rows, snapshot, keep)
    wrote, spent = _write_cash(session, target, snapshot)
    moved |= wrote
    rated = _write_rates(session, target, snapshot, rates)
    session.flush()
    present = rows_by_key(session, target.account, target.source)
    journal.record(session, target.run.id, target.source, plan, present, spent=spent)
    replaced = _replace(session, target, present)
    target.account.synced_at = snapshot.read_at
    if moved or replaced or plan.steps:
        totals.touch(session, target.account, target.moment)
    if rated:
        totals.rates_changed(session, target.owner_id, target.moment)
    # Descriptions of instruments are in no plan.
    totals.renew_stamp(session, target.owner_id)
    _totals(session, target, snapshot)
    return _read_back(session, target, snapshot_digest(snapshot, kept))


def _is_open(row: Holding) -> bool:
    return row.closed_at is None


def _replace(session: Session, target: Target, present: Mapping[str, Holding]) -> bool:
    """Close the rows kept by hand that the broker's replace; what they said in notes stays."""
    chosen = Holding.account_id == target.account.id, Holding.closed_at.is_(None)
    query = select(Holding).where(*chosen, Holding.id.in_(target.replaced.holdings))
    ours = {twins.likeness(row): row for row in present.values() if _is_open(row)}
    every = not target.replaced.only_alike
    found = session.scalars(query.options(selectinload(Holding.instrument)))
    rows = [row for row in found if every or twins.likeness(row) in ours]
    for row in rows:
        journal.record_closing(session, target.run.id, row)
        row.closed_at, row.twin = target.moment.now, NO_TWIN
        twin = ours.get(twins.likeness(row))
        if twin is not None:
            twins.hand_over(row, twin)
    mine = CashBalance.account_id == target.account.id
    cash = select(CashBalance).where(mine, CashBalance.id.in_(target.replaced.cash))
    synced = {row.currency for row in _cash_rows(session, target.account, target.source)}
    balances = [row for row in session.scalars(cash) if every or row.currency in synced]
    for balance in balances:
        journal.record_spent(session, target.run.id, balance)
        session.delete(balance)
    target.run.closed += len(rows) + len(balances)
    session.flush()
    return bool(rows or balances)


def _cash_rows(session: Session, account: Account, source: Source) -> list[CashBalance]:
    return cash_of(session, account, source.manifest.key, source.broker_account)


def rows_by_key(session: Session, account: Account, source: Source) -> dict[str, Holding]:
    """The holdings of a source in an account, also those no longer held, by instrument key."""
    query = (
        select(InstrumentIdentifier.value, Holding)
        .join(Holding, Holding.instrument_id == InstrumentIdentifier.instrument_id)
        .where(
            Holding.account_id == account.id,
            Holding.source == source.manifest.key,
            Holding.source_account == source.broker_account,
            InstrumentIdentifier.scheme == source.manifest.identifier_scheme,
        )
        .options(selectinload(Holding.instrument))
        .order_by(Holding.id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _stored(key: str, row: Holding) -> StoredHolding:
    of = row.instrument
    return StoredHolding(
        key=key,
        quantity=row.quantity,
        average_price=row.average_price,
        is_open=row.closed_at is None,
        terms={
            "symbol": of.symbol,
            "kind": of.kind,
            "currency": of.currency,
            "multiplier": of.multiplier,
            "expiry": of.expiry,
            "strike": of.strike,
            "right": of.option_right,
        },
        quote=(row.price, row.market_value, row.unrealized_pnl),
    )


def _instruments(
    session: Session, target: Target, positions: Iterable[Position]
) -> dict[str, Instrument]:
    """The stored instrument of each position, made or brought up to date."""
    query = (
        select(InstrumentIdentifier.value, Instrument)
        .join(Instrument)
        .where(
            InstrumentIdentifier.owner_id == target.owner_id,
            InstrumentIdentifier.scheme == target.source.manifest.identifier_scheme,
            InstrumentIdentifier.is_key,
        )
        .options(selectinload(Instrument.identifiers))
    )
    known: dict[str, Instrument] = {row[0]: row[1] for row in session.execute(query)}
    for position in positions:
        of = position.instrument
        if of.key not in known:
            known[of.key] = _new_instrument(target, of)
            session.add(known[of.key])
        _describe(known[of.key], of)
    session.flush()
    return known


def _new_instrument(target: Target, of: BrokerInstrument) -> Instrument:
    manifest = target.source.manifest
    key = InstrumentIdentifier(
        owner_id=target.owner_id,
        scheme=manifest.identifier_scheme,
        value=of.key,
        is_key=True,
    )
    return Instrument(owner_id=target.owner_id, source=manifest.key, identifiers=[key])


def _describe(row: Instrument, of: BrokerInstrument) -> None:
    row.symbol, row.kind, row.currency = symbol_of(of), of.kind.value, of.currency
    row.multiplier = of.multiplier
    described = {
        "name": of.name[:200] if of.name else None,
        "exchange": of.exchange[:40] if of.exchange else None,
        "expiry": of.expiry,
        "strike": of.strike,
        "option_right": of.right.value if of.right else None,
        "underlying": of.underlying[:100] if of.underlying else None,
    }
    # What the broker leaves out this time is not forgotten.
    for name, value in described.items():
        if value is not None:
            setattr(row, name, value)
    held = {identifier.scheme for identifier in row.identifiers}
    if of.isin and "isin" not in held:
        row.identifiers.append(
            InstrumentIdentifier(owner_id=row.owner_id, scheme="isin", value=of.isin)
        )


def _write_holdings(
    session: Session,
    target: Target,
    rows: Mapping[str, Holding],
    instruments: Mapping[str, Instrument],
    snapshot: Snapshot,
) -> bool:
    moved = False
    for position in snapshot.positions:
        row = rows.get(position.instrument.key)
        if row is None:
            row = Holding(
                account_id=target.account.id,
                instrument=instruments[position.instrument.key],
                source=target.source.manifest.key,
                source_account=target.source.broker_account,
                opened_at=snapshot.read_at,
            )
            session.add(row)
        elif row.closed_at is not None:
            row.opened_at, row.closed_at = snapshot.read_at, None
        quoted = position.price is not None or position.market_value is not None
        if not quoted:
            # The last known quote stays, with its time; its value follows the quantity.
            journal.rescale(row, position.quantity, position.average_price)
        moved |= _set(row, _position_fields(position) | (_quote(position) if quoted else {}))
        row.quoted_at = snapshot.read_at if quoted else row.quoted_at
    return moved


def _position_fields(position: Position) -> dict[str, Decimal | None]:
    return {"quantity": position.quantity, "average_price": position.average_price}


def _quote(position: Position) -> dict[str, Decimal | None]:
    return {
        "price": position.price,
        "market_value": position.market_value,
        "unrealized_pnl": position.unrealized_pnl,
    }


def _set(row: object, values: Mapping[str, object]) -> bool:
    """Set the fields that differ; whether any did."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def _close_absent(rows: Mapping[str, Holding], snapshot: Snapshot, keep: frozenset[str]) -> None:
    held = {position.instrument.key for position in snapshot.positions} | keep
    for key, row in rows.items():
        if key not in held and row.closed_at is None:
            row.closed_at = snapshot.read_at


def _write_cash(
    session: Session, target: Target, snapshot: Snapshot
) -> tuple[bool, dict[str, dict[str, Any]]]:
    """Write the cash; whether what stays moved, and what was beside the amounts that are gone."""
    account, source = target.account, target.source
    rows = {row.currency: row for row in _cash_rows(session, account, source)}
    moved = False
    for line in snapshot.ledger.rows:
        row = rows.pop(line.currency, None)
        if row is None:
            row = CashBalance(
                account_id=account.id,
                currency=line.currency,
                source=source.manifest.key,
                source_account=source.broker_account,
            )
            session.add(row)
        moved |= _set(row, _cash_fields(line))
    spent = {currency: journal.beside(row) for currency, row in rows.items()}
    for row in rows.values():
        session.delete(row)
    return moved, spent


def _cash_fields(line: LedgerRow) -> dict[str, Decimal | None]:
    return {
        "amount": line.cash,
        "settled": line.settled_cash,
        "accrued_interest": line.accrued_interest,
        "accrued_dividends": line.accrued_dividends,
    }


def _write_rates(
    session: Session, target: Target, snapshot: Snapshot, believed: Mapping[str, Decimal]
) -> bool:
    base, source = snapshot.ledger.base_currency, target.source.manifest.key
    today = (
        Rate.owner_id == target.owner_id,
        Rate.to_currency == base,
        Rate.day == target.moment.day,
    )
    query = select(Rate).where(*today, Rate.source == source)
    rows = {row.from_currency: row for row in session.scalars(query)}
    moved = False
    for currency, value in believed.items():
        if currency == base:
            continue
        row = rows.get(currency)
        if row is None:
            row = Rate(
                owner_id=target.owner_id,
                from_currency=currency,
                to_currency=base,
                day=target.moment.day,
                source=source,
            )
            session.add(row)
        if _set(row, {"value": value}):
            row.read_at, moved = snapshot.read_at, True
    return moved


def _totals(session: Session, target: Target, snapshot: Snapshot) -> None:
    """The broker's own total beside ours, and today's value, which each good read renews."""
    query = select(AccountTotals).where(AccountTotals.account_id == target.account.id)
    row = session.scalar(query) or totals.touch(session, target.account, target.moment)
    row.broker_net_liquidation = snapshot.ledger.total.net_liquidation
    row.broker_currency = snapshot.ledger.base_currency
    totals.daily_value(session, row, target.moment)


def _read_back(session: Session, target: Target, expected: str) -> str:
    session.flush()
    session.expire_all()
    written = stored_digest(stored_state(session, target.account, target.source))
    if written != expected:
        raise StorageFailed("The database did not keep what was read; nothing was changed.")
    return written
