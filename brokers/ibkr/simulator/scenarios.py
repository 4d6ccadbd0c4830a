"""Troubles of a real gateway by name; each says what it leads to, and ends with `calm`.

What happens to an account, such as a sale, lasts until the simulator is started anew.
What looks like a trouble and is none stands in `oddities`, what two lists can do in `lists`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from brokers.ibkr.simulator.data import Held, accounts
from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.state import (
    CUT,
    DRIP,
    EXPIRED,
    FLOOD,
    PENALTY,
    REFUSED,
    SILENT,
    USER,
    GatewayState,
)

MAIN = "U1234567"
HTML = "text/html"
Apply = Callable[[GatewayState], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One trouble (or one truth that looks like one), and the code or warning it leads to.

    `lasts` where it changes what the simulated accounts hold, which `calm` does not take back.
    """

    name: str
    what: str
    leads_to: str
    apply: Apply
    lasts: bool = False


SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str, leads_to: str, *, lasts: bool = False) -> Callable[[Apply], Apply]:
    """Give a trouble its name; the first line of its docstring says what happens."""

    def register(apply: Apply) -> Apply:
        what = (apply.__doc__ or "").strip().splitlines()[0]
        SCENARIOS[name] = Scenario(
            name=name, what=what, leads_to=leads_to, apply=apply, lasts=lasts
        )
        return apply

    return register


def on(state: GatewayState, fragment: str, change: Callable[[Any], Any]) -> None:
    """Change the data of every successful answer whose path has this fragment."""

    def rewrite(path: str, reply: Reply) -> Reply:
        if fragment not in path or reply.status != 200:
            return reply
        return reply._replace(body=change(reply.body))

    state.rewrites.append(rewrite)


def share(state: GatewayState, ticker: str) -> Held:
    """A share of the main account: this one while it is held, else another, else bought anew."""
    account = state.accounts[MAIN]
    shares = sorted(
        (row for row in account.held if row.asset == "STK"), key=lambda row: row.ticker != ticker
    )
    if not shares:
        bought = accounts()[MAIN].find(ticker)
        account.cash[bought.currency].balance -= bought.value
        account.held.append(bought)
        return bought
    return shares[0]


def instead(state: GatewayState, fragment: str, reply: Reply) -> None:
    """Answer something else wherever the path has this fragment."""
    state.rewrites.append(lambda path, usual: reply if fragment in path else usual)


@scenario("calm", "ready")
def calm(state: GatewayState) -> None:
    """All is well."""
    state.rewrites.clear()
    state.faults.clear()
    state.transport, state.delay, state.idle_limit, state.ends_at = None, 0, None, None
    state.penalty_until = 0
    state.certificate = 0
    state.always_lean = False
    if not state.signed_in or state.user != USER:
        state.user = USER
        state.sign_in()


@scenario("signed-out", "not_authenticated")
def signed_out(state: GatewayState) -> None:
    """Nobody is signed in: every answer is an empty 401."""
    state.sign_out()


@scenario("signed-out-politely", "not_authenticated")
def signed_out_politely(state: GatewayState) -> None:
    """Nobody is signed in, and it is said with status 200."""
    instead(state, "/v1/", Reply(200, {"error": "no session"}))


@scenario("signed-out-by-redirect", "not_authenticated")
def signed_out_by_redirect(state: GatewayState) -> None:
    """Nobody is signed in: every answer sends to the login page."""
    instead(state, "/v1/", Reply(302, b"", headers=(("Location", "/sso/Login"),)))


