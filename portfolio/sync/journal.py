"""The record of what runs changed, field by field, and how a run is taken back by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ScalarSelect, func, insert, select
from sqlalchemy.orm import Session, contains_eager

from portfolio.accounts.models import Account, CashBalance, Holding
from portfolio.accounts.names import label_of
from portfolio.accounts.quotes import rescaled
from portfolio.accounts.services.holdings import date_quote, quoted
from portfolio.clock import Moment
from portfolio.db.base import MONEY, exact
from portfolio.db.batches import batches, insert_rows
from portfolio.errors import Conflict
from portfolio.sync.models import BY_UNDO, CASH, HOLDING, SUCCEEDED, Change, SyncRun
from portfolio.sync.plan import FieldChange, Plan, Source, Step, as_text

# Names of fields in the record that the instrument's row calls otherwise.
COLUMNS = {"right": "option_right"}
NUMBERS = frozenset({"quantity", "average_price", "multiplier", "strike"})
# What a dividend, interest or a future brings goes from here into the cash, and back with it.
BECOMES_CASH = ("accrued_interest", "accrued_dividends", "futures_pnl")
BESIDE_CASH = ("settled", *BECOMES_CASH)
LEFT = "left"
OF_HOLDING = frozenset({"quantity", "average_price"})
CHANGES = Change.metadata.tables[Change.__tablename__]
RECORDED = (
    *("run_id", "holding_id", "source", "source_account", "subject", "label"),
    *FieldChange._fields,
    "beside",
)


def beside(row: CashBalance) -> dict[str, Any]:
    """What a cash balance has beside its amount, to be found again should it come back."""
    return {name: as_text(getattr(row, name)) for name in BESIDE_CASH}


def with_left(before: Mapping[str, Any], row: CashBalance) -> dict[str, Any]:
    """What was beside an amount that has moved, and what is now."""
    return {**before, LEFT: {name: as_text(getattr(row, name)) for name in BECOMES_CASH}}


def record(
    session: Session,
    run_id: str,
    source: Source,
    plan: Plan,
    ids: Mapping[str, int],
    *,
    beside: Mapping[str, dict[str, Any]],
) -> None:
    """Write down every step of a plan that was applied.

    `ids` are the holdings' by instrument key; `beside` is what was beside cash that moved.
    """
    of = source.manifest.key, source.broker_account
    # A first run has a change for each holding: they are made as they are written.
    rows = (
        (run_id, _id_of(step, ids), *of, step.subject, step.label, *change, _beside(step, beside))
        for step in plan.steps
        for change in step.changes
    )
    insert_rows(session, CHANGES, RECORDED, rows)


def _beside(step: Step, cash: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    return cash.get(step.key) if step.subject == CASH else step.beside


def _id_of(step: Step, ids: Mapping[str, int]) -> int | None:
    return ids.get(step.key) if step.subject == HOLDING else None


def record_closing(session: Session, run_id: str, row: Holding) -> None:
    """Write down that a holding is no longer held."""
    session.add(
        Change(
            run_id=run_id,
            source=row.source,
            source_account=row.source_account,
            holding_id=row.id,
            subject=HOLDING,
            label=label_of(row.instrument),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """Where a run is taken back: the account, the run that does it, and the moment."""

    account: Account
    run_id: str
    moment: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Holdings by id, each with a field, that later runs have moved, or that opened them anew.

    `cash` has what they have moved by source, its account, and currency.
    """

    moved: set[tuple[int | None, str]]
    opened: set[tuple[int | None, str]]
    cash: set[tuple[str, str, str]]


def take_back(session: Session, at: Reversal, undone_id: str) -> dict[str, int]:
    """Restore every field that a run changed, as changes of another run; counts by action.

    `Conflict` where a field has another value by now than the run gave it.
    """
    query = select(Change).where(Change.run_id == undone_id).order_by(Change.id)
    groups: defaultdict[tuple[str, str, str, int | str | None], list[Change]] = defaultdict(list)
    for change in session.scalars(query):
        own = change.holding_id if change.subject == HOLDING else change.label
        groups[change.subject, change.source, change.source_account, own].append(change)
    later = _later(session, at, undone_id)
    held = _held(session, at.account, [own for subject, *_, own in groups if subject == HOLDING])
    counts = {"added": 0, "changed": 0, "closed": 0}
    written = []
    for (subject, *_, own), changes in groups.items():
        reverse = [_reversed(change, at.run_id) for change in changes]
        if subject == HOLDING:
            counts[_holding_back(at, held.get(own), changes, later)] += 1
        else:
            counts[_cash_back(session, at, changes[0], reverse[0], later)] += 1
        written += reverse
    session.flush()
    if written:
        session.execute(insert(Change), written)
    return counts


