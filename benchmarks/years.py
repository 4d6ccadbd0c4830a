"""Years of history, written straight into the database behind an account that was synced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portfolio.accounts.ecb import ECB
from portfolio.accounts.models import Account, DailyValue, Holding, Rate
from portfolio.connections.models import Connection
from portfolio.sync.models import FAILED, REJECTED, SUCCEEDED, Change, SyncRun
from portfolio.sync.services import NO_RECONCILIATION

AT_ONCE = 5_000
DAY = timedelta(days=1)
# The currencies of the European Central Bank's file.
REFERENCE = (
    *("AUD", "BGN", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "GBP", "HKD", "HUF", "IDR"),
    *("ILS", "INR", "ISK", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON"),
    *("SEK", "SGD", "THB", "TRY", "USD", "ZAR"),
)
AGREES = {"status": "agrees", "difference": "0.01", "currency": "USD", "likely_cause": None}
SAW = {"empty": False, "doubts": {}, "shrunk": []}
ERROR: dict[str, Any] = {
    "code": "gateway_unreachable",
    "message": "Nothing listens there.",
    "remedy": "Start the gateway and log in.",
    "fields": {},
    "retry_at": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Years:
    """How much history: so many days until `end`, with so many runs a day.

    One run of each day changed `fields` fields; one of `failing` failed.
    """

    end: datetime
    days: int
    runs_a_day: int = 48
    fields: int = 5
    failing: int = 50

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.days * self.runs_a_day

    def times(self) -> Iterator[datetime]:
        """When each run began, the oldest first."""
        first = datetime.combine(self.end.date(), time(), UTC) - self.days * DAY
        for number in range(self.runs):
            yield first + number * DAY / self.runs_a_day


def write(session: Session, account_id: int, of: Years) -> None:
    """Write the history of an account that is connected and was synced once."""
    account = session.get_one(Account, account_id)
    link = session.scalars(select(Connection).where(Connection.account_id == account_id)).one()
    _many(session, SyncRun, _runs(account, link, of))
    _many(session, Change, _changes(session, account, link, of))
    _many(session, DailyValue, _values(account, of))
    _many(session, Rate, _rates(account.portfolio.owner_id, link, of))


def _many(session: Session, table: type[Any], rows: Iterator[dict[str, Any]]) -> None:
    while some := list(islice(rows, AT_ONCE)):
        session.execute(insert(table), some)


def _runs(account: Account, link: Connection, of: Years) -> Iterator[dict[str, Any]]:
    for number, began in enumerate(of.times()):
        ended = began + timedelta(seconds=3)
        yield {
            "id": _id(number),
            "account_id": account.id,
            "connection_id": link.id,
            "origin": "schedule",
            "started_at": began,
            "finished_at": ended,
            "lease_until": ended,
            "warnings": [],
            "unchanged": 500,
            **_outcome(number, of, ended),
        }


def _id(number: int) -> str:
    return f"{number:032x}"


def _outcome(number: int, of: Years, ended: datetime) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(("added", "changed", "closed", "repriced"), 0)
    nothing |= {"reconciliation": NO_RECONCILIATION, "evidence": None, "error": None}
    nothing |= {"reason": None, "digest": None, "digest_before": None}
    changes = _changes_something(number, of)
    if not changes and number % of.failing == of.failing - 1:
        return {**nothing, "status": FAILED, "reason": ERROR["code"], "error": ERROR}
    seen = {**SAW, "shrunk_since": ended.isoformat()}
    read = {"evidence": seen, "reconciliation": AGREES, "digest_before": f"{number - 1:064x}"}
    if not changes and number % 1000 == 1:
        saw = {**seen, "saw": "3 holdings are missing"}
        return {**nothing, **read, "status": REJECTED, "reason": "shrink", "evidence": saw}
    changed = {"changed": of.fields} if changes else {}
    applied = {"status": SUCCEEDED, "digest": f"{number:064x}", "repriced": 500}
    return {**nothing, **read, **applied, **changed}


def _changes_something(number: int, of: Years) -> bool:
    return number % of.runs_a_day == of.runs_a_day // 2


def _changes(
    session: Session, account: Account, link: Connection, of: Years
) -> Iterator[dict[str, Any]]:
    """What one run of each day changed: fields of rows that are held now."""
    held = session.scalars(
        select(Holding.id).where(Holding.account_id == account.id).order_by(Holding.id)
    ).all()
    for day in range(of.days):
        number = day * of.runs_a_day + of.runs_a_day // 2
        for field in range(of.fields):
            place = (day * of.fields + field) % len(held)
            yield {
                "run_id": _id(number),
                "holding_id": held[place],
                "source": link.broker,
                "source_account": link.broker_account,
                "subject": "holding",
                "label": f"S{place}",
                "field": "quantity",
                "old": str(day),
                "new": str(day + 1),
            }


def _values(account: Account, of: Years) -> Iterator[dict[str, Any]]:
    for number in range(of.days):
        at = of.end - (of.days - number) * DAY
        yield {
            "account_id": account.id,
            "day": at.date(),
            "currency": account.currency,
            "net_liquidation": Decimal(1_000_000 + (number * 7919) % 300_000) + Decimal("0.37"),
            "read_at": at,
        }


def _rates(owner_id: int, link: Connection, of: Years) -> Iterator[dict[str, Any]]:
    """The broker's rates of each day, and the reference rates of each working day."""
    for number in range(of.days):
        at = of.end - (of.days - number) * DAY
        row = {"owner_id": owner_id, "day": at.date(), "read_at": at}
        wobble = Decimal(number % 97) / 10_000
        for place, currency in enumerate(("EUR", "GBP", "CHF", "JPY")):
            ours = {"from_currency": currency, "to_currency": "USD", "source": link.broker}
            yield {**row, **ours, "value": Decimal(place + 1) / 2 + wobble}
        for place, currency in enumerate(REFERENCE if at.weekday() < 5 else ()):
            theirs = {"from_currency": "EUR", "to_currency": currency, "source": ECB}
            yield {**row, **theirs, "value": Decimal(place + 1) / 2 + wobble}
