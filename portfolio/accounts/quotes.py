"""How the last known quote of a broker's row follows another quantity or average price; pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from portfolio.db.base import MONEY

# Brokers round the average price after a split.
SAME_COST = Decimal("0.00001")
DECIMALS = Decimal(1).scaleb(-20)


class Quoted(NamedTuple):
    """The figures of a holding as they are stored, in its instrument's currency."""

    quantity: Decimal
    average_price: Decimal | None
    price: Decimal | None
    market_value: Decimal | None
    unrealized_pnl: Decimal | None


def quoted_at(of: Quoted, known: datetime | None, read_at: datetime | None) -> datetime | None:
    """When a quote was read that the broker does not renew; None where there is none.

    `known` is what is stored already, and `read_at` the account's last read that had it.
    """
    has_quote = any(each is not None for each in (of.price, of.market_value, of.unrealized_pnl))
    return known or (read_at if has_quote else None)


def revalued(before: Quoted, after: Quoted, multiplier: Decimal) -> Quoted:
    """`after` with the value and the profit that follow from its quantity and its prices.

    The broker's own value per unit of price is kept: bonds, and quotes in minor units, stay right.
    """
    size = _size(before, multiplier)
    value = _times(after.quantity, after.price, size)
    return _with_profit(before, after._replace(market_value=value), size)


def _size(of: Quoted, multiplier: Decimal) -> Decimal:
    return _per_unit(of.market_value, of.quantity, of.price) or multiplier


def _with_profit(before: Quoted, after: Quoted, size: Decimal) -> Quoted:
    """`after` with the profit that its value and its average price leave."""
    cost = None
    if before.market_value is not None and before.unrealized_pnl is not None:
        cost = MONEY.subtract(before.market_value, before.unrealized_pnl)
    cost_size = _per_unit(cost, before.quantity, before.average_price) or size
    # One of 0 says that it is not known, and no profit follows from it.
    at_cost = _times(after.quantity, after.average_price or None, cost_size)
    value = after.market_value
    profit = None if value is None or at_cost is None else MONEY.subtract(value, at_cost)
    return after._replace(unrealized_pnl=profit)


def rescaled(
    before: Quoted, multiplier: Decimal, quantity: Decimal, average: Decimal | None
) -> Quoted:
    """The last known quote after another quantity and average price, which it follows.

    A quantity and an average that move against each other are a split: the price moves with them.
    """
    after = before._replace(quantity=quantity, average_price=average)
    if not before.quantity or (before.quantity, before.average_price) == (quantity, average):
        return after
    if before.quantity == quantity:
        return _with_profit(before, after, _size(before, multiplier))
    if before.price is not None and _is_split(before, quantity, average):
        price = MONEY.divide(MONEY.multiply(before.price, before.quantity), quantity)
        after = after._replace(price=MONEY.quantize(price, DECIMALS).normalize(MONEY))
    return revalued(before, after, multiplier)


def _is_split(before: Quoted, quantity: Decimal, average: Decimal | None) -> bool:
    if not average or not before.average_price:
        return False
    cost = MONEY.multiply(before.quantity, before.average_price)
    apart = abs(cost - MONEY.multiply(quantity, average))
    return apart <= MONEY.multiply(SAME_COST, abs(cost))


def _per_unit(
    value: Decimal | None, quantity: Decimal | None, price: Decimal | None
) -> Decimal | None:
    if value is None or not quantity or not price:
        return None
    return MONEY.divide(value, MONEY.multiply(quantity, price))


def _times(quantity: Decimal, price: Decimal | None, size: Decimal) -> Decimal | None:
    if price is None:
        return None
    return MONEY.quantize(MONEY.multiply(MONEY.multiply(quantity, price), size), DECIMALS)
