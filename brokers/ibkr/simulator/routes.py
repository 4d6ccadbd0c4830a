"""What the gateway answers by itself, and what IBKR answers through it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from brokers.ibkr.simulator import answers, pages
from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.state import GatewayState

PER_PAGE = 100
CONTRACTS_AT_MOST = 200
API = re.compile(r"/v1/(?:api|portal)(/.*)")


Handler = Callable[[GatewayState, Mapping[str, str], Mapping[str, str]], Reply]


def answer(state: GatewayState, method: str, path: str, query: Mapping[str, str]) -> Reply:
    """The answer to one request outside the control page."""
    if path == "/":
        return Reply(302, b"", headers=(("Location", "/sso/Login?forwardTo=22&RL=1&ip2loc=US"),))
    if path.startswith("/sso/"):
        return pages.login(state, method, path)
    inside = API.fullmatch(path)
    if inside is None:
        return Reply(302, b"", headers=(("Location", f"https://broker.invalid{path}"),))
    return _api(state, method, inside.group(1), query)


def _api(state: GatewayState, method: str, path: str, query: Mapping[str, str]) -> Reply:
    for methods, pattern, handler in ROUTES:
        match = re.fullmatch(pattern, path)
        if match and method in methods:
            if state.over_limit(path):
                return Reply(429, {"error": "Too many requests", "statusCode": 429})
            state.fall_asleep()
            if not state.signed_in:
                return Reply(401, b"", "text/plain")
            return handler(state, match.groupdict(), query)
    if path == "/iserver/reauthenticate":
        # The gateway answers this by itself; a reader has no business with it.
        said = {"message": "triggered"} if state.signed_in else {"error": "not logged in"}
        return Reply(200, said, trip=True)
    return Reply(403, {"error": "not a request of a reader"}, trip=True)


def _tickle(state: GatewayState, _: Mapping[str, str], __: Mapping[str, str]) -> Reply:
    up = state.trading_session
    status = {"authenticated": up, "competing": False, "connected": up, "message": ""}
    body = {
        "session": f"{state.session:032x}",
        "ssoExpires": state.expires_in,
        "collission": False,
        "userId": 123456,
        "hmds": {"error": "no bridge"},
        "iserver": {"authStatus": status},
    }
    return Reply(200, body)


def _validate(state: GatewayState, _: Mapping[str, str], __: Mapping[str, str]) -> Reply:
    body = {"USER_ID": 123456, "USER_NAME": state.user, "RESULT": True, "LOGIN_TYPE": 1}
    return Reply(200, {**body, "EXPIRES": state.expires_in, "IS_MASTER": True, "region": "NJ"})


def _accounts(state: GatewayState, _: Mapping[str, str], __: Mapping[str, str]) -> Reply:
    state.accounts_asked = True
    return Reply(200, [answers.account(of) for of in state.accounts.values()])


def _known(state: GatewayState, values: Mapping[str, str]) -> Reply | None:
    if not state.accounts_asked:
        return Reply(
            400, {"error": "Bad Request: Please query /accounts first", "statusCode": 400}
        )
    if values["account"] not in state.accounts:
        return Reply(400, {"error": "Bad Request: accountId is not valid", "statusCode": 400})
    return None


def _meta(state: GatewayState, values: Mapping[str, str], _: Mapping[str, str]) -> Reply:
    return _known(state, values) or Reply(200, answers.account(state.accounts[values["account"]]))


def _positions(state: GatewayState, values: Mapping[str, str], _: Mapping[str, str]) -> Reply:
    refused = _known(state, values)
    if refused:
        return refused
    account, start = state.accounts[values["account"]], int(values["page"]) * PER_PAGE
    # The terms of contracts are loaded behind the first read of a session.
    lean = state.always_lean or account.id not in state.warm
    rows = account.held[start : start + PER_PAGE]
    if not rows:
        state.warm.add(account.id)
    return Reply(200, [answers.position(row, account.id, lean=lean) for row in rows])


def _ledger(state: GatewayState, values: Mapping[str, str], _: Mapping[str, str]) -> Reply:
    now = int(state.clock.now().timestamp())
    account = state.accounts.get(values["account"])
    return _known(state, values) or Reply(200, answers.ledger(account, now) if account else {})


def _summary(state: GatewayState, values: Mapping[str, str], _: Mapping[str, str]) -> Reply:
    account = state.accounts.get(values["account"])
    return _known(state, values) or Reply(200, answers.summary(account) if account else {})


def _invalidate(state: GatewayState, values: Mapping[str, str], _: Mapping[str, str]) -> Reply:
    return _known(state, values) or Reply(200, {"message": "success"})


def _uncached(state: GatewayState, values: Mapping[str, str], _: Mapping[str, str]) -> Reply:
    """The whole list at once, as it is now: a page, if one is asked for, changes nothing."""
    now = int(state.clock.now().timestamp())
    account = state.accounts.get(values["account"])
    rows = [answers.uncached(row, now) for row in account.held] if account else []
    return _known(state, values) or Reply(200, rows)


def _contracts(state: GatewayState, _: Mapping[str, str], query: Mapping[str, str]) -> Reply:
    wanted = query.get("conids", "").split(",")
    if len(wanted) > CONTRACTS_AT_MOST:
        return Reply(400, {"error": "Bad Request: too many conids", "statusCode": 400})
    rows = {str(row.conid): row for of in state.accounts.values() for row in of.held}
    return Reply(200, {"secdef": [answers.terms(rows[key]) for key in wanted if key in rows]})


def _status(state: GatewayState, _: Mapping[str, str], __: Mapping[str, str]) -> Reply:
    up = state.trading_session
    return Reply(200, {"authenticated": up, "competing": False, "connected": up, "MAC": "0"})


ACCOUNT = r"/portfolio/(?P<account>[^/]+)"
ROUTES: tuple[tuple[tuple[str, ...], str, Handler], ...] = (
    (("GET", "POST"), "/tickle", _tickle),
    (("GET",), "/sso/validate", _validate),
    (("GET",), "/portfolio/accounts", _accounts),
    (("GET",), f"{ACCOUNT}/meta", _meta),
    (("GET",), rf"{ACCOUNT}/positions/(?P<page>\d+)", _positions),
    (("POST",), f"{ACCOUNT}/positions/invalidate", _invalidate),
    (("GET",), f"{ACCOUNT}/ledger", _ledger),
    (("GET",), f"{ACCOUNT}/summary", _summary),
    (("GET",), r"/portfolio2/(?P<account>[^/]+)/positions", _uncached),
    (("GET",), "/trsrv/secdef", _contracts),
    (("GET", "POST"), "/iserver/auth/status", _status),
)
