"""The vendor's rows in our words: the only file that knows the names of their fields.

Every field but the contract id and the quantity may be missing, null, a string or a number.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from brokers.errors import Foreign, Incomplete
from brokers.ibkr import errors
from brokers.types import (
    BrokerAccount,
    Instrument,
    Kind,
    Ledger,
    LedgerRow,
    Position,
    Right,
    ValueClass,
)

Row = Mapping[str, Any]

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
CLASSES = {
    "stockmarketvalue": ValueClass.STOCKS,
    "stockoptionmarketvalue": ValueClass.OPTIONS,
    "futuremarketvalue": ValueClass.FUTURES,
    "futuresonlypnl": ValueClass.FUTURES_PNL,
    "futureoptionmarketvalue": ValueClass.FUTURE_OPTIONS,
    "commoditymarketvalue": ValueClass.COMMODITIES,
    "corporatebondsmarketvalue": ValueClass.CORPORATE_BONDS,
    "tbondsmarketvalue": ValueClass.GOVERNMENT_BONDS,
    "tbillsmarketvalue": ValueClass.BILLS,
    "warrantsmarketvalue": ValueClass.WARRANTS,
    "issueroptionsmarketvalue": ValueClass.STRUCTURED,
    "funds": ValueClass.FUNDS,
    "moneyfunds": ValueClass.MONEY_FUNDS,
    "cryptocurrencyvalue": ValueClass.CRYPTO,
}
DERIVATIVES = frozenset({Kind.OPTION, Kind.FUTURE, Kind.FUTURE_OPTION, Kind.WARRANT})
RIGHTS = {"C": Right.CALL, "CALL": Right.CALL, "P": Right.PUT, "PUT": Right.PUT}
BASE = "BASE"
# The option's terms within a description: root, YYMMDD, C or P, strike x 1000, multiplier.
OCC = re.compile(r"\[\S+\s+(\d{6})([CP])(\d{8})(?:\s+([\d.]+))?\]")


def account(row: Any) -> BrokerAccount:
    """One row of the account list."""
    if not isinstance(row, Mapping) or not row.get("accountId", row.get("id")):
        raise errors.bad("A row of the account list has no id.")
    name = row.get("accountAlias") or row.get("displayName") or row.get("accountTitle")
    key = str(row.get("accountId") or row.get("id"))
    return BrokerAccount(
        id=key,
        name=_text(name) or key,
        currency=_text(row.get("currency")),
        type=_text(row.get("type")),
        is_paper=key.startswith("D") or row.get("type") == "DEMO",
        is_open=row.get("clearingStatus") in (None, "", "O"),
    )


def accounts(answer: Any) -> tuple[BrokerAccount, ...]:
    """The account list; an empty one means that the session is not ready."""
    if not isinstance(answer, Sequence) or isinstance(answer, str):
        raise errors.bad("The account list is not a list.")
    if not answer:
        raise errors.session_starting()
    return tuple(account(row) for row in answer)


def checked_page(answer: Any, account_id: str) -> list[Row]:
    """One page of positions: rows of this account, each with an id and a quantity."""
    if not isinstance(answer, list):
        raise errors.bad("A page of positions is not a list.")
    for row in answer:
        if not isinstance(row, Mapping):
            raise errors.bad("A row of the positions is not one.")
        owner = row.get("acctId")
        if owner is not None and owner != account_id:
            raise Foreign("The gateway answered with positions of another account.")
        key(row)
        quantity(row)
    return answer


def key(row: Row) -> str:
    """The contract id of a row; required."""
    value = number(row.get("conid"), "conid")
    if value is None or value != value.to_integral_value() or value <= 0:
        raise errors.bad("A position has no contract id.")
    return str(int(value))


def quantity(row: Row) -> Decimal:
    """The signed quantity of a row; required."""
    value = number(row.get("position"), "position")
    if value is None:
        raise errors.bad("A position has no quantity.")
    return value


def number(value: Any, name: str) -> Decimal | None:
    """A decimal from a number or a string; None where there is none."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        found = Decimal(value) if isinstance(value, int | Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or (abs(found.adjusted()) > 18 and found != 0):
        raise errors.bad(f"The field {name} is not a number.")
    return found


