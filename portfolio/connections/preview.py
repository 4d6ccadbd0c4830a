"""What the first sync of an account would do, looked at before the account is linked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from brokers.contract import believable
from brokers.types import Snapshot
from portfolio.accounts.models import MANUAL, Account, CashBalance, Holding, Instrument
from portfolio.accounts.names import label_of
from portfolio.accounts.queries.totals import cash_rows, open_holdings
from portfolio.accounts.queries.twins import likeness
from portfolio.accounts.resources import Link
from portfolio.connections.gateways import Outside, reaching
from portfolio.connections.services import LinkRequest, Place, must_be_listed, prepare
from portfolio.db.session import unit_of_work
from portfolio.sync.plan import Plan, Source, Step, make_plan, terms_of
from portfolio.sync.rows import stored_state

FEW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class HandRow:
    """A row kept by hand; `alike` is whether the broker has something that looks the same."""

    what: str
    id: int
    label: str
    amount: Decimal
    notes: str | None
    alike: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the first sync would add, change and close, and the rows kept by hand beside it."""

    plan: Plan
    added: tuple[Step, ...]
    changed: tuple[Step, ...]
    closed: tuple[Step, ...]
    by_hand: tuple[HandRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What a connection has brought, and what could be closed with it."""

    holdings: int
    labels: tuple[str, ...]
    currencies: tuple[str, ...]


def leaving(session: Session, account: Account, link: Link) -> Leaving:
    """What disconnecting leaves or closes."""
    source = Holding.source == link.broker, Holding.source_account == link.broker_account
    query = open_holdings(account.id).where(*source).order_by(Instrument.symbol)
    rows = list(session.scalars(query))
    place = link.broker, link.broker_account
    cash = [
        row.currency
        for row in cash_rows(session, account.id)
        if (row.source, row.source_account) == place
    ]
    labels = tuple(label_of(row.instrument) for row in rows[:FEW])
    return Leaving(holdings=len(rows), labels=labels, currencies=tuple(cash))


def preview(place: Place, wanted: LinkRequest, outside: Outside) -> Preview | None:
    """The preview, or None for an account that holds nothing yet; contacts the broker."""
    with unit_of_work() as session:
        if not _holds_anything(session, place.find(session)):
            return None
        route, _ = prepare(session, place, wanted)
    with reaching(route, pin=True, outside=outside) as broker:
        must_be_listed(broker, wanted.account_id)
        snapshot = broker.snapshot(wanted.account_id)
    believable(snapshot)
    manifest = outside.broker(route.broker).manifest
    source = Source(manifest=manifest, broker_account=wanted.account_id)
    with unit_of_work() as session:
        account = place.find(session)
        plan = make_plan(stored_state(session, account, source), snapshot)
        return Preview(
            plan=plan,
            added=_steps(plan, "added"),
            changed=_steps(plan, "changed"),
            closed=_steps(plan, "closed"),
            by_hand=_by_hand(session, account, snapshot),
        )


def _holds_anything(session: Session, account: Account) -> bool:
    held = session.scalar(open_holdings(account.id).with_only_columns(Holding.id).limit(1))
    return held is not None or bool(cash_rows(session, account.id))


def _steps(plan: Plan, action: str) -> tuple[Step, ...]:
    return tuple(step for step in plan.steps if step.action == action)


def _by_hand(session: Session, account: Account, snapshot: Snapshot) -> tuple[HandRow, ...]:
    alike = {likeness(terms_of(position.instrument)) for position in snapshot.positions}
    currencies = {row.currency for row in snapshot.ledger.rows}
    held = session.scalars(open_holdings(account.id).where(Holding.source == MANUAL))
    found = [
        HandRow(
            what="holding",
            id=row.id,
            label=label_of(row.instrument),
            amount=row.quantity,
            notes=row.notes,
            alike=likeness(row.instrument) in alike,
        )
        for row in held
    ]
    query = select(CashBalance).where(CashBalance.account_id == account.id)
    for balance in session.scalars(query.where(CashBalance.source == MANUAL)):
        found.append(
            HandRow(
                what="cash",
                id=balance.id,
                label=balance.currency,
                amount=balance.amount,
                notes=None,
                alike=balance.currency in currencies,
            )
        )
    # What is ticked stands first, as it could not be found among hundreds of others.
    return tuple(sorted(found, key=lambda row: not row.alike))
