"""Connections as cards need them: all that they say in one statement, and without its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, Select, bindparam, select
from sqlalchemy.orm import Session, aliased

from portfolio.accounts.models import CONNECTED, Account
from portfolio.accounts.resources import Link
from portfolio.connections.models import Connection, Gateway
from portfolio.db.session import columns
from portfolio.sync.models import SyncRun
from portfolio.sync.queries import RunView, run_view


class Reached(NamedTuple):
    """What a card says of the gateway that a connection goes through."""

    id: int
    address: str
    login_address: str
    state: str
    message: str | None
    remedy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A connection with its gateway, its account's newest run, and the newest that was applied.

    Those from before `since` are of a connection that the account had formerly.
    """

    link: Link
    since: datetime
    paused_state_at: datetime | None
    next_run_at: datetime | None
    gateway: Reached
    run: RunView | None
    applied: RunView | None


OF_CONNECTION = (
    *("id", "broker", "broker_account", "gateway_id", "username", "sync_enabled"),
    *("created_at", "paused_at", "paused_state_at", "next_run_at"),
)
OF_RUN = tuple(of.name for of in fields(RunView))


def linked_accounts(session: Session, accounts: Sequence[Account]) -> Mapping[int, Linked]:
    """The connections of some accounts by account id; nothing is asked where none has one."""
    ids = [account.id for account in accounts if account.mode == CONNECTED]
    if not ids:
        return {}
    rows = columns(session, _linked(), {"accounts": ids})
    return {row.of_account: _read(row) for row in rows}


@cache
def _linked() -> Select[*tuple[Any, ...]]:
    """Connections, each with its newest run and the newest that wrote; built once.

    To build it takes longer than to carry it out.
    """
    run, applied = aliased(SyncRun), aliased(SyncRun)
    wanted = (
        *(getattr(Connection, name) for name in OF_CONNECTION),
        *(getattr(Gateway, name) for name in Reached._fields),
        *(getattr(run, name) for name in OF_RUN),
        *(getattr(applied, name) for name in OF_RUN),
    )
    return (
        select(*wanted, Connection.account_id.label("of_account"))
        .select_from(Connection)
        .join(Gateway, Gateway.id == Connection.gateway_id)
        .outerjoin(run, run.id == _newest())
        .outerjoin(applied, applied.id == _newest(SyncRun.digest.is_not(None)))
        .where(Connection.account_id.in_(bindparam("accounts", expanding=True)))
    )


def _newest(*only: ColumnElement[bool]) -> ScalarSelect[str]:
    """The id of the newest run of a connection's account."""
    query = select(SyncRun.id).where(SyncRun.account_id == Connection.account_id, *only)
    ordered = query.order_by(SyncRun.started_at.desc(), SyncRun.id.desc()).limit(1)
    return ordered.correlate(Connection).scalar_subquery()


def _read(row: Any) -> Linked:
    values = iter(row)

    def some(names: Sequence[str]) -> dict[str, Any]:
        return {name: next(values) for name in names}

    of = some(OF_CONNECTION)
    since, paused_at, state_at, next_run_at = (of.pop(name) for name in OF_CONNECTION[-4:])
    return Linked(
        link=Link(**of, paused=paused_at is not None),
        since=since,
        paused_state_at=state_at,
        next_run_at=next_run_at,
        gateway=Reached(**some(Reached._fields)),
        run=_run(some(OF_RUN)),
        applied=_run(some(OF_RUN)),
    )


def _run(values: dict[str, Any]) -> RunView | None:
    if values["id"] is None:
        return None
    stored: Any = SimpleNamespace(**values)
    return run_view(stored)
