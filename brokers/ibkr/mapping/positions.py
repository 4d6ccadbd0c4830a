"""Rows of positions as holdings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal, localcontext

from brokers.ibkr.mapping.instruments import Known, instrument, recognised
from brokers.ibkr.mapping.rows import key, quantity
from brokers.ibkr.mapping.values import Row, number
from brokers.types import Instrument, Position


def positions(
    rows: Iterable[Row],
    terms: Mapping[str, Row],
    base_currency: str,
    known: Known | None = None,
) -> tuple[tuple[Position, ...], frozenset[str]]:
    """The holdings, and the contracts listed with quantity 0; `known` remembers instruments."""
    held: dict[str, Position] = {}
    zero: set[str] = set()
    known = {} if known is None else known
    for row in rows:
        if row.get("assetClass") == "CASH":
            # The virtual currency positions are already in the ledger's cash.
            continue
        of, amount = key(row), quantity(row)
        if amount == 0:
            zero.add(of)
            continue
        found = _position(row, recognised(row, terms.get(of, {}), base_currency, known), amount)
        before = held.get(of)
        held[of] = found if before is None else merged(before, found)
    kept = {of: found for of, found in held.items() if found.quantity != 0}
    return tuple(kept.values()), frozenset((zero | held.keys()) - kept.keys())


def position(row: Row, terms: Row, base_currency: str) -> Position:
    """One holding from a row, full or lean, and what is known of its contract."""
    return _position(row, instrument(row, terms, base_currency), quantity(row))


def _position(row: Row, of: Instrument, amount: Decimal) -> Position:
    average = number(row.get("avgPrice"), "avgPrice")
    return Position(
        instrument=of,
        quantity=amount,
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