def redescribed(session: Session, run_id: str) -> Sequence[int]:
    """The instruments of which a run has changed the terms."""
    query = (
        select(Holding.instrument_id)
        .join(Change, Change.holding_id == Holding.id)
        .where(Change.run_id == run_id, Change.field.not_in(OF_HOLDING), Change.old.is_not(None))
    )
    return session.scalars(query.distinct()).all()


def _held(
    session: Session, account: Account, ids: Sequence[Any]
) -> dict[int | str | None, Holding]:
    """The account's holdings of these ids."""
    found: dict[int | str | None, Holding] = {}
    for some in batches(ids):
        query = (
            select(Holding)
            .join(Holding.instrument)
            .options(contains_eager(Holding.instrument))
            .where(Holding.account_id == account.id, Holding.id.in_(some))
        )
        found |= {row.id: row for row in session.scalars(query)}
    return found


def _later(session: Session, at: Reversal, undone_id: str) -> Later:
    """Which fields runs after the one that is taken back have moved.

    A closed row has kept its figures until a sync opens it anew; taking that sync back closes it
    with the newer ones. So what opened a row counts apart.
    """
    first = select(func.min(Change.id)).where(Change.run_id == undone_id).scalar_subquery()
    ours = select(Change.holding_id).where(Change.run_id == undone_id)
    query = (
        select(Change.holding_id, Change.field, Change.old, Change.beside, SyncRun.status)
        .join(SyncRun, SyncRun.id == Change.run_id)
        .where(
            Change.id > first,
            Change.run_id.not_in([undone_id, at.run_id]),
            Change.holding_id.in_(ours),
            SyncRun.origin != BY_UNDO,
        )
    )
    found = Later(moved=set(), opened=set(), cash=_cash_later(session, at, undone_id, first))
    for holding_id, field, old, beside, status in session.execute(query):
        if old is None:
            found.opened.add((holding_id, field))
        if status == SUCCEEDED:
            found.moved.update((holding_id, name) for name in (field, *(beside or ())))
    return found


def _cash_later(
    session: Session, at: Reversal, undone_id: str, first: ScalarSelect[int]
) -> set[tuple[str, str, str]]:
    """The cash of the account that runs after the one that is taken back have moved."""
    ours = select(Change.source, Change.source_account).where(Change.run_id == undone_id)
    found = set()
    for source, source_account in session.execute(ours.distinct()).all():
        query = (
            select(Change.label)
            .join(SyncRun, SyncRun.id == Change.run_id)
            .where(
                Change.source == source,
                Change.source_account == source_account,
                Change.id > first,
                Change.subject == CASH,
                Change.run_id.not_in([undone_id, at.run_id]),
                SyncRun.account_id == at.account.id,
                SyncRun.origin != BY_UNDO,
                SyncRun.status == SUCCEEDED,
            )
        )
        found |= {(source, source_account, label) for label in session.scalars(query.distinct())}
    return found


def _reversed(change: Change, run_id: str) -> dict[str, Any]:
    same = ("source", "source_account", "holding_id", "subject", "label", "field")
    values = {name: getattr(change, name) for name in same}
    return {**values, "run_id": run_id, "old": change.new, "new": change.old, "beside": None}


def _holding_back(at: Reversal, row: Holding | None, changes: list[Change], later: Later) -> str:
    if row is None:
        raise _touched(changes[0].label, changes[0].field)
    fields = _fields(changes)
    quantity = fields.get("quantity")
    # What was closed has kept its other fields.
    closing = quantity is not None and quantity.new is None
    for field in (each for each in fields.values() if each is quantity or not closing):
        if _is_touched(row, field, later.opened if closing else later.moved, closing=closing):
            raise _touched(changes[0].label, field.field)
    if quantity is not None and quantity.old is None:
        row.closed_at = at.moment.now
        date_quote(row, at.account)
        return "closed"
    if closing:
        # It arrives anew, as by a sync: notes that went to what took its place find the way back.
        row.opened_at, row.closed_at = at.moment.now, None
        return "added"
    _rescale(row, fields)
    for name, field in fields.items():
        of = row if name in OF_HOLDING else row.instrument
        setattr(of, COLUMNS.get(name, name), _value(name, field.old))
    return "changed"


