"""Which exchange rates of the books are believed: a jump waits until something confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.types import Ledger
from portfolio.db.base import MONEY
from portfolio.sync.reconcile import net, rounding, tolerance

LARGEST_JUMP = Decimal("0.1")
BETWEEN_DOUBTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A rate that jumped, and when it was first seen."""

    value: Decimal
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """The rates to store, by currency, and those that wait for confirmation."""

    rates: Mapping[str, Decimal]
    doubts: Mapping[str, Doubt]


def believe(
    ledger: Ledger,
    last_good: Mapping[str, Decimal],
    doubted: Mapping[str, Doubt],
    now: datetime,
) -> Believed:
    """What to believe of the ledger's rates; `last_good` are those stored for the same base."""
    said = {row.currency: row.rate_to_base for row in ledger.rows}
    known = {currency: rate for currency, rate in said.items() if rate is not None}
    jumps = {
        currency: rate
        for currency, rate in known.items()
        if currency in last_good and _jumped(last_good[currency], rate)
    }
    closes = books_close(ledger)
    if closes:
        jumps = {
            currency: rate
            for currency, rate in jumps.items()
            if not _would_show(ledger, currency, rate - last_good[currency])
        }
    doubts = {
        currency: _doubt(rate, doubted.get(currency), now) for currency, rate in jumps.items()
    }
    waiting = {
        currency: doubt
        for currency, doubt in doubts.items()
        # Time confirms nothing that the books refute.
        if now - doubt.since < BETWEEN_DOUBTS or closes is False
    }
    rates = {currency: rate for currency, rate in known.items() if currency not in waiting}
    return Believed(rates=rates, doubts=waiting)


def _would_show(ledger: Ledger, currency: str, jump: Decimal) -> bool:
    """Whether the books could not close if the jump were wrong."""
    worth = next((r.net_liquidation for r in ledger.rows if r.currency == currency), None)
    total = ledger.total.net_liquidation
    if worth is None:
        return False
    allowed = tolerance([worth, total]) + rounding(ledger, net)
    return abs(MONEY.multiply(worth, jump)) > allowed


def books_close(ledger: Ledger) -> bool | None:
    """Whether the rows of the books add up to their total with their rates; None if not known."""
    total = ledger.total.net_liquidation
    parts = []
    for row in ledger.rows:
        if row.net_liquidation is None or (row.net_liquidation and row.rate_to_base is None):
            return None
        parts.append(MONEY.multiply(row.net_liquidation, row.rate_to_base or Decimal(0)))
    if total is None:
        return None
    allowed = tolerance([*parts, total]) + rounding(ledger, net)
    return abs(sum(parts, Decimal(0)) - total) <= allowed


def _jumped(before: Decimal, after: Decimal) -> bool:
    return abs(after - before) > MONEY.multiply(LARGEST_JUMP, before)


def _doubt(rate: Decimal, before: Doubt | None, now: datetime) -> Doubt:
    """The same doubt where an earlier run saw about the same rate, else a new one."""
    if before is not None and not _jumped(before.value, rate):
        return Doubt(value=rate, since=before.since)
    return Doubt(value=rate, since=now)