def priced(rows: Iterable[Row]) -> tuple[int, int]:
    """How many holdings carry a price, and how many there are."""
    held = [row for row in rows if row.get("assetClass") != "CASH" and quantity(row) != 0]
    return sum(number(row.get("mktPrice"), "mktPrice") is not None for row in held), len(held)


def distinct(rows: Iterable[Row]) -> list[Row]:
    """The rows once each; `Incomplete` where one contract came twice with other data."""
    seen: dict[tuple[str, str], Row] = {}
    for row in rows:
        identity = key(row), str(row.get("model") or "")
        before = seen.setdefault(identity, row)
        if quantity(before) != quantity(row):
            raise Incomplete("A position came twice with different quantities.")
    return list(seen.values())


def is_lean(row: Row) -> bool:
    """Whether a row came without its contract's terms."""
    return not row.get("ticker")


def contracts(answer: Any) -> dict[str, Row]:
    """The terms of contracts by contract id."""
    rows = answer.get("secdef") if isinstance(answer, Mapping) else None
    if not isinstance(rows, list):
        raise errors.bad("The contract terms are not a list.")
    return {key(row): row for row in rows if isinstance(row, Mapping) and row.get("conid")}


def positions(
    rows: Iterable[Row], terms: Mapping[str, Row], base_currency: str
) -> tuple[tuple[Position, ...], frozenset[str]]:
    """The holdings, and the contracts listed with quantity 0."""
    held: dict[str, Position] = {}
    zero: set[str] = set()
    for row in rows:
        if row.get("assetClass") == "CASH":
            # The virtual currency positions are already in the ledger's cash.
            continue
        if quantity(row) == 0:
            zero.add(key(row))
            continue
        found = position(row, terms.get(key(row), {}), base_currency)
        before = held.get(found.instrument.key)
        held[found.instrument.key] = found if before is None else merged(before, found)
    kept = {of: found for of, found in held.items() if found.quantity != 0}
    return tuple(kept.values()), frozenset((zero | held.keys()) - kept.keys())


def position(row: Row, terms: Row, base_currency: str) -> Position:
    """One holding from a row, full or lean, and what is known of its contract."""
    average = number(row.get("avgPrice"), "avgPrice")
    return Position(
        instrument=instrument(row, terms, base_currency),
        quantity=quantity(row),
        average_price=average or None,
        price=number(row.get("mktPrice"), "mktPrice"),
        market_value=number(row.get("mktValue"), "mktValue"),
        unrealized_pnl=number(row.get("unrealizedPnl"), "unrealizedPnl"),
    )


def instrument(row: Row, terms: Row, base_currency: str) -> Instrument:
    """What is held: from the full row, the contract's terms, or the description, in this order."""
    described = _described(row)
    known = _Layers(row, terms, described)
    kind = _kind(known)
    description = _text(row.get("contractDesc")) or ""
    first = description if kind not in DERIVATIVES else description.split(" ")[0]
    optional = kind in {Kind.OPTION, Kind.FUTURE_OPTION, Kind.WARRANT}
    name = _text(known.first("fullName", "name"))
    return Instrument(
        key=key(row),
        symbol=_text(known.first("ticker")) or first or key(row),
        kind=kind,
        currency=_text(known.first("currency")) or base_currency,
        name=name if kind not in DERIVATIVES or name else description or None,
        exchange=_text(known.first("listingExchange")),
        multiplier=_multiplier(row, known, kind),
        expiry=_day(known.first("expiry", "lastTradingDay")) if kind in DERIVATIVES else None,
        strike=number(known.first("strike"), "strike") or None if optional else None,
        right=RIGHTS.get(str(known.first("putOrCall")).upper()) if optional else None,
        underlying=(_text(known.first("undSym")) or first) if kind in DERIVATIVES else None,
        underlying_key=str(known.first("undConid") or "") or None,
    )


