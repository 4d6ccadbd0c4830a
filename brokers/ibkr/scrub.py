"""Takes out of a gateway's answers who somebody is and what they own, so that they still add up.

Texts are replaced letter by letter and digit by digit, the same always by the same. Quantities are
multiplied by one secret factor and prices by another, so money moves by both and the books
still close. What is not known to be harmless counts as secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from typing import Any

# Words of the vendor that mean the same for everybody.
OPEN = frozenset(
    "assetClass secType type currency putOrCall right expiry lastTradingDay listingExchange"
    " countryCode clearingStatus tradingType key secondkey error message strike multiplier".split()
)
# Numbers about the contract, the session or the answer itself.
KEPT = frozenset(
    "exchangerate strike multiplier pageSize severity timestamp time statusCode ssoExpires"
    " EXPIRES LOGIN_TYPE accountStatus lowerEdge increment magnification decimalDigits"
    " wholeDigits displayRuleStep".split()
)
PRICES = frozenset("mktPrice avgPrice avgCost marketPrice baseMktPrice baseAvgPrice".split())
QUANTITIES = frozenset({"position"})
IDS = frozenset("conid undConid userId USER_ID sessionid".split())
ACCOUNT = re.compile(r"\b[A-Z]{1,3}\d{4,12}[A-Z]?\b", re.ASCII)
NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DISTINCT_FROM = 4


class GatewayScrubber:
    """Satisfies `brokers.contract.Scrubber`; `draw(n)` gives a number from 0 to n - 1."""

    def __init__(self, draw: Callable[[int], int]) -> None:
        self._draw = draw
        self._known: dict[str, str] = {}
        self._given: set[str] = set()
        self._quantity = Decimal(draw(9_000) + 1_000) / 2_000
        self._price = Decimal(draw(9_000) + 1_000) / 2_000

    def answer(self, value: Any) -> Any:
        """A decoded answer, scrubbed."""
        return self._value("", value)

    def path(self, path: str) -> str:
        """A text in which account ids are replaced."""
        return ACCOUNT.sub(lambda found: self._text(found.group()), path)

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {self.path(key): self._value(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(name, inner) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._string(name, value)
        if name in IDS:
            return int(self._text(str(value))) if value else value
        return self._number(name, Decimal(value)) if name not in KEPT else value

    def _string(self, name: str, value: str) -> str:
        if name in OPEN or name in KEPT:
            return self.path(value)
        if name not in IDS and NUMBER.fullmatch(value):
            return format(self._number(name, Decimal(value)), "f")
        return "BASE" if value == "BASE" else self._text(value)

    def _number(self, name: str, value: Decimal) -> Decimal:
        with localcontext(prec=60):
            if name in QUANTITIES:
                return value * self._quantity
            if name in PRICES:
                return value * self._price
            return value * self._quantity * self._price

    def _text(self, text: str) -> str:
        """Another text of the same shape, the same for the same; two long ones always differ."""
        while text not in self._known:
            drawn = "".join(map(self._character, text))
            if drawn == text and any(map(str.isalnum, text)):
                continue
            if drawn not in self._given or len(text) < DISTINCT_FROM:
                self._known[text] = drawn
                self._given.add(drawn)
        return self._known[text]

    def _character(self, character: str) -> str:
        if character.isdigit():
            # No zero: a number that begins with one would be another number.
            return str(self._draw(9) + 1)
        if character.isalpha():
            other = LETTERS[self._draw(26)]
            return other.upper() if character.isupper() else other
        return character
