"""What is held: from the full row, the definition of the contract, or its description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b
from sys import intern
from typing import Any, NamedTuple

import msgspec

from brokers.ibkr import errors
from brokers.ibkr.mapping.rows import is_lean, key
from brokers.ibkr.mapping.values import Row, currency, day, number, text
from brokers.types import ONE, Instrument, Kind, Right

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
# Contract terms change only with corporate actions.
TERMS_LAST = 30 * 24 * 3600
DIGEST = 16
ENCODE = msgspec.json.Encoder().encode
ALL: frozenset[str] = frozenset()


class Recognised(NamedTuple):
    """An instrument, and by what it is recognised: a digest of all that its row said of it.

    `terms_at` is when the contract's terms were read, if the row needed them; `is_derived` is
    whether the multiplier follows from the figures, which are not in the digest.
    """

    said: bytes
    instrument: Instrument
    terms_at: int | None
    is_derived: bool


Known = dict[str, Recognised]
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
    known = _layers(row, terms)
    kind = _kind(known)
    description = text(row.get("contractDesc")) or ""
    first = description if kind not in DERIVATIVES else description.split(" ")[0]
    name, exchange = text(known.first("fullName", "name")), text(known.first("listingExchange"))
    return Instrument(
        key=key(row),
        symbol=text(known.first("ticker")) or first or key(row),
        kind=kind,
        currency=currency_of(row, terms) or base_currency,
        name=name if kind not in DERIVATIVES or name else description or None,
        exchange=intern(exchange) if exchange else None,
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
    # Most rows say all: they share one set.
    return frozenset(name for name, of in silent.items() if of) if any(silent.values()) else ALL


def recognised(row: Row, base_currency: str, known: Known, now: int) -> Instrument | None:
    """What is held, if its row says it or said the same before; None where it needs the terms."""
    before = known.get(key(row))
    lean = is_lean(row)
    if before is not None and before.said == _said(row, base_currency):
        if not lean or _is_fresh(before.terms_at, now):
            return _with_multiplier(before, row)
        return None
    return None if lean else learnt(row, {}, base_currency, known, None)


def learnt(
    row: Row, terms: Row, base_currency: str, known: Known, terms_at: int | None
) -> Instrument:
    """What is held, worked out and remembered."""
    found = instrument(row, terms, base_currency)
    derived = found.kind in DERIVATIVES and _given_multiplier(_layers(row, terms)) is None
    said = _said(row, base_currency)
    known[found.key] = Recognised(said, found, terms_at if terms else None, derived)
    return found


def _said(row: Row, base_currency: str) -> bytes:
    """A digest of all that says what is held; nothing, 0 and an empty text are the same."""
    said = [value or None for value in map(row.get, DESCRIBING)]
    return blake2b(ENCODE([*said, base_currency]), digest_size=DIGEST).digest()


def _is_fresh(read_at: int | None, now: int) -> bool:
    return read_at is not None and now - read_at <= TERMS_LAST


def _with_multiplier(before: Recognised, row: Row) -> Instrument:
    if not before.is_derived:
        return before.instrument
    multiplier = _derived(row)
    of = before.instrument
    return of if of.multiplier == multiplier else replace(of, multiplier=multiplier)


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


def _layers(row: Row, terms: Row) -> _Layers:
    return _Layers(row, terms, _described(row))


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
    given = _given_multiplier(known)
    if given is not None:
        return given
    return _derived(row) if kind in DERIVATIVES else ONE


def _given_multiplier(known: _Layers) -> Decimal | None:
    return number(known.first("multiplier"), "multiplier") or None


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
    return ONE


def _times(left: Any, right: Any) -> Decimal | None:
    first, second = number(left, "position"), number(right, "mktPrice")
    return None if first is None or second is None else first * second