def _fields(changes: Sequence[Change]) -> dict[str, FieldChange]:
    """What a run changed of a holding by field, and what one that adds it stands for."""
    fields: dict[str, FieldChange] = {}
    for of in changes:
        fields[of.field] = FieldChange(of.field, of.old, of.new)
        fields |= {name: FieldChange(name, None, new) for name, new in (of.beside or {}).items()}
    if "symbol" in fields and fields["symbol"].old is None:
        # What a new holding came without is not in the record, and must be missing still.
        fields.setdefault("average_price", FieldChange("average_price", None, None))
    return fields


def _rescale(row: Holding, fields: Mapping[str, FieldChange]) -> None:
    """Let the last known quote follow the figures that come back."""
    names = OF_HOLDING & fields.keys()
    come_back: dict[str, Any] = {name: _value(name, fields[name].old) for name in names}
    former = quoted(row)._replace(**come_back)
    of = row.instrument.multiplier
    follows = rescaled(quoted(row), of, former.quantity, former.average_price)
    row.price, row.market_value = follows.price, follows.market_value
    row.unrealized_pnl = follows.unrealized_pnl


def _is_touched(
    row: Holding, field: FieldChange, later: set[tuple[int | None, str]], *, closing: bool
) -> bool:
    """Whether a field is not as the run left it, or a later run has moved it."""
    if (row.closed_at is not None) is not closing:
        return True
    if not closing and _present(row, field.field) != field.new:
        return True
    return (row.id, field.field) in later


def _present(row: Holding, field: str) -> str | None:
    of = row if field in OF_HOLDING else row.instrument
    return as_text(getattr(of, COLUMNS.get(field, field)))


def _value(field: str, text: str | None) -> object:
    if text is None:
        return None
    if field in NUMBERS:
        return exact(text)
    return date.fromisoformat(text) if field == "expiry" else text


def _cash_back(
    session: Session, at: Reversal, change: Change, reverse: dict[str, Any], later: Later
) -> str:
    row = session.scalar(
        select(CashBalance).where(
            CashBalance.account_id == at.account.id,
            CashBalance.currency == change.label,
            CashBalance.source == change.source,
            CashBalance.source_account == change.source_account,
        )
    )
    present = None if row is None else as_text(row.amount)
    if present != change.new or (change.source, change.source_account, change.label) in later.cash:
        raise _touched(change.label, change.field)
    reverse["beside"] = None if row is None else beside(row)
    if change.old is None:
        session.delete(row)
        return "closed"
    told = dict(change.beside or {})
    left = told.pop(LEFT, None)
    kept = {name: text and exact(text) for name, text in told.items()}
    if row is None:
        session.add(
            CashBalance(
                account_id=at.account.id,
                currency=change.label,
                source=change.source,
                source_account=change.source_account,
                amount=exact(change.old),
                **kept,
            )
        )
        return "added"
    row.amount, row.settled = exact(change.old), None
    # Of runs before 2026-11-27 it is not known what they left.
    for name, text in (left or {"futures_pnl": as_text(row.futures_pnl)}).items():
        if name in kept:
            value = _moved_back(getattr(row, name), kept[name], text and exact(text))
            setattr(row, name, value)
    reverse["beside"] = with_left(reverse["beside"], row)
    return "changed"


def _moved_back(
    now: Decimal | None, before: Decimal | None, left: Decimal | None
) -> Decimal | None:
    """An amount without what a run has moved; what has moved since then stays."""
    if left in (before, now):
        return now if left == before else before
    zero = Decimal(0)
    return MONEY.add(now or zero, MONEY.subtract(before or zero, left or zero))


def _touched(label: str, field: str) -> Conflict:
    return Conflict(
        f"{label} has changed since ({field.replace('_', ' ')}), so this run "
        "cannot be taken back any more.",
        "Take back the later run first, or sync again.",
    )
