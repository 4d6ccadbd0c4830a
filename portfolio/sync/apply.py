"""Writes a snapshot that passed all gates, inside the caller's one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

from brokers.types import LedgerRow, Position, Snapshot, ValueClass
from portfolio.accounts.models import NO_TWIN, AccountTotals, CashBalance, Holding, Rate
from portfolio.accounts.queries.twins import likeness
from portfolio.accounts.services import totals, twins
from portfolio.db.batches import batches
from portfolio.errors import StorageFailed
from portfolio.sync import journal
from portfolio.sync.lease import LeaseLost
from portfolio.sync.plan import (
    Plan,
    Stored,
    StoredHolding,
    expected_cash,
    position_row,
    snapshot_digest,
)
from portfolio.sync.rows import amounts, cash_rows, is_still, position_rows
from portfolio.sync.target import Target
from portfolio.sync.writing import write_holdings

NOT_KEPT = "The database did not keep what was read; nothing was changed."


def apply(
    session: Session,
    target: Target,
    plan: Plan,
    snapshot: Snapshot,
    *,
    before: Stored,
    rates: Mapping[str, Decimal],
    keep: frozenset[str] = frozenset(),
) -> str:
    """Bring holdings, cash, rates, totals and the daily value to the snapshot; returns the digest.

    `before` is the state that the plan starts from, else `LeaseLost`; `rates` are those that are
    believed; the holdings in `keep` stay although they are missing. Reads everything back before
    returning and raises `StorageFailed` if it is not what was read at the broker, so that the
    caller's transaction is rolled back.
    """
    if not is_still(session, target.account, target.source, before):
        raise LeaseLost(target.run.id)
    written = write_holdings(session, target, plan, snapshot, before=before, keep=keep)
    moved, beside = _write_cash(session, target, snapshot)
    moved |= written.moved
    rated = _write_rates(session, target, snapshot, rates)
    session.flush()
    journal.record(session, target.run.id, target.source, plan, written.ids, beside=beside)
    replaced, first = _replace(session, target), target.account.unread
    target.account.synced_at = snapshot.read_at
    if plan.steps or replaced or first:
        twins.mark(session, target.owner_id)
    # After the first read it is known even that there is nothing.
    changed = moved or replaced or first or bool(plan.steps)
    target.account.revision += changed
    if rated:
        # Those of all accounts, this one among them.
        totals.rates_changed(session, target.owner_id, target.moment)
    elif changed:
        totals.renew(session, target.account, target.moment)
    totals.instruments_changed(session, written.described, target.account, target.moment)
    _totals(session, target, snapshot)
    kept = [row for row in before.holdings if row.key in keep and row.is_open]
    _read_back(session, target, snapshot, kept)
    # Without a step, what is stored is what was stored.
    return (None if plan.steps else target.run.digest_before) or snapshot_digest(snapshot, kept)


def _replace(session: Session, target: Target) -> bool:
    """Close the rows kept by hand that the broker's replace; what they said in notes stays."""
    if not target.replaced.holdings and not target.replaced.cash:
        return False
    chosen = Holding.account_id == target.account.id, Holding.closed_at.is_(None)
    query = select(Holding).where(*chosen).options(joinedload(Holding.instrument))
    ours = {likeness(row.instrument): row for row in _brought(session, target)}
    every = not target.replaced.only_alike
    found = [
        row
        for some in batches(target.replaced.holdings)
        for row in session.scalars(query.where(Holding.id.in_(some)))
    ]
    rows = [row for row in found if every or likeness(row.instrument) in ours]
    for row in rows:
        journal.record_closing(session, target.run.id, row)
        row.closed_at, row.twin = target.moment.now, NO_TWIN
        twin = ours.get(likeness(row.instrument))
        if twin is not None:
            twins.hand_over(row, twin)
    mine = CashBalance.account_id == target.account.id
    cash = select(CashBalance).where(mine, CashBalance.id.in_(target.replaced.cash))
    synced = {row.currency for row in cash_rows(session, target.account, target.source)}
    balances = [row for row in session.scalars(cash) if every or row.currency in synced]
    for balance in balances:
        journal.record_spent(session, target.run.id, balance)
        session.delete(balance)
    target.run.closed += len(rows) + len(balances)
    session.flush()
    return bool(rows or balances)


