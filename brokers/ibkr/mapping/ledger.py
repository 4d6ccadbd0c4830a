"""The account's books, currency by currency."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brokers.errors import Foreign
from brokers.ibkr import errors
from brokers.ibkr.mapping.values import Row, currency, number
from brokers.types import Ledger, LedgerRow, ValueClass

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
BASE = "BASE"


def ledger(answer: Any, account_id: str, base_currency: str | None) -> Ledger:
    """The account's books, currency by currency, and their total."""
    if not isinstance(answer, Mapping) or not isinstance(answer.get(BASE), Mapping):
        raise errors.bad("The ledger has no total.")
    for name, row in answer.items():
        if not isinstance(row, Mapping) or (name != BASE and currency(name) is None):
            raise errors.bad("A row of the ledger is not one.")
        if row.get("acctcode", account_id) != account_id:
            raise Foreign("The gateway answered with the ledger of another account.")
    base = base_currency or _base_of(answer)
    _refuse_another_base(answer, base)
    rows = tuple(_ledger_row(name, row, base) for name, row in answer.items() if name != BASE)
    return Ledger(base_currency=base, rows=rows, total=_ledger_row(base, answer[BASE], base))


def _base_of(answer: Row) -> str:
    ones = [
        name
        for name, row in answer.items()
        if name != BASE and number(row.get("exchangerate"), "exchangerate") == 1
    ]
    if len(ones) != 1:
        raise errors.bad("The ledger does not say its base currency.")
    return ones[0]


def _refuse_another_base(answer: Row, base: str) -> None:
    """A base that has a rate is none: the books still are, or already, in another currency.

    All other rates would be taken for rates to it.
    """
    row = answer.get(base)
    rate = None if row is None else number(row.get("exchangerate"), "exchangerate")
    if rate and rate != 1:
        raise errors.bad(f"The account list says {base}, and the books are in another currency.")


def _ledger_row(name: str, row: Row, base: str) -> LedgerRow:
    cash = number(row.get("cashbalance"), "cashbalance")
    if cash is None:
        raise errors.bad("A row of the ledger has no cash balance.")
    values = {of: number(row.get(field), field) for field, of in CLASSES.items()}
    return LedgerRow(
        currency=name,
        cash=cash,
        settled_cash=number(row.get("settledcash"), "settledcash"),
        accrued_interest=number(row.get("interest"), "interest"),
        accrued_dividends=number(row.get("dividends"), "dividends"),
        net_liquidation=number(row.get("netliquidationvalue"), "netliquidationvalue"),
        rate_to_base=_rate(name, row, base),
        values={of: value for of, value in values.items() if value is not None},
    )


def _rate(name: str, row: Row, base: str) -> Decimal | None:
    """The value of one unit in base; 0, or 1 between different currencies, cannot be true."""
    if name == base:
        return Decimal(1)
    rate = number(row.get("exchangerate"), "exchangerate")
    return None if rate is None or rate <= 0 or rate == 1 else rate
