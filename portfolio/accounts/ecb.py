"""The daily euro reference rates of the European Central Bank: fetched, and read strictly.

Source: https://www.ecb.europa.eu/stats/eurofxref/, about thirty currencies, published on working
days around 16:00 CET; each rate is how much of the currency one euro buys.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import requests

from brokers.contract import Clock
from brokers.errors import Malformed
from brokers.http import Caller, Endpoint, public_session
from brokers.pacing import Pacer
from portfolio.db.base import typed_decimal
from portfolio.errors import RatesUnavailable

ECB = "ecb"
HOST = "https://www.ecb.europa.eu"
DAILY = Endpoint(method="GET", template="/stats/eurofxref/eurofxref-daily.xml", parameters={})
CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRate:
    """How much of a currency one euro buys on a day."""

    currency: str
    day: date
    value: Decimal


def fetch(clock: Clock) -> bytes:
    """Today's file, or `RatesUnavailable`; contacts the bank, so no transaction may be open."""
    try:
        with public_session() as session:
            answer = Caller(HOST, session, Pacer((), clock), clock).send(DAILY)
    except (requests.RequestException, Malformed) as error:
        raise RatesUnavailable("The European Central Bank could not be reached.") from error
    if answer.status != 200:
        raise RatesUnavailable(f"The European Central Bank answered with status {answer.status}.")
    return answer.body


def parse(raw: bytes) -> tuple[ReferenceRate, ...]:
    """All rates of a file, or `RatesUnavailable` where any part of it is not what it should be."""
    # Imported on first use: most never fetch rates.
    from xml.etree import ElementTree

    # A document type could define entities; the true file has none. In UTF-16, which the parser
    # would read as well, it would look otherwise, and have bytes of zero.
    if b"<!" in raw or b"\0" in raw:
        raise _odd()
    try:
        tree = ElementTree.fromstring(raw)  # noqa: S314  # no document type, so no entities
        rates = tuple(
            _rate(day.attrib["time"], cube.attrib)
            for day in tree.iter(CUBE)
            if "time" in day.attrib
            for cube in day.findall(CUBE)
        )
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise _odd() from error
    if not rates:
        raise _odd()
    return rates


def _rate(day: str, attributes: dict[str, str]) -> ReferenceRate:
    currency, value = attributes["currency"], typed_decimal(attributes["rate"])
    if value is None or value <= 0 or len(currency) != 3 or not currency.isalpha():
        raise ValueError(currency)
    return ReferenceRate(currency=currency, day=date.fromisoformat(day), value=value)


def _odd() -> RatesUnavailable:
    return RatesUnavailable("The European Central Bank sent something else than its rates.")
