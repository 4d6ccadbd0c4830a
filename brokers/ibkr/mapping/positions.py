"""Rows of positions as holdings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal, localcontext

from brokers.ibkr.mapping.instruments import instrument
from brokers.ibkr.mapping.rows import key, quantity
from brokers.ibkr.mapping.values import Row, number
from brokers.types import Position


def positions(
    rows: Iterable[Row], terms: Mapping[str, Row], base_currency: str
) -> tuple[tuple[Position, ...], frozenset[str]]:
    """The holdings, and the contracts listed with quantity 0."""
    held: dict[str, Position] = {}
    zero: set[str] = set()
    for row in rows:
        if row.get("assetClass") == "CASH":
            # The virtual currency positions are already in the ledger's cash.
            continue
        if quantity(row) == 0:
            zero.add(key(row))
            continue
        found = position(row, terms.get(key(row), {}), base_currency)
        before = held.get(found.instrument.key)
        held[found.instrument.key] = found if before is None else merged(before, found)
    kept = {of: found for of, found in held.items() if found.quantity != 0}
    return tuple(kept.values()), frozenset((zero | held.keys()) - kept.keys())


def position(row: Row, terms: Row, base_currency: str) -> Position:
    """One holding from a row, full or lean, and what is known of its contract."""
    average = number(row.get("avgPrice"), "avgPrice")
    return Position(
        instrument=instrument(row, terms, base_currency),
        quantity=quantity(row),
        average_price=average or None,
        price=number(row.get("mktPrice"), "mktPrice"),
        market_value=number(row.get("mktValue"), "mktValue"),
        unrealized_pnl=number(row.get("unrealizedPnl"), "unrealizedPnl"),
    )


def merged(one: Position, other: Position) -> Position:
    """The same contract under two models: summed, the average price weighted by quantity."""
    total = one.quantity + other.quantity
    average = None
    if one.average_price is not None and other.average_price is not None and total:
        with localcontext(prec=40):
            cost = one.average_price * one.quantity + other.average_price * other.quantity
            average = (cost / total).quantize(Decimal(1).scaleb(-12)).normalize()
    return replace(
        one,
        quantity=total,
        average_price=average,
        market_value=_sum(one.market_value, other.market_value),
        unrealized_pnl=_sum(one.unrealized_pnl, other.unrealized_pnl),
    )


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
