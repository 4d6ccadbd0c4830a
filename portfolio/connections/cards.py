"""The state of a connection in one line with its next action: one fragment, used everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from brokers.registry import Registry
from portfolio.accounts.models import Account
from portfolio.accounts.queries.portfolios import NOT_RECONCILED, account_view
from portfolio.accounts.resources import AccountView
from portfolio.connections.linked import Linked, linked_accounts
from portfolio.connections.models import Connection, Gateway
from portfolio.connections.queries import (
    GatewayView,
    broker_codes,
    gateways,
    needs_user,
)
from portfolio.connections.upkeep import session_of
from portfolio.sync.models import FAILED, REJECTED, RUNNING
from portfolio.sync.queries import RunView
from portfolio.sync.queries import for_viewer as hidden

WAITS_FOR_OWNER = "Its owner is asked to look at it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The state of an account's connection, and what can be done about it.

    `state` is one of not_linked, ready, syncing, needs_you, waiting, not_applied, differs, paused,
    stale. `retry_at` is until when it waits, `shows_since` of when the holdings are while paused.
    """

    state: str
    title: str
    connection_id: int | None = None
    broker_account: str | None = None
    gateway_id: int | None = None
    gateway_url: str | None = None
    login_url: str | None = None
    username: str | None = None
    read_at: datetime | None = None
    code: str | None = None
    message: str | None = None
    remedy: str | None = None
    retry_at: datetime | None = None
    shows_since: datetime | None = None
    next_run_at: datetime | None = None
    run: RunView | None = None
    read: RunView | None = None
    actions: tuple[str, ...] = ()


def card(view: AccountView, of: Linked | None, brokers: Registry, now: datetime) -> Card:
    """The connection card of an account."""
    if of is None:
        return Card(state="not_linked", title="Kept by hand", read_at=view.synced_at)
    state, error = _state(view, of, now)
    return Card(
        state=state,
        title=broker_name(of.link.broker, brokers),
        connection_id=of.link.id,
        broker_account=of.link.broker_account,
        gateway_id=of.gateway.id,
        gateway_url=of.gateway.address,
        login_url=of.gateway.login_address,
        username=of.link.username,
        read_at=view.synced_at,
        code=error.get("code"),
        message=error.get("message"),
        remedy=error.get("remedy"),
        retry_at=_time(error.get("retry_at")),
        shows_since=of.paused_state_at,
        next_run_at=of.next_run_at,
        run=of.run,
        # What was applied before it was connected anew says nothing of what is held now.
        read=None if view.unread else of.applied,
        actions=_actions(state, error.get("code")),
    )


def for_viewer(of: Card) -> Card:
    """A card without what concerns its owner's gateway, and with nothing to do but to look."""
    return replace(
        of,
        # It is the owner who is needed.
        state="waiting" if of.state == "needs_you" else of.state,
        connection_id=None,
        broker_account=None,
        gateway_id=None,
        gateway_url=None,
        login_url=None,
        username=None,
        message=WAITS_FOR_OWNER if of.message else None,
        remedy=None,
        retry_at=None,
        run=of.run and hidden(of.run),
        read=of.read and hidden(of.read),
        actions=tuple(action for action in of.actions if action == "look"),
    )


def broker_name(key: str, brokers: Registry) -> str:
    """What people call a broker, also one whose adapter is gone."""
    known = brokers.brokers.get(key)
    return known.manifest.name if known else f"{key} (its adapter is not installed)"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _state(view: AccountView, of: Linked, now: datetime) -> tuple[str, Mapping[str, Any]]:
    # What a former connection ended with is not how this one is.
    run = of.run if of.run and of.run.started_at >= of.since else None
    if run is not None and run.status == RUNNING and (run.lease_until or now) > now:
        return "syncing", {}
    if view.attention_code is not None and needs_user(view.attention_code):
        error = _trouble(view.attention_code, of)
        return "needs_you" if needs_user(error["code"]) else "waiting", error
    if run is not None and run.status == REJECTED:
        return "not_applied", rejected_error(run)
    if run is not None and run.status == FAILED and run.error and not _settled(view, run.error):
        return "needs_you" if needs_user(run.error["code"]) else "waiting", run.error
    if of.link.paused:
        return "paused", {}
    if view.attention_code == NOT_RECONCILED:
        return "differs", {}
    return "stale" if view.stale and view.synced_at else "ready", {}


def _settled(view: AccountView, error: Mapping[str, Any]) -> bool:
    """Whether a person has done since what a failed run asked for."""
    return needs_user(error["code"]) and view.attention_code is None


