"""Whether IBKR's two lists of positions may stand for one another; all of it pure.

The pages are the list that counts: their rows say whose they are and what is held. The other list
is a single answer, not from a cache, without terms and without the account. For a large account it
takes the place of the pages once both have said the same, and as long as it says that nothing but
prices has changed: whatever else is stored, the pages have said it. Where cash has moved something
has, so it is not even asked. Every tenth run reads the pages in any case, and compares.

What no check here can see: a single answer that stays behind a change that moves no cash, such as
a split. The broker's books and the next comparison see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec

from brokers.ibkr.mapping import Held, Line, repositioned
from brokers.types import Instrument, Ledger, Position

# Up to here the pages are as quick.
LARGE = 300
# Between two comparisons, whatever the first one has shown.
RUNS_BETWEEN = 9
# The ledger is single precision: beyond a cent, its fields are off by a millionth of their size.
CENTS, RELATIVE = Decimal("0.02"), Decimal("0.000001")
# The price moves between two calls, and is rounded; another unit shows at least as a factor of 5.
SAME_UNIT = 3
# Without these a row does not say what is held. Of some shares the kind is never said.
ESSENTIAL = frozenset({"currency", "symbol"})


class Before(msgspec.Struct, frozen=True, gc=False):
    """A holding as the pages last said it, kept small: there may be thousands.

    `fixed` are its quantity and average price as written, `said` which figures were known. What
    was `never_compared` is kept whole: the unit of its value in the other list is not known.
    """

    instrument: Instrument
    fixed: str
    said: int
    never_compared: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the pages last said, but for contracts of which they left something out."""

    positions: Mapping[str, Before]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the two lists of an account stand, for so many more `runs`.

    `seen` is None while they do not agree, or cannot be compared.
    """

    runs: int = RUNS_BETWEEN
    seen: Seen | None = None


def after_one_more(standing: Standing) -> Standing:
    """How they stand after one more run; after the last one, nothing needs be remembered."""
    return Standing(runs=standing.runs - 1, seen=standing.seen if standing.runs > 1 else None)


def to_compare(standing: Standing | None) -> bool:
    """Whether reading the pages of a large account also compares the lists."""
    return standing is None or standing.seen is not None or standing.runs == 0


def seen(positions: Iterable[Position], before: Seen | None = None) -> Seen:
    """What a reading leaves for the next one.

    `before` is what both lists have agreed upon, where this was a reading of the pages alone.
    """
    known = {
        of.instrument.key: Before(
            instrument=of.instrument,
            fixed=_fixed(of),
            said=_said(of),
            never_compared=_never_compared(of, before),
        )
        for of in positions
        if not of.instrument.guessed & ESSENTIAL
    }
    return Seen(positions=known)


def after_trade(standing: Standing, positions: Iterable[Position]) -> Standing:
    """How the lists stand once the pages alone were read, where they stood so before."""
    more = standing.runs > 0
    return replace(standing, seen=seen(positions, standing.seen) if more else None)


def _never_compared(of: Position, before: Seen | None) -> Position | None:
    """The position itself, where the other list was never compared with what is held there."""
    known = None if before is None else before.positions.get(of.instrument.key)
    is_new = known is None or known.instrument is not of.instrument or known.never_compared
    return of if before is not None and is_new else None


def cash_of(ledger: Ledger) -> dict[str, Decimal]:
    """The cash by currency."""
    return {row.currency: row.cash for row in ledger.rows}


def moved(earlier: Mapping[str, Decimal], later: Mapping[str, Decimal]) -> set[str]:
    """The currencies whose cash is another by more than the ledger's rounding."""
    zero = Decimal(0)
    return {
        code
        for code in earlier.keys() | later.keys()
        if abs(earlier.get(code, zero) - later.get(code, zero))
        > CENTS + RELATIVE * abs(later.get(code, zero))
    }


def agree(pages: Iterable[Position], pieces: Iterable[Sequence[Line]]) -> bool | None:
    """Whether both lists say the same, to the last digit; None where one is silent on something.

    All lines of a contract are in one of the `pieces`. Prices move between two calls, so of them
    only the unit is compared.
    """
    by_key = {of.instrument.key: of for of in pages}
    if any("currency" in of.instrument.guessed for of in by_key.values()):
        return None
    count, silent, same = 0, False, True
    for lines in pieces:
        held = repositioned(lines, by_key)
        if held is None:
            return False
        pairs = [(by_key[of.instrument.key], of) for of in held[0]]
        if any(one.quantity != other.quantity for one, other in pairs):
            return False
        count += len(pairs)
        silent = silent or any(_said(one) != _said(other) for one, other in pairs)
        same = same and all(_same_cost_and_unit(one, other) for one, other in pairs)
    if count != len(by_key):
        return False
    return None if silent else same


def has_traded(before: Mapping[str, Decimal], ledger: Ledger) -> bool:
    """Whether the books say that more than prices has changed since the cash was this."""
    return bool(moved(before, cash_of(ledger)))


def unchanged(lines: Iterable[Line], before: Seen) -> Held | None:
    """The account by the single answer, where nothing but prices has changed; None elsewhere."""
    held = repositioned(lines, before.positions)
    if held is None or len(held[0]) != len(before.positions) or len(held[0]) <= LARGE:
        return None
    same = all(_same_but_for_prices(before.positions[of.instrument.key], of) for of in held[0])
    return held if same else None


def _same_but_for_prices(before: Before, now: Position) -> bool:
    if not same_numbers(before.fixed, _fixed(now)) or before.said & ~_said(now):
        return False
    return before.never_compared is None or _same_cost_and_unit(before.never_compared, now)


def same_numbers(one: str, other: str) -> bool:
    """Whether two texts stand for the same numbers, however each is written."""
    return one == other or _numbers(one) == _numbers(other)


def _numbers(written: str) -> list[Decimal | None]:
    return [None if of == str(None) else Decimal(of) for of in written.split()]


def _fixed(of: Position) -> str:
    return f"{of.quantity!s} {of.average_price!s}"


def _said(of: Position) -> int:
    """Which figures are known, a bit each."""
    return (
        (of.average_price is not None)
        | (of.price is not None) << 1
        | (of.market_value is not None) << 2
        | (of.unrealized_pnl is not None) << 3
    )


def _same_cost_and_unit(one: Position, other: Position) -> bool:
    if one.average_price != other.average_price:
        return False
    # While no market is open, nothing has moved, and there is nothing to divide.
    if one.market_value == other.market_value and one.price == other.price:
        return True
    first, second = _unit(one), _unit(other)
    if first is None or second is None or first == second:
        return True
    small, large = sorted((abs(first), abs(second)))
    return first * second > 0 and large <= SAME_UNIT * small


def _unit(of: Position) -> Decimal | None:
    """What turns quantity times price into the value; None where there is no price."""
    if of.market_value is None or not of.price:
        return None
    return of.market_value / (of.quantity * of.price)
