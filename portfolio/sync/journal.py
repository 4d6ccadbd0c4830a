"""The record of what runs changed, field by field, and how a run is taken back by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portfolio.accounts.models import Account, CashBalance, Holding
from portfolio.clock import Moment
from portfolio.db.base import MONEY
from portfolio.errors import Conflict
from portfolio.sync.models import Change
from portfolio.sync.plan import Plan, Source, as_text

HOLDING, CASH = "holding", "cash"
# Names of fields in the record that the instrument's row calls otherwise.
COLUMNS = {"right": "option_right"}
NUMBERS = frozenset({"quantity", "average_price", "multiplier", "strike"})
OF_HOLDING = frozenset({"quantity", "average_price"})


def record(
    session: Session, run_id: str, source: Source, plan: Plan, rows: Mapping[str, Holding]
) -> None:
    """Write down every step of a plan that was applied."""
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
        )
    )


def rescale(row: Holding, quantity: Decimal) -> None:
    """Let the last known value and profit of a row follow another quantity."""
    if not row.quantity or row.quantity == quantity:
        return
    for name in ("market_value", "unrealized_pnl"):
        figure: Decimal | None = getattr(row, name)
        if figure is not None:
            exact = MONEY.divide(MONEY.multiply(figure, quantity), row.quantity)
            setattr(row, name, MONEY.quantize(exact, Decimal(1).scaleb(-20)).normalize(MONEY))


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
        back = _holding_back if subject == HOLDING else _cash_back
        counts[back(session, at, changes)] += 1
        session.add_all(_reversed(change, at.run_id) for change in changes)
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
    quantity = next((change for change in changes if change.field == "quantity"), None)
    for change in changes:
        present = None if row.closed_at is not None else _present(row, change.field)
        if change.new is None and change.field == "quantity" and row.closed_at is None:
            raise _touched(change)
        if change.new is not None and present != change.new:
            raise _touched(change)
    if quantity is not None and quantity.old is None:
        row.closed_at = at.moment.now
        return "closed"
    reopened = quantity is not None and quantity.new is None
    if reopened:
        row.closed_at = None
    for change in changes:
        _restore(row, change)
    return "added" if reopened else "changed"


def _present(row: Holding, field: str) -> str | None:
    of = row if field in OF_HOLDING else row.instrument
    return as_text(getattr(of, COLUMNS.get(field, field)))


def _restore(row: Holding, change: Change) -> None:
    value = _value(change.field, change.old)
    if change.field == "quantity" and isinstance(value, Decimal):
        rescale(row, value)
    if change.field == "quantity" and value is None:
        return
    setattr(
        row if change.field in OF_HOLDING else row.instrument,
        COLUMNS.get(change.field, change.field),
        value,
    )


def _value(field: str, text: str | None) -> object:
    if text is None:
        return None
    if field in NUMBERS:
        return Decimal(text)
    return date.fromisoformat(text) if field == "expiry" else text


def _cash_back(session: Session, at: Reversal, changes: list[Change]) -> str:
    (change,) = changes
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
        session.delete(row)
        return "closed"
    if row is None:
        session.add(
            CashBalance(
                account_id=at.account.id,
                currency=change.label,
                source=change.source,
                source_account=change.source_account,
                amount=Decimal(change.old),
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
