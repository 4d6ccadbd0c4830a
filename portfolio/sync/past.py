"""What is known of an account before a run reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from brokers.types import Position
from portfolio.accounts.models import Account, AccountTotals, Portfolio
from portfolio.accounts.queries.rates import last_rates
from portfolio.sync.models import BY_UNDO, REJECTED, RUNNING, SUCCEEDED, Change, SyncRun
from portfolio.sync.plan import Source, Stored, Terms
from portfolio.sync.rates import Doubt
from portfolio.sync.reading import Past
from portfolio.sync.rows import instruments_of, stored_state

# An account that looks empty again and again is looked back at no further than this.
MOST_RUNS = 50


def past_of(
    session: Session,
    account: Account,
    source: Source,
    futures_profit_counts: bool | None,
    read: Iterable[Position] = (),
    *,
    connection_id: int | None,
) -> Past:
    """All that the next run of an account compares what it has `read` with.

    What runs have seen counts only while it was by the same connection: another one may be to
    another account of the broker.
    """
    base = session.scalar(
        select(AccountTotals.broker_currency).where(AccountTotals.account_id == account.id)
    )
    read = tuple(read)
    stored = stored_state(session, account, source, read)
    seen = _last_evidence(session, account.id, connection_id)
    nothing = not stored.cash and not any(row.is_open for row in stored.holdings)
    since = seen.get("shrunk_since")
    return Past(
        stored=stored,
        # Where nothing is stored, there is nothing to compare with either.
        first=nothing or _never_applied(session, account.portfolio.owner_id, source),
        emptied_before=emptied_before(session, account.id, connection_id),
        rates=_last_good(session, account, source, base),
        base_currency=base,
        doubts=_doubts(seen),
        futures_profit_counts=futures_profit_counts,
        shrunk=frozenset(seen.get("shrunk", ())),
        shrunk_since=datetime.fromisoformat(since) if since else None,
        known=_known(session, account.portfolio.owner_id, source, stored, read),
    )


def _known(
    session: Session, owner_id: int, source: Source, stored: Stored, read: Iterable[Position]
) -> Mapping[str, Terms]:
    """What the owner's other accounts know of what the broker left out of what is new here."""
    guessed = {of.instrument.key for of in read if of.instrument.guessed}
    # Nearly always there is none.
    new = sorted(guessed and guessed.difference(row.key for row in stored.holdings))
    if not new:
        return {}
    scheme = source.manifest.identifier_scheme
    found = instruments_of(session, owner_id, scheme, new)
    return {key: Terms(*of.described[: len(Terms._fields)]) for key, of in found.items()}


def _never_applied(session: Session, owner_id: int, source: Source) -> bool:
    """Whether this broker account never brought anything to any account of this owner."""
    query = (
        select(Change.id)
        .join(SyncRun, SyncRun.id == Change.run_id)
        .join(Account, Account.id == SyncRun.account_id)
        .join(Portfolio, Portfolio.id == Account.portfolio_id)
        .where(
            Portfolio.owner_id == owner_id,
            Change.source == source.manifest.key,
            Change.source_account == source.broker_account,
        )
    )
    return session.scalar(query.limit(1)) is None


def emptied_before(
    session: Session, account_id: int, connection_id: int | None
) -> datetime | None:
    """When a first run of a connection saw the account empty in both reads.

    None once one was applied after it.
    """
    # Which positions were missing stands there, too, and may be ten thousand of them.
    is_empty = SyncRun.evidence["empty"].as_boolean()
    wanted = SyncRun.status, SyncRun.started_at, SyncRun.connection_id, SyncRun.origin, is_empty
    query = select(*wanted).where(SyncRun.account_id == account_id, SyncRun.status != RUNNING)
    first: datetime | None = None
    newest = query.order_by(SyncRun.started_at.desc(), SyncRun.id.desc()).limit(MOST_RUNS)
    for status, started_at, by, origin, empty in session.execute(newest):
        if by != connection_id and origin == BY_UNDO:
            # What a former connection has brought was taken back meanwhile.
            continue
        if status == SUCCEEDED or by != connection_id:
            break
        if status == REJECTED and empty:
            first = started_at
    return first


def _last_good(
    session: Session, account: Account, source: Source, base: str | None
) -> dict[str, Decimal]:
    """The newest rate of each currency that this broker gave."""
    if base is None:
        return {}
    owner = account.portfolio.owner_id
    return last_rates(session, owner, source=source.manifest.key, to=base)


def _last_evidence(session: Session, account_id: int, connection_id: int | None) -> dict[str, Any]:
    """What the newest run that read anything has seen, if it was by this connection."""
    query = select(SyncRun.evidence, SyncRun.connection_id).where(
        SyncRun.account_id == account_id, SyncRun.evidence.is_not(None)
    )
    newest = query.order_by(SyncRun.started_at.desc(), SyncRun.id.desc()).limit(1)
    found = session.execute(newest).one_or_none()
    if found is None or found.connection_id != connection_id:
        return {}
    return found.evidence or {}


def _doubts(seen: Mapping[str, Any]) -> Mapping[str, Doubt]:
    """The rates that were not believed."""
    return {
        currency: Doubt(
            value=Decimal(doubt["value"]), since=datetime.fromisoformat(doubt["since"])
        )
        for currency, doubt in seen.get("doubts", {}).items()
    }