def _trouble(code: str, of: Linked) -> Mapping[str, Any]:
    """What is known of a trouble, or of what the gateway said instead of it since.

    The code, the sentence and the remedy are always of one cause.
    """
    gateway, failed = of.gateway, of.run.error if of.run else None
    if failed and (failed["code"] == code or gateway.state != code):
        return failed
    if gateway.state in broker_codes():
        return {"code": gateway.state, "message": gateway.message, "remedy": gateway.remedy}
    # The gateway is well, and the run that met the trouble was followed by one without a word.
    return {
        "code": code,
        "message": "Something waited for you when this was last tried.",
        "remedy": "Sync again; what is wrong is said here then.",
    }


def _actions(state: str, code: str | None) -> tuple[str, ...]:
    if state == "syncing":
        return ()
    special = {"not_authenticated": "sign_in", "certificate_changed": "accept_certificate"}
    special["certificate_untrusted"] = "accept_certificate"
    by_state = {"not_applied": "look", "paused": "resume", "differs": "look"}
    first = special.get(code or "") or by_state.get(state)
    return (*((first,) if first else ()), "sync", "disconnect")


def rejected_error(run: RunView) -> dict[str, Any]:
    """The error of a run that was not applied."""
    return {
        "code": "sync_rejected",
        "message": f"Not applied: {run.saw}",
        "remedy": "Your holdings are unchanged. Look at the account at your broker, then sync "
        "again; a true change goes through by itself. Or look at what the run would have done and "
        "apply it anyway.",
        "fields": {},
        "retry_at": None,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionView:
    """A connection as a resource, with its state in a word and a code."""

    id: int
    broker: str
    broker_account: str
    gateway_id: int
    username: str | None
    sync_enabled: bool
    paused: bool
    portfolio_id: int
    account_name: str
    account_slug: str
    state: str
    code: str | None
    synced_at: datetime | None
    next_run_at: datetime | None
    card: Card
    account: AccountView


def connections(
    session: Session, owner_id: int, now: datetime, brokers: Registry
) -> list[ConnectionView]:
    """The owner's connections in the order in which they were made."""
    query = select(Account).join(Connection, Connection.account_id == Account.id)
    accounts = list(
        session.scalars(query.where(Connection.owner_id == owner_id).order_by(Connection.id))
    )
    known = linked_accounts(session, accounts)
    # Between two statements, somebody may have disconnected one.
    linked = [account for account in accounts if account.id in known]
    return [_connection(account, known[account.id], now, brokers) for account in linked]


def _connection(account: Account, of: Linked, now: datetime, brokers: Registry) -> ConnectionView:
    view = account_view(account, now, of.link)
    shown = card(view, of, brokers, now)
    return ConnectionView(
        id=of.link.id,
        broker=of.link.broker,
        broker_account=of.link.broker_account,
        gateway_id=of.link.gateway_id,
        username=of.link.username,
        sync_enabled=of.link.sync_enabled,
        paused=of.link.paused,
        portfolio_id=account.portfolio_id,
        account_name=account.name,
        account_slug=view.slug,
        state=shown.state,
        code=shown.code,
        synced_at=view.synced_at,
        next_run_at=of.next_run_at,
        card=shown,
        account=view,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLine:
    """A gateway with what is known of its session; `mark` is the shape of its state."""

    gateway: GatewayView
    broker: str
    state: str
    mark: str
    needs_sign_in: bool
    since: datetime | None
    message: str | None
    remedy: str | None
    user: str | None
    is_paper: bool | None
    elsewhere: bool
    ends_at: datetime | None
    contacted_at: datetime | None
    next_contact_at: datetime | None


def gateway_lines(session: Session, owner_id: int, brokers: Registry) -> list[GatewayLine]:
    """The owner's gateways with their sessions, the first one first."""
    views = {view.id: view for view in gateways(session, owner_id)}
    rows = session.scalars(select(Gateway).where(Gateway.id.in_(views)).order_by(Gateway.id))
    return [_gateway_line(row, views[row.id], brokers) for row in rows]


def _gateway_line(row: Gateway, view: GatewayView, brokers: Registry) -> GatewayLine:
    who = session_of(row.session)
    marks = {"ready": "ready", "unknown": "not_linked"}
    trouble = "needs_you" if needs_user(row.state) else "waiting"
    return GatewayLine(
        gateway=view,
        broker=broker_name(row.broker, brokers),
        state=row.state,
        mark=marks.get(row.state, trouble),
        needs_sign_in=row.state == "not_authenticated",
        since=row.state_since,
        message=row.message,
        remedy=row.remedy,
        user=who.user if who else None,
        is_paper=who.is_paper if who else None,
        elsewhere=bool(who and who.signed_in_elsewhere),
        ends_at=who.ends_at if who else None,
        contacted_at=row.contacted_at,
        next_contact_at=row.next_contact_at,
    )
