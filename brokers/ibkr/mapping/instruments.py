"""What is held: from the full row, the definition of the contract, or its description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brokers.ibkr import errors
from brokers.ibkr.mapping.rows import key
from brokers.ibkr.mapping.values import Row, currency, day, number, text
from brokers.types import Instrument, Kind, Right

KINDS = {
    "STK": Kind.STOCK,
    "OPT": Kind.OPTION,
    "FUT": Kind.FUTURE,
    "FOP": Kind.FUTURE_OPTION,
    "BOND": Kind.BOND,
    "BILL": Kind.BILL,
    "FUND": Kind.FUND,
    "CASH": Kind.FOREX,
    "CRYPTO": Kind.CRYPTO,
    "WAR": Kind.WARRANT,
    "IOPT": Kind.STRUCTURED,
    "CFD": Kind.CFD,
    "IND": Kind.INDEX,
    "CMDTY": Kind.COMMODITY,
    "PHYSS": Kind.COMMODITY,
    "EC": Kind.EVENT,
}
DERIVATIVES = frozenset({Kind.OPTION, Kind.FUTURE, Kind.FUTURE_OPTION, Kind.WARRANT})
OPTIONAL = frozenset({Kind.OPTION, Kind.FUTURE_OPTION, Kind.WARRANT, Kind.STRUCTURED, Kind.EVENT})
EXPIRING = DERIVATIVES | OPTIONAL | {Kind.BOND, Kind.BILL, Kind.OTHER}
RIGHTS = {"C": Right.CALL, "CALL": Right.CALL, "P": Right.PUT, "PUT": Right.PUT}
# All fields of a row that say what is held, the contract's id first.
DESCRIBING = (
    *("conid", "ticker", "fullName", "name", "currency", "assetClass", "type", "multiplier"),
    *("contractDesc", "listingExchange", "expiry", "lastTradingDay", "strike", "putOrCall"),
    *("undSym", "undConid"),
)
Known = dict[Any, tuple[tuple[Any, ...], Instrument]]
# The option's terms within a description: root, YYMMDD, C or P, strike x 1000, multiplier.
OCC = re.compile(r"\[\S+\s+(\d{6})([CP])(\d{8})(?:\s+([\d.]+))?\]")


def contracts(answer: Any) -> dict[str, Row]:
    """The terms of contracts by contract id."""
    rows = answer.get("secdef") if isinstance(answer, Mapping) else None
    if not isinstance(rows, list):
        raise errors.bad("The contract terms are not a list.")
    return {key(row): row for row in rows if isinstance(row, Mapping) and row.get("conid")}


def instrument(row: Row, terms: Row, base_currency: str) -> Instrument:
    """What is held: from the full row, the contract's terms, or the description, in this order."""
    described = _described(row)
    known = _Layers(row, terms, described)
    kind = _kind(known)
    description = text(row.get("contractDesc")) or ""
    first = description if kind not in DERIVATIVES else description.split(" ")[0]
    name = text(known.first("fullName", "name"))
    return Instrument(
        key=key(row),
        symbol=text(known.first("ticker")) or first or key(row),
        kind=kind,
        currency=currency_of(row, terms) or base_currency,
        name=name if kind not in DERIVATIVES or name else description or None,
        exchange=text(known.first("listingExchange")),
        multiplier=_multiplier(row, known, kind),
        expiry=day(known.first("expiry", "lastTradingDay")) if kind in EXPIRING else None,
        strike=number(known.first("strike"), "strike") or None if kind in OPTIONAL else None,
        right=RIGHTS.get(str(known.first("putOrCall")).upper()) if kind in OPTIONAL else None,
        underlying=(text(known.first("undSym")) or first) if kind in DERIVATIVES else None,
        underlying_key=text(known.first("undConid")),
        guessed=_guessed(row, terms, known),
    )


def _guessed(row: Row, terms: Row, known: _Layers) -> frozenset[str]:
    asset = known.first("assetClass")
    silent = {
        "currency": currency_of(row, terms) is None,
        # A fund that is traded like a share is told from one by its type only.
        "kind": asset is None or (asset == "STK" and known.first("type") is None),
        "symbol": known.first("ticker") is None,
    }
    return frozenset(name for name, applies in silent.items() if applies)


def recognised(row: Row, terms: Row, base_currency: str, known: Known) -> Instrument:
    """The same instrument; one whose row says nothing new of it is not worked out again."""
    described = (*map(row.get, DESCRIBING), base_currency, terms or None)
    before = known.get(described[0])
    if before is not None and before[0] == described:
        return before[1]
    found = instrument(row, terms, base_currency)
    if found.kind not in DERIVATIVES or row.get("multiplier"):
        # A multiplier that was derived depends on the figures as well.
        known[described[0]] = described, found
    return found


def currency_of(row: Row, terms: Row) -> str | None:
    """The currency of a position, or None where neither the row nor the contract says it."""
    return currency(row.get("currency")) or currency(terms.get("currency"))


class _Layers:
    """Several sources of one contract's fields; the first that has something wins."""

    def __init__(self, *sources: Row) -> None:
        self._sources = [source for source in sources if source]

    def first(self, *names: str) -> Any:
        """The first value that says something; 0 and "0" are how the vendor writes nothing."""
        for source in self._sources:
            for name in names:
                value = source.get(name)
                if value and value != "0" and value != "0.0":
                    return value
        return None


def _described(row: Row) -> Row:
    description = str(row.get("contractDesc") or "")
    match = OCC.search(description) if "[" in description else None
    if match is None:
        return {}
    expiry, right, strike, multiplier = match.groups()
    return {
        "expiry": f"20{expiry}",
        "putOrCall": right,
        "strike": Decimal(strike) / 1000,
        "multiplier": multiplier,
    }


def _kind(known: _Layers) -> Kind:
    kind = KINDS.get(str(known.first("assetClass")), Kind.OTHER)
    return Kind.ETF if kind is Kind.STOCK and known.first("type") == "ETF" else kind


def _multiplier(row: Row, known: _Layers, kind: Kind) -> Decimal:
    given = number(known.first("multiplier"), "multiplier")
    if given:
        return given
    return _derived(row) if kind in DERIVATIVES else Decimal(1)


def _derived(row: Row) -> Decimal:
    """What turns the price into the value, where the vendor does not say it."""
    pairs = (
        (row.get("avgCost"), row.get("avgPrice")),
        (row.get("mktValue"), _times(row.get("position"), row.get("mktPrice"))),
    )
    for whole, part in pairs:
        top, bottom = number(whole, "avgCost"), number(part, "avgPrice")
        if top and bottom and round(top / bottom) > 0:
            return Decimal(round(top / bottom))
    return Decimal(1)


def _times(left: Any, right: Any) -> Decimal | None:
    first, second = number(left, "position"), number(right, "mktPrice")
    return None if first is None or second is None else first * second
