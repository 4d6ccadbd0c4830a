"""The record of what runs changed, field by field, and how a run is taken back by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portfolio.accounts.models import Account, CashBalance, Holding
from portfolio.accounts.services.holdings import revalue
from portfolio.clock import Moment
from portfolio.db.base import MONEY
from portfolio.errors import Conflict
from portfolio.sync.models import BY_UNDO, SUCCEEDED, Change, SyncRun
from portfolio.sync.plan import Plan, Source, as_text

HOLDING, CASH = "holding", "cash"
# Names of fields in the record that the instrument's row calls otherwise.
COLUMNS = {"right": "option_right"}
NUMBERS = frozenset({"quantity", "average_price", "multiplier", "strike"})
# Brokers round the average price after a split.
SAME_COST = Decimal("0.00001")
BESIDE_CASH = ("settled", "accrued_interest", "accrued_dividends")
OF_HOLDING = frozenset({"quantity", "average_price"})


def beside(row: CashBalance) -> dict[str, Any]:
    """What a cash balance has beside its amount, to be found again should it come back."""
    return {name: as_text(getattr(row, name)) for name in BESIDE_CASH}


def record(
    session: Session,
    run_id: str,
    source: Source,
    plan: Plan,
    rows: Mapping[str, Holding],
    *,
    spent: Mapping[str, dict[str, Any]],
) -> None:
    """Write down every step of a plan that was applied; `spent` is beside cash that is gone."""
    for step in plan.steps:
        holding = rows.get(step.key) if step.subject == HOLDING else None
        session.add_all(
            Change(
                run_id=run_id,
                source=source.manifest.key,
                source_account=source.broker_account,
                holding_id=holding.id if holding else None,
                subject=step.subject,
                label=step.label,
                field=change.field,
                old=change.old,
                new=change.new,
                beside=spent.get(step.key) if step.subject == CASH else None,
            )
            for change in step.changes
        )


def record_closing(session: Session, run_id: str, row: Holding) -> None:
    """Write down that a holding is no longer held."""
    session.add(
        Change(
            run_id=run_id,
            source=row.source,
            source_account=row.source_account,
            holding_id=row.id,
            subject=HOLDING,
            label=row.instrument.symbol,
            field="quantity",
            old=as_text(row.quantity),
            new=None,
        )
    )


def record_spent(session: Session, run_id: str, row: CashBalance) -> None:
    """Write down that a cash balance is gone."""
    session.add(
        Change(
            run_id=run_id,
            source=row.source,
            source_account=row.source_account,
            subject=CASH,
            label=row.currency,
            field="amount",
            old=as_text(row.amount),
            new=None,
            beside=beside(row),
        )
    )


def rescale(row: Holding, quantity: Decimal, average: Decimal | None) -> None:
    """Let the last known quote of a row follow another quantity and average price.

    A quantity and an average that move against each other are a split: the price moves with them.
    """
    if not row.quantity or row.quantity == quantity:
        return
    values: dict[str, Any] = {"quantity": quantity, "average_price": average}
    if row.price is not None and _is_split(row, quantity, average):
        values["price"] = _exact(MONEY.divide(MONEY.multiply(row.price, row.quantity), quantity))
    revalue(row, values)
    row.price = values.get("price", row.price)


def _is_split(row: Holding, quantity: Decimal, average: Decimal | None) -> bool:
    if average is None or row.average_price is None:
        return False
    before = MONEY.multiply(row.quantity, row.average_price)
    apart = abs(before - MONEY.multiply(quantity, average))
    return apart <= MONEY.multiply(SAME_COST, abs(before))


def _exact(value: Decimal) -> Decimal:
    return MONEY.quantize(value, Decimal(1).scaleb(-20)).normalize(MONEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """Where a run is taken back: the account, the run that does it, and the moment."""

    account: Account
    run_id: str
    moment: Moment


def take_back(session: Session, at: Reversal, undone_id: str) -> dict[str, int]:
    """Restore every field that a run changed, as changes of another run; counts by action.

    `Conflict` where a field has another value by now than the run gave it.
    """
    query = select(Change).where(Change.run_id == undone_id).order_by(Change.id)
    groups: defaultdict[tuple[object, ...], list[Change]] = defaultdict(list)
    for change in session.scalars(query):
        own = change.holding_id if change.subject == HOLDING else change.label
        groups[change.subject, change.source, change.source_account, own].append(change)
    counts = {"added": 0, "changed": 0, "closed": 0}
    for (subject, *_), changes in groups.items():
        reverse = [_reversed(change, at.run_id) for change in changes]
        if subject == HOLDING:
            counts[_holding_back(session, at, changes)] += 1
        else:
            counts[_cash_back(session, at, changes[0], reverse[0])] += 1
        session.add_all(reverse)
    session.flush()
    return counts


def _reversed(change: Change, run_id: str) -> Change:
    return Change(
        run_id=run_id,
        source=change.source,
        source_account=change.source_account,
        holding_id=change.holding_id,
        subject=change.subject,
        label=change.label,
        field=change.field,
        old=change.new,
        new=change.old,
    )


def _holding_back(session: Session, at: Reversal, changes: list[Change]) -> str:
    query = select(Holding).where(Holding.id == changes[0].holding_id)
    row = session.scalar(query.options(selectinload(Holding.instrument)))
    if row is None or row.account_id != at.account.id:
        raise _touched(changes[0])
    fields = {change.field: change for change in changes}
    quantity = fields.get("quantity")
    # What was closed has kept its other fields.
    closing = quantity is not None and quantity.new is None
    for change in (each for each in changes if each is quantity or not closing):
        _refuse_touched(session, at, row, change, closing=closing)
    if quantity is not None and quantity.old is None:
        row.closed_at = at.moment.now
        return "closed"
    if closing:
        row.closed_at = None
        return "added"
    if quantity is not None:
        average = fields.get("average_price")
        before = row.average_price if average is None else _value("average_price", average.old)
        amount = _value("quantity", quantity.old)
        assert isinstance(amount, Decimal)
        rescale(row, amount, before if isinstance(before, Decimal) else None)
    for change in changes:
        of = row if change.field in OF_HOLDING else row.instrument
        setattr(of, COLUMNS.get(change.field, change.field), _value(change.field, change.old))
    return "changed"


def _refuse_touched(
    session: Session, at: Reversal, row: Holding, change: Change, *, closing: bool
) -> None:
    """Refuse to restore a field that is not as the run left it, or that a later run has moved."""
    if (row.closed_at is not None) is not closing:
        raise _touched(change)
    if not closing and _present(row, change.field) != change.new:
        raise _touched(change)
    # A closed row has kept its figures until a sync opens it anew; taking that sync back closes
    # it with the newer ones.
    stands = Change.old.is_(None) if closing else SyncRun.status == SUCCEEDED
    later = (
        select(Change.id)
        .join(SyncRun, SyncRun.id == Change.run_id)
        .where(
            Change.holding_id == row.id,
            Change.field == change.field,
            Change.id > change.id,
            stands,
            SyncRun.origin != BY_UNDO,
            SyncRun.id != at.run_id,
        )
    )
    if session.scalar(later.limit(1)) is not None:
        raise _touched(change)


def _present(row: Holding, field: str) -> str | None:
    of = row if field in OF_HOLDING else row.instrument
    return as_text(getattr(of, COLUMNS.get(field, field)))


def _value(field: str, text: str | None) -> object:
    if text is None:
        return None
    if field in NUMBERS:
        return Decimal(text)
    return date.fromisoformat(text) if field == "expiry" else text


def _cash_back(session: Session, at: Reversal, change: Change, reverse: Change) -> str:
    row = session.scalar(
        select(CashBalance).where(
            CashBalance.account_id == at.account.id,
            CashBalance.currency == change.label,
            CashBalance.source == change.source,
            CashBalance.source_account == change.source_account,
        )
    )
    if (None if row is None else as_text(row.amount)) != change.new:
        raise _touched(change)
    if change.old is None:
        reverse.beside = None if row is None else beside(row)
        session.delete(row)
        return "closed"
    if row is None:
        kept = {name: text and Decimal(text) for name, text in (change.beside or {}).items()}
        session.add(
            CashBalance(
                account_id=at.account.id,
                currency=change.label,
                source=change.source,
                source_account=change.source_account,
                amount=Decimal(change.old),
                **kept,
            )
        )
        return "added"
    row.amount, row.settled = Decimal(change.old), None
    return "changed"


def _touched(change: Change) -> Conflict:
    return Conflict(
        f"{change.label} has changed since ({change.field.replace('_', ' ')}), so this run "
        "cannot be taken back any more.",
        "Take back the later run first, or sync again.",
    )