class _Layers:
    """Several sources of one contract's fields; the first that has something wins."""

    def __init__(self, *sources: Row) -> None:
        self._sources = sources

    def first(self, *names: str) -> Any:
        """The first value that says something; 0 and "0" are how the vendor writes nothing."""
        for source in self._sources:
            for name in names:
                value = source.get(name)
                if value not in (None, "", 0, "0", "0.0"):
                    return value
        return None


def _described(row: Row) -> Row:
    match = OCC.search(str(row.get("contractDesc") or ""))
    if match is None:
        return {}
    day, right, strike, multiplier = match.groups()
    return {
        "expiry": f"20{day}",
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


def _text(value: Any) -> str | None:
    """Text with the vendor's HTML entities undone once."""
    return html.unescape(str(value)).strip() or None if value is not None else None


def _day(value: Any) -> date | None:
    text = str(value or "")
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None
    except ValueError:
        return None


def ledger(answer: Any, account_id: str, base_currency: str | None) -> Ledger:
    """The account's books, currency by currency, and their total."""
    if not isinstance(answer, Mapping) or not isinstance(answer.get(BASE), Mapping):
        raise errors.bad("The ledger has no total.")
    for row in answer.values():
        if isinstance(row, Mapping) and row.get("acctcode", account_id) != account_id:
            raise Foreign("The gateway answered with the ledger of another account.")
    base = base_currency or _base_of(answer)
    rows = tuple(
        _ledger_row(currency, row, base)
        for currency, row in answer.items()
        if currency != BASE and isinstance(row, Mapping)
    )
    return Ledger(base_currency=base, rows=rows, total=_ledger_row(base, answer[BASE], base))


def _base_of(answer: Row) -> str:
    ones = [name for name, row in answer.items() if name != BASE and row.get("exchangerate") == 1]
    if len(ones) != 1:
        raise errors.bad("The ledger does not say its base currency.")
    return ones[0]


def _ledger_row(currency: str, row: Row, base: str) -> LedgerRow:
    cash = number(row.get("cashbalance"), "cashbalance")
    if cash is None:
        raise errors.bad("A row of the ledger has no cash balance.")
    values = {of: number(row.get(name), name) for name, of in CLASSES.items()}
    return LedgerRow(
        currency=currency,
        cash=cash,
        settled_cash=number(row.get("settledcash"), "settledcash"),
        accrued_interest=number(row.get("interest"), "interest"),
        accrued_dividends=number(row.get("dividends"), "dividends"),
        net_liquidation=number(row.get("netliquidationvalue"), "netliquidationvalue"),
        rate_to_base=_rate(currency, row, base),
        values={of: value for of, value in values.items() if value is not None},
    )


def _rate(currency: str, row: Row, base: str) -> Decimal | None:
    """The value of one unit in base; 0, or 1 between different currencies, cannot be true."""
    if currency == base:
        return Decimal(1)
    rate = number(row.get("exchangerate"), "exchangerate")
    return None if rate in (None, 0, 1) else rate


def quantities(answer: Any) -> dict[str, Decimal]:
    """Contract ids and quantities from the uncached list of positions."""
    if not isinstance(answer, list) or not all(isinstance(row, Mapping) for row in answer):
        raise errors.bad("The uncached positions are not a list.")
    totals: dict[str, Decimal] = {}
    for row in answer:
        if row.get("assetClass", row.get("secType")) != "CASH":
            totals[key(row)] = totals.get(key(row), Decimal(0)) + quantity(row)
    return totals


def maintenance_margin(answer: Any) -> Decimal:
    """What IBKR holds against open risk, in base currency."""
    entry = answer.get("maintmarginreq") if isinstance(answer, Mapping) else None
    amount = number(entry.get("amount"), "amount") if isinstance(entry, Mapping) else None
    if amount is None:
        raise errors.bad("The summary has no maintenance margin.")
    return amount
