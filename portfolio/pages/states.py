"""How gateways, connections and runs are, in codes and times; part of the diagnostics."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, load_only

from brokers.contract import Limit
from brokers.errors import BrokerError
from brokers.registry import BUILT_IN, Registry
from portfolio.connections.models import Connection, Gateway
from portfolio.connections.upkeep import READY, UNKNOWN
from portfolio.errors import DomainError
from portfolio.sync.models import (
    FAILED,
    INTERRUPTED,
    ORIGINS,
    REJECTED,
    RUNNING,
    SUCCEEDED,
    UNDONE,
    SyncRun,
)

MOST_RUNS = 30
# More of something than this tells no more, and could be somebody's number.
MANY = 99
STATUSES = frozenset({RUNNING, SUCCEEDED, REJECTED, FAILED, INTERRUPTED, UNDONE})
WARNINGS = frozenset({"not_reconciled", "removal_unconfirmed", "possible_duplicates"})


def codes() -> frozenset[str]:
    """Every code that the program itself writes down."""
    return frozenset({READY, UNKNOWN, *WARNINGS, *_below(BrokerError), *_below(DomainError)})


def _below(of: type[BrokerError] | type[DomainError]) -> Iterator[str]:
    yield of.code
    for each in of.__subclasses__():
        yield from _below(each)


def _known(word: str | None, words: Collection[str]) -> str | None:
    return word if word is None or word in words else "other"


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at is not None else None


def gateways(session: Session, brokers: Registry) -> list[dict[str, Any]]:
    """Each gateway by its place in the list: its state, since when, and its pace."""
    known = codes()
    rows = session.scalars(select(Gateway).order_by(Gateway.id)).all()
    return [
        {
            "gateway": place,
            "broker": _known(row.broker, BUILT_IN),
            "state": _known(row.state, known),
            "since": _time(row.state_since),
            "contacted_at": _time(row.contacted_at),
            "next_contact_at": _time(row.next_contact_at),
            "silent_until": _time(row.silent_until),
            "failures": min(row.failures, MANY),
            "certificate": "pinned" if row.certificate_pem else "none",
            "last_calls": _pace(row, brokers),
        }
        for place, row in enumerate(rows, start=1)
    ]


def _pace(row: Gateway, brokers: Registry) -> dict[str, str | None]:
    """When each endpoint with a limit was asked, in the words that the adapter declares."""
    broker = brokers.brokers.get(row.broker) if row.broker in BUILT_IN else None
    limits: tuple[Limit, ...] = broker.manifest.limits if broker is not None else ()
    stored: Mapping[str, Any] = row.last_calls
    return {of.endpoint: _parsed(stored.get(of.endpoint)) for of in limits}


def _parsed(stored: object) -> str | None:
    try:
        return _time(datetime.fromisoformat(str(stored))) if stored else None
    except ValueError:
        return "other"


def connections(session: Session) -> list[dict[str, Any]]:
    """Each connection by its place in the list, with the place of its gateway."""
    known = codes()
    order = select(Gateway.id).order_by(Gateway.id)
    places = {of: place for place, of in enumerate(session.scalars(order), start=1)}
    query = select(Connection).options(joinedload(Connection.account)).order_by(Connection.id)
    return [
        {
            "connection": place,
            "gateway": places.get(row.gateway_id),
            "scheduled": row.sync_enabled,
            "paused_at": _time(row.paused_at),
            "next_run_at": _time(row.next_run_at),
            "synced_at": _time(row.account.synced_at),
            "attention": _known(row.account.attention_code, known),
        }
        for place, row in enumerate(session.scalars(query), start=1)
    ]


def runs(session: Session) -> list[dict[str, Any]]:
    """The last runs, the newest first: what became of them, and in how many seconds."""
    known = codes()
    told = SyncRun.started_at, SyncRun.finished_at, SyncRun.origin, SyncRun.status, SyncRun.error
    order = SyncRun.started_at.desc(), SyncRun.id.desc()
    newest = select(SyncRun).order_by(*order).limit(MOST_RUNS).options(load_only(*told))
    return [
        {
            "started_at": _time(row.started_at),
            "seconds": _seconds(row),
            "origin": _known(row.origin, ORIGINS),
            "status": _known(row.status, STATUSES),
            "error": _known(_code(row.error), known),
        }
        for row in session.scalars(newest)
    ]


def _seconds(row: SyncRun) -> int | None:
    if row.finished_at is None:
        return None
    return round((row.finished_at - row.started_at).total_seconds())


def _code(error: object) -> str | None:
    found = error.get("code") if isinstance(error, dict) else None
    return str(found) if found is not None else None
