"""The simulated broker's data in the vendor's JSON, every digit kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.ibkr.simulator.data import RATES, Account, Held

CENT = Decimal("0.01")
CLASSES = {
    "STK": "stockmarketvalue",
    "OPT": "stockoptionmarketvalue",
    "FUT": "futuremarketvalue",
    "FOP": "futureoptionmarketvalue",
    "BOND": "corporatebondsmarketvalue",
    "BILL": "tbillsmarketvalue",
    "FUND": "funds",
    "WAR": "warrantsmarketvalue",
    "IOPT": "issueroptionsmarketvalue",
    "CRYPTO": "cryptocurrencyvalue",
    "CMDTY": "commoditymarketvalue",
}
OTHER_CLASSES = ("futuresonlypnl", "tbondsmarketvalue", "moneyfunds")
NOT_EQUITY = frozenset({"futuremarketvalue"})


def account(of: Account) -> dict[str, Any]:
    """A row of the account list."""
    return {
        "id": of.id,
        "accountId": of.id,
        "accountVan": of.id,
        "accountTitle": of.title,
        "displayName": of.title,
        "accountAlias": None,
        "accountStatus": 1511326800000,
        "currency": of.base,
        "type": of.type,
        "tradingType": "STKNOPT",
        "faclient": False,
        "clearingStatus": "O",
        "covestor": False,
        "trackVirtualFXPortfolio": False,
        "parent": {"mmc": [], "accountId": "", "isMParent": False, "isMChild": False},
        "desc": of.id,
    }


def position(of: Held, account_id: str, *, lean: bool) -> dict[str, Any]:
    """A row of the positions, with or without its contract's terms."""
    row: dict[str, Any] = {
        "acctId": account_id,
        "conid": of.conid,
        "contractDesc": of.description,
        "position": of.quantity,
        "mktPrice": of.price,
        "mktValue": of.value,
        "currency": of.currency,
        "avgCost": of.average * of.multiplier,
        "avgPrice": of.average,
        "realizedPnl": Decimal(0),
        "unrealizedPnl": of.profit,
        "exchs": None,
        "expiry": None,
        "putOrCall": None,
        "multiplier": None,
        "strike": Decimal("0.0"),
        "exerciseStyle": None,
        "conExchMap": [],
        "assetClass": of.asset,
        "undConid": of.underlying,
        "model": of.model,
    }
    return row if lean else {**row, **terms(of), "pageSize": 100}


def terms(of: Held) -> dict[str, Any]:
    """The terms of a contract, as its definition and a full row give them."""
    return {
        "conid": of.conid,
        "currency": of.currency,
        "assetClass": of.asset,
        "chineseName": "&#x82F1;",
        "allExchanges": "SMART,NYSE,IBKRATS",
        "listingExchange": "NYSE",
        "countryCode": "US",
        "name": of.name,
        "fullName": of.name,
        "expiry": of.expiry,
        "lastTradingDay": of.expiry,
        "putOrCall": of.right,
        "strike": of.strike or "0",
        "ticker": of.ticker,
        "undConid": of.underlying,
        "undSym": of.ticker,
        "multiplier": of.multiplier if of.asset != "STK" else Decimal("0.0"),
        "type": of.type,
        "hasOptions": True,
        "isUS": of.currency == "USD",
        "isEventContract": False,
    }


def uncached(of: Held, now: int) -> dict[str, Any]:
    """A row of the uncached positions: no account, other names, and every second id is a text."""
    return {
        "position": of.quantity,
        "conid": str(of.conid) if of.conid % 2 else of.conid,
        "avgCost": of.average * of.multiplier if of.quantity else None,
        "avgPrice": of.average,
        "currency": of.currency,
        "description": of.description,
        "isLastToLoq": False,
        "marketPrice": of.price,
        "marketValue": of.value,
        "realizedPnl": Decimal(0),
        "secType": of.asset,
        "timestamp": now,
        "unrealizedPnl": of.profit,
        "assetClass": of.asset,
        "sector": "",
        "group": "",
        "model": of.model,
    }


def ledger(of: Account, now: int) -> dict[str, Any]:
    """The books: a row a currency, and BASE as their sum in the base currency."""
    rows = {currency: _ledger_row(of, currency, now) for currency in of.cash}
    total: dict[str, Any] = {**rows[of.base], "currency": "BASE", "secondkey": "BASE"}
    for name, value in total.items():
        if isinstance(value, Decimal) and name != "exchangerate":
            total[name] = sum(
                (row[name] * row["exchangerate"] for row in rows.values()), Decimal(0)
            )
    return {**rows, "BASE": total}


def _ledger_row(of: Account, currency: str, now: int) -> dict[str, Any]:
    cash = of.cash[currency]
    values = {name: Decimal(0) for name in (*CLASSES.values(), *OTHER_CLASSES)}
    values["futuresonlypnl"] = cash.futures_profit
    profit = Decimal(0)
    for row in of.held:
        if row.currency == currency and row.asset != "CASH":
            values[CLASSES.get(row.asset, "stockmarketvalue")] += row.value
            profit += row.profit
    counted = sum((v for name, v in values.items() if name not in NOT_EQUITY), Decimal(0))
    return {
        **values,
        "acctcode": of.id,
        "cashbalance": cash.balance,
        "settledcash": cash.balance,
        "cashbalancefxsegment": Decimal(0),
        "currency": currency,
        "dividends": cash.dividends,
        "exchangerate": Decimal(RATES[of.base][currency]),
        "interest": cash.interest,
        "key": "LedgerList",
        "netliquidationvalue": cash.balance + counted + cash.interest + cash.dividends,
        "realizedpnl": Decimal(0),
        "secondkey": currency,
        "sessionid": 1,
        "severity": 0,
        "timestamp": now,
        "unrealizedpnl": profit,
    }


def summary(of: Account) -> dict[str, Any]:
    """Some of the totals of an account."""
    base = ledger(of, 0)["BASE"]
    gross = sum((abs(row.value) for row in of.held), Decimal(0))

    def entry(amount: Decimal) -> dict[str, Any]:
        return {
            "amount": amount,
            "currency": of.base,
            "isNull": False,
            "timestamp": 1700000000000,
            "value": None,
            "severity": 0,
        }

    return {
        "netliquidation": entry(base["netliquidationvalue"]),
        "totalcashvalue": entry(base["cashbalance"]),
        "maintmarginreq": entry((gross / 4).quantize(CENT)),
    }
