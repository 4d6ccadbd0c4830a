"""What is stored of contacts with gateways, and what follows from them for their accounts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from brokers.contract import Capability
from brokers.errors import NotAuthenticated
from brokers.registry import Registry
from brokers.types import Diagnosis
from portfolio.accounts.models import Account
from portfolio.connections import upkeep
from portfolio.connections.gateways import Route, route_of, still_there
from portfolio.connections.models import Connection, Gateway
from portfolio.connections.queries import needs_user
from portfolio.connections.upkeep import READY, Outcome, Planned, Standing
from portfolio.db.session import unit_of_work
from portfolio.users.people import not_disabled

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A gateway that connections go through; `linked_at` is when the newest of them was made."""

    route: Route
    standing: Standing
    linked_at: datetime
    keeps_alive: bool


def record_contact(
    session: Session,
    route: Route,
    outcome: Outcome,
    now: datetime,
    pause: timedelta = upkeep.SHORTEST_PAUSE,
) -> None:
    """Store how a contact ended, whoever made it; `pause` is the time to the next if all is well.

    Nothing is stored of a gateway that has moved meanwhile: its next contact is due already.

    A trouble that waits for a person is noted on every account of the gateway. Once it is ready,
    exactly these notes are taken back, and what was held up is made due.
    """
    gateway = still_there(session, route)
    if gateway is None:
        return
    before = standing_of(gateway)
    after = upkeep.after_contact(before, outcome, now, pause)
    _store(gateway, after, outcome)
    if outcome.code == READY:
        _catch_up(session, gateway.id, before, after)
    elif needs_user(outcome.code):
        for connection in _connections(session, gateway.id):
            connection.account.attention_code = outcome.code
    _say(gateway, before, after)
    session.flush()


def _store(gateway: Gateway, after: Standing, outcome: Outcome) -> None:
    gateway.contacted_at, gateway.next_contact_at = after.contacted_at, after.next_contact_at
    if outcome.code == upkeep.UNKNOWN:
        return
    gateway.state, gateway.state_since = after.state, after.since
    gateway.failures = after.failures
    gateway.message, gateway.remedy = outcome.message, outcome.remedy
    if outcome.session is not None:
        gateway.session = upkeep.session_as_json(outcome.session)
    elif outcome.code == NotAuthenticated.code:
        gateway.session = None


def _catch_up(session: Session, gateway_id: int, before: Standing, after: Standing) -> None:
    """Make due what could not be synced meanwhile, one account some seconds after the other."""
    everybody = upkeep.has_come_back(before, after)
    healed, number = upkeep.healed_codes(before, after), 0
    for connection in _connections(session, gateway_id):
        held_up = connection.account.attention_code in healed
        if held_up:
            connection.account.attention_code = None
        if (held_up or everybody) and after.contacted_at is not None:
            connection.next_run_at = after.contacted_at + upkeep.APART * number
            number += 1


def _connections(session: Session, gateway_id: int) -> list[Connection]:
    query = select(Connection).where(Connection.gateway_id == gateway_id)
    query = query.options(joinedload(Connection.account)).order_by(Connection.id)
    return list(session.scalars(query))


def _say(gateway: Gateway, before: Standing, after: Standing) -> None:
    """One line when a gateway breaks and one when it heals, without anything that is private."""
    if after.contacted_at is None or not upkeep.worth_saying(
        gateway.said, before, after, after.contacted_at
    ):
        return
    if after.is_broken:
        log.warning("gateway %d is broken: %s", gateway.id, after.state)
    else:
        log.warning("gateway %d is healed: it was %s", gateway.id, before.state)
    gateway.said = after.state


def note_test(session: Session, gateway_id: int, found: Diagnosis) -> None:
    """Where a test found something else than is stored, have it looked at by the next contact.

    A test changes no account by itself, not even its notes.
    """
    gateway, code = session.get(Gateway, gateway_id), Outcome.of_test(found).code
    if gateway is not None and code not in {upkeep.UNKNOWN, gateway.state}:
        gateway.next_contact_at = None


def ask_again(session: Session, gateway_id: int) -> None:
    """Make the next contact due at once: a person has changed what may have been wrong."""
    gateway = session.get(Gateway, gateway_id)
    if gateway is not None:
        gateway.next_contact_at = None


def standing_of(gateway: Gateway) -> Standing:
    """What is known of a gateway."""
    stored = upkeep.session_of(gateway.session)
    return Standing(
        state=gateway.state,
        since=gateway.state_since,
        failures=gateway.failures,
        contacted_at=gateway.contacted_at,
        next_contact_at=gateway.next_contact_at,
        silent_until=gateway.silent_until,
        user=stored.user if stored else None,
    )


def watched(session: Session, brokers: Registry) -> list[Watched]:
    """The gateways with connections whose adapter is installed, of users who are not disabled."""
    newest = func.max(Connection.created_at)
    query = select(Gateway, newest).join(Connection, Connection.gateway_id == Gateway.id)
    query = query.where(not_disabled(Gateway.owner_id))
    return [
        Watched(
            route=route_of(gateway),
            standing=standing_of(gateway),
            linked_at=linked_at,
            keeps_alive=Capability.KEEPALIVE in known.manifest.capabilities,
        )
        for gateway, linked_at in session.execute(query.group_by(Gateway.id).order_by(Gateway.id))
        if (known := brokers.brokers.get(gateway.broker)) is not None
    ]


def planned(session: Session) -> list[Planned]:
    """The connections that the schedule may sync."""
    query = select(Connection).where(*_in_the_schedule())
    query = query.options(joinedload(Connection.account).joinedload(Account.portfolio))
    return [
        Planned(
            connection_id=row.id,
            gateway_id=row.gateway_id,
            owner_id=row.owner_id,
            portfolio_id=row.account.portfolio_id,
            account_id=row.account_id,
            attention_code=row.account.attention_code,
            next_run_at=row.next_run_at,
            synced_at=row.account.synced_at,
        )
        for row in session.scalars(query.order_by(Connection.id))
    ]


def is_planned(session: Session, connection_id: int) -> bool:
    """Whether the schedule may sync a connection."""
    query = select(Connection.id).where(Connection.id == connection_id, *_in_the_schedule())
    return session.scalar(query) is not None


def _in_the_schedule() -> tuple[ColumnElement[bool], ...]:
    switched_on, goes_on = Connection.sync_enabled, Connection.paused_at.is_(None)
    return switched_on.is_(True), goes_on, not_disabled(Connection.owner_id)


def plan_runs(times: Mapping[int, datetime]) -> None:
    """Store when connections (by id) are synced next."""
    if not times:
        return
    with unit_of_work() as session:
        for connection_id, at in times.items():
            connection = session.get(Connection, connection_id)
            if connection is not None:
                connection.next_run_at = at
