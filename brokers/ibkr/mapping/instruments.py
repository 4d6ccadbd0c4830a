"""What is held: from the full row, the definition of the contract, or its description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from sys import intern
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from brokers.ibkr import errors
from brokers.ibkr.mapping.rows import key
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
# Of these a multiplier is never said, and is 1.
SINGLE = frozenset({Kind.STOCK, Kind.ETF})
RIGHTS = {"C": Right.CALL, "CALL": Right.CALL, "P": Right.PUT, "PUT": Right.PUT}
# Fields that a row may lack, and its contract's terms have.
TERMS = (
    *("ticker", "fullName", "name", "assetClass", "type", "multiplier", "listingExchange"),
    *("expiry", "lastTradingDay", "strike", "putOrCall", "undSym", "undConid"),
)
# All fields of a row that say what is held, those first that are looked at by their place.
DESCRIBING = ("currency", "contractDesc", *TERMS)
NOTHING = ("0", "0.0")
# Contract terms change only with corporate actions.
TERMS_LAST = 30 * 24 * 3600
DIGEST = 16
ENCODE = msgspec.json.Encoder().encode
ALL: frozenset[str] = frozenset()


class Told(NamedTuple):
    """What a row tells: of which contract, what it is by `DESCRIBING`, and its figures.

    Nothing, 0 and an empty text are the same in `described`.
    """

    key: str
    described: Sequence[Any]
    figures: Row

    @property
    def currency(self) -> str | None:
        """The currency, as far as the row tells it."""
        return currency(self.described[0])

    @property
    def is_lean(self) -> bool:
        """Whether the row came without its contract's terms."""
        return self.described[2] is None or self.currency is None


class Recognised(msgspec.Struct, frozen=True, gc=False):
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


def told(of: str, row: Row) -> Told:
    """The row of a contract, taken apart."""
    return Told(of, [of or None for of in map(row.get, DESCRIBING)], row)


def instrument(of: Told, terms: Row, base_currency: str) -> Instrument:
    """What is held: from the full row, the contract's terms, or the description, in this order."""
    known = _facts(of, terms)
    code = of.currency or currency(terms.get("currency"))
    asset, sort, ticker = known.get("assetClass"), known.get("type"), known.get("ticker")
    kind = KINDS.get(str(asset), Kind.OTHER)
    if kind is Kind.STOCK and sort == "ETF":
        kind = Kind.ETF
    description = text(of.described[1]) or ""
    first = description if kind not in DERIVATIVES else description.split(" ")[0]
    name, exchange = text(known.get("name")), text(known.get("listingExchange"))
    multiplier = _multiplier(of.figures, known, kind)
    no_multiplier = multiplier is None and kind not in SINGLE
    return Instrument(
        key=of.key,
        symbol=text(ticker) or first or of.key,
        kind=kind,
        currency=code or base_currency,
        name=name if kind not in DERIVATIVES or name else description or None,
        exchange=intern(exchange) if exchange else None,
        multiplier=ONE if multiplier is None else multiplier,
        expiry=day(known.get("expiry")) if kind in EXPIRING else None,
        strike=number(known.get("strike"), "strike") or None if kind in OPTIONAL else None,
        right=RIGHTS.get(str(known.get("putOrCall")).upper()) if kind in OPTIONAL else None,
        underlying=(text(known.get("undSym")) or first) if kind in DERIVATIVES else None,
        underlying_key=text(known.get("undConid")),
        guessed=_guessed(code, asset, sort, ticker, no_multiplier=no_multiplier),
    )


def _guessed(
    code: str | None, asset: Any, sort: Any, ticker: Any, *, no_multiplier: bool
) -> frozenset[str]:
    if None not in (code, asset, sort, ticker) and not no_multiplier:
        return ALL
    silent = {
        "currency": code is None,
        # A fund that is traded like a share is told from one by its type only.
        "kind": asset is None or (asset == "STK" and sort is None),
        "symbol": ticker is None,
        "multiplier": no_multiplier,
    }
    # Most rows say all: they share one set.
    return frozenset(name for name, of in silent.items() if of) or ALL


def recognised(of: Told, base_currency: str, known: Known, now: int) -> Instrument | None:
    """What is held, if its row says it or said the same before; None where it needs the terms."""
    before, lean = known.get(of.key), of.is_lean
    if before is not None and before.said == _digest(of, base_currency):
        if not lean or _is_fresh(before.terms_at, now):
            return _with_multiplier(before, of.figures)
        return None
    return None if lean else learnt(of, {}, base_currency, known, None)


def learnt(
    of: Told, terms: Row, base_currency: str, known: Known, terms_at: int | None
) -> Instrument:
    """What is held, worked out and remembered."""
    found = instrument(of, terms, base_currency)
    derived = found.kind in DERIVATIVES and _given_multiplier(_facts(of, terms)) is None
    said = _digest(of, base_currency)
    known[of.key] = Recognised(said, found, terms_at if terms else None, derived)
    return found


def _digest(of: Told, base_currency: str) -> bytes:
    """A digest of all that says what is held."""
    return blake2b(ENCODE((of.described, base_currency)), digest_size=DIGEST).digest()


def _is_fresh(read_at: int | None, now: int) -> bool:
    return read_at is not None and now - read_at <= TERMS_LAST


def _with_multiplier(before: Recognised, row: Row) -> Instrument:
    if not before.is_derived:
        return before.instrument
    of, derived = before.instrument, _derived(row)
    multiplier = ONE if derived is None else derived
    is_known = "multiplier" not in of.guessed
    if of.multiplier == multiplier and is_known is (derived is not None):
        return of
    others = of.guessed - {"multiplier"}
    guessed = others | {"multiplier"} if derived is None else others or ALL
    return replace(of, multiplier=multiplier, guessed=guessed)


def _facts(of: Told, terms: Row) -> Row:
    """What is said of a contract; the first of its sources that says something wins."""
    known = _said_by(zip(TERMS, of.described[2:], strict=True))
    if terms:
        known = _said_by(zip(TERMS, map(terms.get, TERMS), strict=True)) | known
    within = _described(str(of.described[1] or ""))
    return _said_by(within.items()) | known if within else known


def _said_by(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """What one source says; 0 and "0" are how the vendor writes nothing."""
    said = {name: of for name, of in pairs if of and of not in NOTHING}
    if "fullName" in said:
        said["name"] = said["fullName"]
    if "lastTradingDay" in said:
        said.setdefault("expiry", said["lastTradingDay"])
    return said


def _described(description: str) -> Row:
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


def _multiplier(row: Row, known: Row, kind: Kind) -> Decimal | None:
    """The multiplier as it is said, or as it follows from the figures; None where neither is."""
    given = _given_multiplier(known)
    if given is not None:
        return given
    return _derived(row) if kind in DERIVATIVES else None


def _given_multiplier(known: Row) -> Decimal | None:
    return number(known.get("multiplier"), "multiplier") or None


def _derived(row: Row) -> Decimal | None:
    """What turns the price into the value, where the vendor does not say it; None without both."""
    pairs = (
        (row.get("avgCost"), row.get("avgPrice")),
        (row.get("mktValue"), _times(row.get("position"), row.get("mktPrice"))),
    )
    for whole, part in pairs:
        top, bottom = number(whole, "avgCost"), number(part, "avgPrice")
        if top and bottom and round(top / bottom) > 0:
            return Decimal(round(top / bottom))
    return None


def _times(left: Any, right: Any) -> Decimal | None:
    first, second = number(left, "position"), number(right, "mktPrice")
    return None if first is None or second is None else first * second
