"""Rows of positions as holdings."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

from msgspec.structs import replace

from brokers.ibkr.mapping.instruments import instrument, told
from brokers.ibkr.mapping.rows import key, quantity
from brokers.ibkr.mapping.values import EXACT, Row, number
from brokers.types import Instrument, Position

# The holdings, and the contracts of which a row of quantity 0 proves that nothing is held.
Held = tuple[tuple[Position, ...], frozenset[str]]
# What a holding, and a multiplier that is not said, are worked out from.
FIGURES = ("position", "avgPrice", "avgCost", "mktPrice", "mktValue", "unrealizedPnl")


def position(row: Row, terms: Row, base_currency: str) -> Position:
    """One holding from a row, full or lean, and what is known of its contract."""
    return position_of(row, instrument(told(key(row), row), terms, base_currency), quantity(row))


def position_of(row: Row, of: Instrument, amount: Decimal) -> Position:
    """A holding of a known instrument, with the figures of its row."""
    average = number(row.get("avgPrice"), "avgPrice")
    return Position(
        instrument=of,
        quantity=amount,
        average_price=average or None,
        price=number(row.get("mktPrice"), "mktPrice"),
        market_value=number(row.get("mktValue"), "mktValue"),
        unrealized_pnl=number(row.get("unrealizedPnl"), "unrealizedPnl"),
    )


def summed(found: Sequence[Position]) -> tuple[Position, ...]:
    """One holding a contract, however many models it stands in."""
    if len({of.instrument.key for of in found if of.quantity}) == len(found):
        # No contract stands in several models: the usual case.
        return tuple(found)
    return each_summed(found)


def each_summed(found: Sequence[Position]) -> tuple[Position, ...]:
    """The same, whatever stands in how many models."""
    parts: dict[str, list[Position]] = {}
    for each in found:
        parts.setdefault(each.instrument.key, []).append(each)
    whole = (of[0] if len(of) == 1 else _merged(of) for of in parts.values())
    return tuple(of for of in whole if of.quantity)


def _merged(parts: Sequence[Position]) -> Position:
    """The same contract under several models, in whatever order they came.

    Summed, and the average price weighted by quantity.
    """
    with localcontext(prec=EXACT):
        total = sum((of.quantity for of in parts), Decimal(0))
        costs = [of.average_price * of.quantity for of in parts if of.average_price is not None]
        average = None
        if total and len(costs) == len(parts):
            average = (sum(costs) / total).quantize(Decimal(1).scaleb(-12)).normalize()
        return replace(
            parts[0],
            quantity=total,
            average_price=average,
            market_value=_sum([of.market_value for of in parts]),
            unrealized_pnl=_sum([of.unrealized_pnl for of in parts]),
        )


def _sum(parts: Sequence[Decimal | None]) -> Decimal | None:
    known = [part for part in parts if part is not None]
    return sum(known, Decimal(0)) if len(known) == len(parts) else None