@scenario("signed-out-with-problem", "not_authenticated")
def signed_out_with_problem(state: GatewayState) -> None:
    """Nobody is signed in: every answer is a 401 with a problem document."""
    problem = {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": ""}
    instead(state, "/v1/", Reply(401, problem, "application/problem+json"))


@scenario("midnight", "not_authenticated")
def midnight(state: GatewayState) -> None:
    """The session ended at midnight of its region, as it does every day."""
    state.ends_at = state.clock.now() + timedelta(seconds=1)


@scenario("gateway-restarted", "not_authenticated")
def gateway_restarted(state: GatewayState) -> None:
    """The gateway was restarted and forgot the login and all it had cached."""
    state.sign_out()
    state.warm.clear()
    state.calls.clear()


@scenario("falls-asleep", "not_authenticated")
def falls_asleep(state: GatewayState) -> None:
    """The session ends after six minutes without a call."""
    state.idle_limit = 360


@scenario("positions-not-released", "positions_not_released")
def not_released(state: GatewayState) -> None:
    """Signed in, but the portfolio routes answer 401."""
    for part in ("/positions", "/ledger"):
        instead(state, part, Reply(401, b"", "text/plain"))


@scenario("starting", "session_starting")
def starting(state: GatewayState) -> None:
    """Signed in a moment ago: the account list is empty still."""
    on(state, "/portfolio/accounts", lambda _: [])


@scenario("gateway-down", "gateway_unreachable")
def gateway_down(state: GatewayState) -> None:
    """Nothing listens at the address."""
    state.transport = REFUSED


@scenario("silence", "gateway_silent")
def silence(state: GatewayState) -> None:
    """The gateway runs and answers for itself, but IBKR behind it does not."""
    state.transport = SILENT


@scenario("too-slow", "gateway_silent")
def too_slow(state: GatewayState) -> None:
    """Every answer takes twenty seconds, longer than anybody waits."""
    state.delay = 20


@scenario("half-an-answer", "gateway_silent")
def half_an_answer(state: GatewayState) -> None:
    """Answers stop in the middle and are never ended."""
    state.transport = CUT


@scenario("drip", "gateway_silent")
def drip(state: GatewayState) -> None:
    """Answers come a byte at a time, one every five seconds."""
    state.transport = DRIP


@scenario("flood", "bad_answer")
def flood(state: GatewayState) -> None:
    """A page of positions does not end before it has two gigabytes."""
    state.transport = FLOOD


@scenario("another-program", "not_a_gateway")
def another_program(state: GatewayState) -> None:
    """Something else listens on the port."""
    instead(state, "/", Reply(200, b"<html><title>AirTunes</title></html>", HTML))


@scenario("address-refused", "address_not_allowed")
def address_refused(state: GatewayState) -> None:
    """This computer is not in the gateway's list of addresses."""
    instead(state, "/", Reply(404, b"Access Denied", ""))


@scenario("rate-limited", "rate_limited")
def rate_limited(state: GatewayState) -> None:
    """Too many requests: 429 for a quarter of an hour."""
    state.penalty_until = state.clock.monotonic() + PENALTY


@scenario("maintenance", "broker_maintenance")
def maintenance(state: GatewayState) -> None:
    """IBKR is down for maintenance: 503 with a web page."""
    instead(state, "/v1/", Reply(503, b"<html>Service Unavailable</html>", HTML))


@scenario("certificate-changed", "certificate_changed")
def certificate_changed(state: GatewayState) -> None:
    """The gateway shows another certificate than before."""
    state.certificate += 1


@scenario("certificate-expired", "certificate_untrusted")
def certificate_expired(state: GatewayState) -> None:
    """The gateway shows a certificate of its own whose time is over."""
    state.certificate = EXPIRED


@scenario("another-user", "broker_account_missing")
def another_user(state: GatewayState) -> None:
    """Somebody else is signed in, whose list has other accounts."""
    state.user = "spouse7"
    state.sign_in()
    on(state, "/portfolio/accounts", lambda rows: [row for row in rows if row["id"] != MAIN])


@scenario("html-answer", "bad_answer")
def html_answer(state: GatewayState) -> None:
    """A web page where data should be."""
    instead(state, "/positions/", Reply(200, b"<html>Oops</html>", HTML))


@scenario("empty-body", "bad_answer")
def empty_body(state: GatewayState) -> None:
    """Nothing at all where data should be."""
    instead(state, "/positions/", Reply(200, b""))


@scenario("null-answer", "bad_answer")
def null_answer(state: GatewayState) -> None:
    """The word null where a list should be."""
    on(state, "/positions/", lambda _: None)


@scenario("error-in-success", "bad_answer")
def error_in_success(state: GatewayState) -> None:
    """An error with status 200."""
    instead(state, "/positions/", Reply(200, {"error": "failed to process request"}))


@scenario("repeated-page", "bad_answer")
def repeated_page(state: GatewayState) -> None:
    """Every page of positions is the first one."""
    first: list[Any] = []

    def keep(rows: Any) -> Any:
        first.extend(rows if not first else ())
        return list(first)

    on(state, "/positions/", keep)


@scenario("foreign-row", "bad_answer")
def foreign_row(state: GatewayState) -> None:
    """A row of another account among the positions."""

    def change(rows: Any) -> Any:
        return [*rows[:1], *({**row, "acctId": "U9999999"} for row in rows[1:2]), *rows[2:]]

    on(state, "/positions/", change)


@scenario("ledger-without-total", "bad_answer")
def ledger_without_total(state: GatewayState) -> None:
    """The books come without their total."""
    on(state, "/ledger", lambda rows: {k: v for k, v in rows.items() if k != "BASE"})


@scenario("moving-cash", "bad_answer", lasts=True)
def moving_cash(state: GatewayState) -> None:
    """Cash moves at every look, as while orders are being filled."""

    def change(rows: Any) -> Any:
        state.accounts[MAIN].cash["USD"].balance += 1000
        return rows

    on(state, "/ledger", change)


@scenario("empty-positions", "sync_rejected")
def empty_positions(state: GatewayState) -> None:
    """A full account answers as if it were empty."""
    on(state, "/positions", lambda _: [])


@scenario("lost-row", "sync_rejected")
def lost_row(state: GatewayState) -> None:
    """One row is missing in the pages, though it is still held."""
    on(state, "/positions/", lambda rows: rows[1:] if len(rows) == 100 else rows)
