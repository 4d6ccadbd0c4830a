"""What a person decides about runs: take one back, apply one after all, pause and resume."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portfolio.accounts.models import MANUAL, Account, CashBalance
from portfolio.accounts.queries.portfolios import NOT_RECONCILED
from portfolio.clock import Moment
from portfolio.connections.gateways import Outside
from portfolio.connections.models import Connection
from portfolio.connections.runner import replaced_of, settle
from portfolio.connections.services import (
    LinkRequest,
    Place,
    clean_username,
    connect,
    connection_of,
)
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, NotFound, SyncRejected
from portfolio.sync import decisions as sync
from portfolio.sync.decisions import Decision
from portfolio.sync.models import CASH, Change, SyncRun
from portfolio.sync.plan import Source
from portfolio.sync.queries import owned_run
from portfolio.users.models import User

# What was said of a state that a person has taken back: the next run judges anew.
SETTLED = (NOT_RECONCILED, SyncRejected.code)


def undo(owner_id: int, run_id: str, outside: Outside, zone: ZoneInfo) -> str:
    """Take a run back, and pause the schedule that would bring it again; the new run's id.

    The schedule goes on once nothing is taken back any more.
    """
    with unit_of_work() as session:
        of = _decision(session, owner_id, run_id, outside, zone)
        goes_on = sync.settles(session, of.run)
        made = sync.undo(session, of)
        connection = None if of.is_former else connection_of(session, of.account)
        if connection is not None and goes_on:
            connection.paused_at = connection.paused_state_at = None
        elif connection is not None:
            connection.paused_at = of.moment.now
            connection.paused_state_at = of.account.synced_at
        # What somebody chose for another connection is not a choice for this one.
        if connection is not None and connection.id == of.run.connection_id:
            _replace_again(session, connection, of.run)
        if of.account.attention_code in SETTLED and not of.is_former:
            of.account.attention_code = None
        return made.id


def _replace_again(session: Session, connection: Connection, run: SyncRun) -> None:
    """Rows kept by hand that the run had replaced are replaced by the next one as well.

    Those that taking back an undo has replaced once more are done with.
    """
    by_hand = Change.run_id == run.id, Change.source == MANUAL
    changes = list(session.scalars(select(Change).where(*by_hand)))
    holdings = {of.holding_id for of in changes if of.new is None and of.holding_id is not None}
    replaced = {of.holding_id for of in changes if of.new is not None}
    currencies = [of.label for of in changes if of.new is None and of.subject == CASH]
    mine = CashBalance.account_id == connection.account_id, CashBalance.source == MANUAL
    wanted = or_(
        CashBalance.currency.in_(currencies), CashBalance.id.in_(connection.replaced_cash)
    )
    connection.replaced_holdings = sorted({*connection.replaced_holdings, *holdings} - replaced)
    connection.replaced_cash = list(session.scalars(select(CashBalance.id).where(*mine, wanted)))


def apply_anyway(owner_id: int, run_id: str, outside: Outside, zone: ZoneInfo) -> str:
    """Apply what a gate had stopped; the id of the run that does it."""
    with unit_of_work() as session:
        of = _decision(session, owner_id, run_id, outside, zone)
        connection = connection_of(session, of.account)
        if connection is None:
            raise Conflict("The account is not connected any more.", "Connect it and sync.")
        learnt = connection.futures_profit_counts
        made, reading = sync.apply_anyway(session, of, replaced_of(connection), learnt)
        settle(session, reading, connection_id=connection.id)
        connection.paused_at = connection.paused_state_at = None
        return made.id


def _decision(
    session: Session, owner_id: int, run_id: str, outside: Outside, zone: ZoneInfo
) -> Decision:
    run = owned_run(session, owner_id, run_id)
    account = session.scalars(select(Account).where(Account.id == run.account_id)).one()
    source = source_of(session, run, outside)
    if source is None:
        raise Conflict("This run brought nothing from a broker.", "There is nothing to decide.")
    return Decision(
        run=run,
        account=account,
        source=source,
        new_id=outside.new_id(),
        decided_by=session.get_one(User, owner_id).name,
        moment=Moment.at(outside.clock.now(), zone),
        zone=zone,
        is_former=_is_former(connection_of(session, account), source),
    )


def _is_former(connection: Connection | None, source: Source) -> bool:
    """Whether an account is connected to another broker account than rows came from."""
    place = source.manifest.key, source.broker_account
    return connection is not None and (connection.broker, connection.broker_account) != place


def source_of(session: Session, run: SyncRun, outside: Outside) -> Source | None:
    """Where a run's rows came from: its connection, or once that is gone, its record."""
    connection = session.get(Connection, run.connection_id) if run.connection_id else None
    if connection is not None:
        place = connection.broker, connection.broker_account
    else:
        query = select(Change.source, Change.source_account)
        found = session.execute(
            query.where(Change.run_id == run.id, Change.source != MANUAL).limit(1)
        ).first()
        if found is None:
            return None
        place = found[0], found[1]
    return Source(manifest=outside.broker(place[0]).manifest, broker_account=place[1])


def refusals(
    session: Session, account: Account, run: SyncRun, outside: Outside
) -> dict[str, str | None]:
    """Why a run can neither be taken back (`no_undo`) nor be applied (`no_apply`), or None.

    `schedule` is what to take it back does to that of the account: it "pauses", or "goes on".
    """
    connection = connection_of(session, account)
    source = None if connection is None else source_of(session, run, outside)
    is_on = connection is not None and connection.sync_enabled
    moves = is_on and source is not None and not _is_former(connection, source)
    return {
        "no_undo": sync.why_not_undo(session, run),
        "no_apply": sync.why_not_apply(session, run, source, outside.clock.now()),
        "schedule": ("goes on" if sync.settles(session, run) else "pauses") if moves else None,
    }


def taken_back(session: Session, account: Account) -> str:
    """What is said to who took a run back: that, and how the schedule of the account is now."""
    connection = connection_of(session, account)
    if connection is None or not connection.sync_enabled:
        return "The run was taken back."
    state = "is paused" if connection.paused else "goes on"
    return f"The run was taken back; automatic sync {state}."


def change_connection(
    session: Session, owner_id: int, connection_id: int, values: dict[str, Any], moment: Moment
) -> Connection:
    """Pause or resume a connection, switch its schedule, or note another user name."""
    connection = find_connection(session, owner_id, connection_id)
    if "paused" in values and values["paused"] != connection.paused:
        connection.paused_at = moment.now if values["paused"] else None
        connection.paused_state_at = connection.account.synced_at if values["paused"] else None
        connection.next_run_at = None
    if "sync_enabled" in values:
        connection.sync_enabled = values["sync_enabled"]
    if "username" in values:
        connection.username = clean_username(values["username"])
    session.flush()
    return connection


def find_connection(session: Session, owner_id: int, connection_id: int) -> Connection:
    """A connection of this owner, or `NotFound`."""
    wanted = Connection.id == connection_id, Connection.owner_id == owner_id
    connection = session.scalar(select(Connection).where(*wanted))
    if connection is None:
        raise NotFound("connection")
    return connection


def move(owner_id: int, connection_id: int, gateway_id: int, outside: Outside) -> None:
    """Send a connection through another gateway, once that one lists its account."""
    with unit_of_work() as session:
        found = find_connection(session, owner_id, connection_id)
        account = found.account
        where = Place(owner_id=owner_id, portfolio_id=account.portfolio_id, name=f"~{account.id}")
        wanted = LinkRequest(
            account_id=found.broker_account, gateway_id=gateway_id, broker=found.broker
        )
    connect(where, wanted, outside)
