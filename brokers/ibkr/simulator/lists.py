"""Troubles of IBKR's two lists of positions, which only a large account shows: it is made one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from brokers.ibkr.simulator import answers
from brokers.ibkr.simulator.data import enlarge
from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.scenarios import HTML, MAIN, instead, on, scenario, share
from brokers.ibkr.simulator.state import GatewayState

ENOUGH = 330
UNCACHED = "/portfolio2/"


def _large(state: GatewayState) -> None:
    enlarge(state.accounts[MAIN], ENOUGH)


def _with_another(state: GatewayState, change: Callable[[Any], Any]) -> None:
    """Change one row of the single answer, a share's."""
    _large(state)
    conid = str(share(state, "AAPL").conid)
    on(
        state,
        UNCACHED,
        lambda rows: [change(row) if str(row["conid"]) == conid else row for row in rows],
    )


@scenario("list-lacks-row", "lists_disagree", lasts=True)
def list_lacks_row(state: GatewayState) -> None:
    """The single answer lacks a position that the pages have."""
    _large(state)
    on(state, UNCACHED, lambda rows: rows[1:])


@scenario("list-other-quantity", "lists_disagree", lasts=True)
def list_other_quantity(state: GatewayState) -> None:
    """The single answer has another quantity of a share than the pages."""
    _with_another(state, lambda row: {**row, "position": row["position"] + 1})


@scenario("list-other-average", "lists_disagree", lasts=True)
def list_other_average(state: GatewayState) -> None:
    """The single answer has another average price of a share than the pages."""
    _with_another(state, lambda row: {**row, "avgPrice": row["avgPrice"] + Decimal("0.01")})


@scenario("list-empty", "lists_disagree", lasts=True)
def list_empty(state: GatewayState) -> None:
    """The single answer of a full account is an empty list."""
    _large(state)
    on(state, UNCACHED, lambda _: [])


@scenario("list-stale", "lists_disagree", lasts=True)
def list_stale(state: GatewayState) -> None:
    """A share is sold, and the single answer stays as it was before."""
    _large(state)
    account = state.accounts[MAIN]
    now = int(state.clock.now().timestamp())
    before = [answers.uncached(row, now) for row in account.held]
    sold = share(state, "AAPL")
    state.sell(MAIN, sold.ticker, min(sold.quantity, Decimal(10)), keep=False)
    on(state, UNCACHED, lambda _: before)


@scenario("list-without-prices", "ready", lasts=True)
def list_without_prices(state: GatewayState) -> None:
    """The single answer has no prices, as without market data."""
    _large(state)
    blank = {"marketPrice": None, "marketValue": None, "unrealizedPnl": None}
    on(state, UNCACHED, lambda rows: [{**row, **blank} for row in rows])


@scenario("list-absent", "ready", lasts=True)
def list_absent(state: GatewayState) -> None:
    """The gateway does not know the single answer."""
    _large(state)
    instead(state, UNCACHED, Reply(404, b"", "text/plain"))


@scenario("list-broken", "ready", lasts=True)
def list_broken(state: GatewayState) -> None:
    """A web page comes in place of the single answer."""
    _large(state)
    instead(state, UNCACHED, Reply(200, b"<html>Oops</html>", HTML))


@scenario("list-down", "ready", lasts=True)
def list_down(state: GatewayState) -> None:
    """The single answer takes too long for IBKR, which says that it is not available."""
    _large(state)
    instead(state, UNCACHED, Reply(503, {"error": "upstream timeout", "statusCode": 503}))


@scenario("list-refused", "ready", lasts=True)
def list_refused(state: GatewayState) -> None:
    """The single answer is refused, though somebody is signed in."""
    _large(state)
    instead(state, UNCACHED, Reply(401, b"", "text/plain"))


@scenario("bought-anew", "ready", lasts=True)
def bought_anew(state: GatewayState) -> None:
    """A large account buys what it never held: a true change."""
    _large(state)
    account = state.accounts[MAIN]
    enlarge(account, len(account.held) + 1)
    row = account.held[-1]
    account.cash[row.currency].balance -= row.quantity * row.average * row.multiplier
