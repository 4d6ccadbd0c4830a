"""The list of positions that comes in one answer: other names, no terms, and no account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from brokers.errors import Foreign, Incomplete
from brokers.ibkr import errors
from brokers.ibkr.mapping.instruments import ENCODE
from brokers.ibkr.mapping.positions import Held, summed
from brokers.ibkr.mapping.rows import FOREIGN, identity, quantity, totals
from brokers.ibkr.mapping.values import Row, currency, number
from brokers.types import Instrument, Position


class Line(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One row of the list; `currency` is None only where nothing is held."""

    key: str
    quantity: Decimal
    currency: str | None
    average_price: Decimal | None
    price: Decimal | None
    market_value: Decimal | None
    unrealized_pnl: Decimal | None
    in_model: bool


class Holds(Protocol):
    """What knows its instrument."""

    @property
    def instrument(self) -> Instrument:
        """What is held."""


TOGETHER = 100
LINES = msgspec.json.Decoder(list[Line])


def uncached(
    answer: Any, account_id: str, beside: Mapping[str, Position] | None = None
) -> list[Line]:
    """The lines of the list, each contract of a model once.

    The vendor does not say whose they are, so a mix-up of accounts shows only beside the pages.
    Where a line says what was read `beside` it, it shares the numbers, of thousands a megabyte.
    """
    if isinstance(answer, Mapping | str) or not isinstance(answer, Iterable):
        raise errors.bad("The uncached positions are not a list.")
    found: dict[tuple[str, str], Line] = {}
    for row in answer:
        if not isinstance(row, dict):
            raise errors.bad("A row of the uncached positions is not one.")
        if row.get("acctId", account_id) != account_id:
            raise Foreign(FOREIGN)
        if (row.get("assetClass") or row.get("secType")) == "CASH":
            continue
        of = identity(row)
        if of in found:
            raise Incomplete("An uncached position came twice.")
        found[of] = _line(of, row, beside.get(of[0]) if beside else None)
    return list(found.values())


def _line(of: tuple[str, str], row: Row, beside: Position | None) -> Line:
    amount, code = quantity(row), currency(row.get("currency"))
    if amount and code is None:
        raise errors.bad("An uncached position has no currency.")
    average = number(row.get("avgPrice"), "avgPrice") or None
    price = number(row.get("marketPrice"), "marketPrice")
    value = number(row.get("marketValue"), "marketValue")
    profit = number(row.get("unrealizedPnl"), "unrealizedPnl")
    if beside is not None:
        average = _shared(average, beside.average_price)
        price = _shared(price, beside.price)
        value = _shared(value, beside.market_value)
        profit = _shared(profit, beside.unrealized_pnl)
    return Line(of[0], amount, code, average, price, value, profit, bool(of[1]))


def _shared(figure: Decimal | None, same: Decimal | None) -> Decimal | None:
    return same if figure == same else figure


class Waiting:
    """Lines until they are compared, small: there may be thousands.

    They come back in pieces, in which all lines of a contract are in the same one.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        seen = Counter(line.key for line in lines)
        several = [line for line in lines if seen[line.key] > 1]
        single = [line for line in lines if seen[line.key] == 1]
        starts = range(0, len(single), TOGETHER)
        pieces = [several, *(single[start : start + TOGETHER] for start in starts)]
        self._pieces = [ENCODE(piece) for piece in pieces]

    def __iter__(self) -> Iterator[list[Line]]:
        """The lines, some at a time."""
        return map(LINES.decode, self._pieces)


def repositioned(lines: Iterable[Line], known: Mapping[str, Holds]) -> Held | None:
    """The holdings by these lines, their terms as they are in `known`.

    None where a contract is held that is not known there, or is in another currency. As in the
    pages, a line of 0 proves nothing where there are models.
    """
    found: list[Position] = []
    zero: set[str] = set()
    strange: list[Line] = []
    with_models = False
    for line in lines:
        with_models = with_models or line.in_model
        before = known.get(line.key)
        if not line.quantity:
            zero.add(line.key)
        elif before is None:
            strange.append(line)
        elif before.instrument.currency != line.currency:
            return None
        else:
            found.append(_position(line, before.instrument))
    # Models may cancel each other out: then nothing is held, and the pages show no terms.
    if any(listed(strange).values()):
        return None
    return summed(found), frozenset() if with_models else frozenset(zero)


def _position(line: Line, of: Instrument) -> Position:
    return Position(
        instrument=of,
        quantity=line.quantity,
        average_price=line.average_price,
        price=line.price,
        market_value=line.market_value,
        unrealized_pnl=line.unrealized_pnl,
    )


def listed(lines: Iterable[Line]) -> dict[str, Decimal]:
    """How much of each contract the lines list; a quantity of 0 is among them."""
    return totals((line.key, line.quantity) for line in lines)