def _brought(session: Session, target: Target) -> Iterable[Holding]:
    """The rows of the broker that are held now."""
    query = (
        select(Holding)
        .join(Holding.instrument)
        .options(contains_eager(Holding.instrument))
        .where(
            Holding.account_id == target.account.id,
            Holding.source == target.source.manifest.key,
            Holding.source_account == target.source.broker_account,
            Holding.closed_at.is_(None),
        )
    )
    return session.scalars(query.order_by(Holding.id))


def _write_cash(
    session: Session, target: Target, snapshot: Snapshot
) -> tuple[bool, dict[str, dict[str, Any]]]:
    """Write the cash; whether what stays moved, and what was beside the amounts that did."""
    account, source = target.account, target.source
    rows = {row.currency: row for row in cash_rows(session, account, source)}
    moved, beside = False, {}
    for line in snapshot.ledger.rows:
        row, before = rows.pop(line.currency, None), None
        if row is None:
            row = CashBalance(
                account_id=account.id,
                currency=line.currency,
                source=source.manifest.key,
                source_account=source.broker_account,
            )
            session.add(row)
        elif row.amount != line.cash:
            before = journal.beside(row)
        moved |= _set(row, _cash_fields(line, target))
        if before is not None:
            beside[line.currency] = journal.with_left(before, row)
    for row in rows.values():
        beside[row.currency] = journal.beside(row)
        session.delete(row)
    return moved, beside


def _set(row: object, values: Mapping[str, object]) -> bool:
    """Set the fields that differ; whether any did."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def _cash_fields(line: LedgerRow, target: Target) -> dict[str, Decimal | None]:
    profit = line.values.get(ValueClass.FUTURES_PNL)
    return {
        "amount": line.cash,
        "settled": line.settled_cash,
        "accrued_interest": line.accrued_interest,
        "accrued_dividends": line.accrued_dividends,
        "futures_pnl": profit if target.futures_profit_counts else None,
    }


def _write_rates(
    session: Session, target: Target, snapshot: Snapshot, believed: Mapping[str, Decimal]
) -> bool:
    base, source = snapshot.ledger.base_currency, target.source.manifest.key
    of_day = (
        Rate.owner_id == target.owner_id,
        Rate.to_currency == base,
        Rate.day == target.rated_on,
    )
    query = select(Rate).where(*of_day, Rate.source == source)
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
                day=target.rated_on,
                source=source,
            )
            session.add(row)
        elif row.read_at > snapshot.read_at:
            # Another account has brought a newer one while somebody decided upon this one.
            continue
        if _set(row, {"value": value}):
            row.read_at, moved = snapshot.read_at, True
    return moved


def _totals(session: Session, target: Target, snapshot: Snapshot) -> None:
    """The broker's own total beside ours, and today's value, which each good read renews."""
    query = select(AccountTotals).where(AccountTotals.account_id == target.account.id)
    row = session.scalar(query) or totals.touch(session, target.account, target.moment)
    row.broker_net_liquidation = snapshot.ledger.total.net_liquidation
    row.broker_currency = snapshot.ledger.base_currency
    totals.daily_value(session, row, target.owner_id, target.moment)


def _read_back(
    session: Session, target: Target, snapshot: Snapshot, kept: Iterable[StoredHolding]
) -> None:
    session.flush()
    session.expire_all()
    account, source = target.account, target.source
    left: dict[str, Position | StoredHolding] = {
        **{of.instrument.key: of for of in snapshot.positions},
        **{row.key: row for row in kept},
    }
    for row in position_rows(session, account, source):
        of = left.pop(row[0], None)
        if of is None or position_row(of) != row:
            raise StorageFailed(NOT_KEPT)
    cash = amounts(cash_rows(session, account, source))
    if left or cash != expected_cash(snapshot):
        raise StorageFailed(NOT_KEPT)
