"""The pages that people see: the login, and the control page of the simulator."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from brokers.ibkr.simulator.reply import Reply

if TYPE_CHECKING:
    from brokers.ibkr.simulator.app import Simulator
    from brokers.ibkr.simulator.state import GatewayState

PREFIX = "/simulator"
HTML = "text/html;charset=utf-8"
LARGEST_FORM = 10_000
LARGEST, MOST_PERCENT = 10**9, 1000
NEEDED = {
    "sell": "Name a symbol that the account holds, and a quantity above 0, or none for all.",
    "buy": "Say of every how many shares, as a whole number from 1.",
    "move": "Say by how many percent prices move: more than -100, at most 1000.",
    "play": "There is no such trouble.",
    "turn": "Say by how many minutes, as a whole number; a computer's own clock is not turned.",
}
FRAME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>html{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:34rem;
margin:3rem auto;padding:0 1rem}}td+td:not(:last-child){{overflow-wrap:anywhere}}
button,input,select{{font:inherit;max-width:100%}}button{{padding:.4rem 1rem}}
input[type=number]{{width:6rem}}form{{margin:.5rem 0}}
td,th{{text-align:left;padding-right:1rem}}</style>
<h1>{title}</h1><p>Gateway simulator, no real login.</p>{body}</html>"""

TURN = f"""<form method="post" action="{PREFIX}/turn"><label>Turn the clock by <input
name="minutes" type="number" value="15" min="0" max="20000"> minutes</label> <button>Turn</button>
</form>"""


def login(state: GatewayState, method: str, path: str) -> Reply:
    """The login page, and what it posts to."""
    if path == "/sso/Dispatcher" and method == "POST":
        state.sign_in()
        body = "<p>Client login succeeds</p><p>You can go back to the application now.</p>"
        return _page("Client login succeeds", body)
    if path == "/sso/Login":
        button = '<form method="post" action="/sso/Dispatcher"><button>Log in</button></form>'
        return _page("Log in", button)
    return _reply(404, b"", HTML)


def control(simulator: Simulator, method: str, path: str, environ: Mapping[str, Any]) -> Reply:
    """The control page and its actions; only its own forms and programs may use them."""
    state = simulator.state
    if environ.get("HTTP_SEC_FETCH_SITE", "none") not in {"none", "same-origin"}:
        return _reply(403, b"another site", "text/plain")
    if method == "GET":
        if path == f"{PREFIX}/state.json":
            return _reply(200, _facts(state), "application/json")
        return _page("Simulator", _overview(state, simulator.scenarios))
    return _act(simulator, path.removeprefix(f"{PREFIX}/"), _form(environ))


def _act(simulator: Simulator, action: str, values: Mapping[str, str]) -> Reply:
    state = simulator.state
    try:
        if action == "sign-in":
            state.sign_in()
        elif action == "sign-out":
            state.sign_out()
        elif action == "sell":
            amount = _amount(values.get("quantity", ""))
            state.sell(values["account"], values["symbol"], amount, keep=False)
        elif action == "buy":
            state.buy_more(values["account"], int(values["every"]))
        elif action == "move":
            state.reprice(_factor(Decimal(values["percent"])))
        elif action == "play":
            simulator.play(values["scenario"])
        elif action == "turn":
            state.turn(int(values["minutes"]) * 60)
        else:
            return _reply(404, b"no such action", "text/plain")
    except (KeyError, ValueError, InvalidOperation):
        body = f'<p>{NEEDED[action]}</p><p><a href="{PREFIX}">Back</a></p>'
        return _page("Nothing was done", body, 400)
    return _reply(303, b"", HTML, (("Location", PREFIX),))


def _amount(text: str) -> Decimal | None:
    """A quantity, or None for all there is; `ValueError` for what is no amount."""
    amount = Decimal(text) if text else None
    if amount is not None and not 0 < amount < LARGEST:
        raise ValueError
    return amount


def _factor(percent: Decimal) -> Decimal:
    """What prices are multiplied by; `ValueError` where they would be no prices any more."""
    if not -100 < percent <= MOST_PERCENT:
        raise ValueError
    return 1 + percent / 100


def _form(environ: Mapping[str, Any]) -> dict[str, str]:
    length = min(int(environ.get("CONTENT_LENGTH") or 0), LARGEST_FORM)
    raw = environ["wsgi.input"].read(length).decode("utf-8", "replace")
    if environ.get("CONTENT_TYPE", "").startswith("application/json"):
        return {str(name): str(value) for name, value in json.loads(raw or "{}").items()}
    return {name: values[0] for name, values in parse_qs(raw).items()}


def _facts(state: GatewayState) -> dict[str, Any]:
    trips = [f"{trip.method} {trip.path}" for trip in state.trips]
    return {"signed_in": state.signed_in, "requests": len(state.requests), "trips": trips}


def _overview(state: GatewayState, scenarios: Mapping[str, str]) -> str:
    verb = ("sign-out", "Sign out") if state.signed_in else ("sign-in", "Sign in")
    rows = "".join(
        f"<tr><td>{html.escape(entry.method)}<td>{html.escape(entry.path)}<td>{entry.status}"
        for entry in list(state.requests)[-20:]
    )
    options = "".join(f"<option>{html.escape(name)}" for name in state.accounts)
    troubles = "".join(
        f"<option value={name}>{name}: {html.escape(what)}" for name, what in scenarios.items()
    )
    # A computer's own clock cannot be turned.
    turn = TURN if hasattr(state.clock, "turn") else ""
    return f"""<p>{"Signed in" if state.signed_in else "Signed out"}, {len(state.trips)} forbidden
requests.</p><form method="post" action="{PREFIX}/{verb[0]}"><button>{verb[1]}</button></form>
<form method="post" action="{PREFIX}/sell"><label>Sell in <select name="account">{options}</select>
</label> <label>symbol <input name="symbol" required></label> <label>quantity <input
name="quantity" placeholder="all"></label> <button>Sell</button></form>
<form method="post" action="{PREFIX}/buy"><label>Buy one more in <select name="account">{options}
</select></label> <label>of every <input name="every" type="number" value="20" min="1"
max="20000"></label> shares <button>Buy</button></form>
<form method="post" action="{PREFIX}/move"><label>Move all prices by <input name="percent"
type="number" value="1" min="-99" max="{MOST_PERCENT}" step="any"> percent</label>
<button>Move</button></form>
<form method="post" action="{PREFIX}/play"><label>Play <select name="scenario">{troubles}</select>
</label> <button>Play</button></form>
{turn}<h2>Last requests</h2><table>{rows}</table>"""


def _page(title: str, body: str, status: int = 200) -> Reply:
    return _reply(status, FRAME.format(title=title, body=body).encode(), HTML)


def _reply(
    status: int, body: Any, content_type: str, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    return Reply(status, body, content_type, headers)
