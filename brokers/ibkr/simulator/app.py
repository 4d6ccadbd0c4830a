"""The simulator as a plain WSGI callable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from threading import RLock
from typing import Any
from urllib.parse import parse_qs

from brokers.contract import Clock
from brokers.http import encode
from brokers.ibkr.simulator import pages, routes
from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.scenarios import SCENARIOS, Scenario, calm
from brokers.ibkr.simulator.state import Fault, GatewayState, Request

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
REASONS = {
    200: "OK",
    302: "Found",
    303: "See Other",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Simulator:
    """Answers like a gateway, signed in at first; `trips` must stay empty in every test.

    `control` is the path of the page on which people trade, sign out and play.
    """

    control = pages.PREFIX

    def __init__(self, clock: Clock, *, signed_in: bool = True, limits: bool = True) -> None:
        self._lock = RLock()
        self.state = GatewayState(clock, enforce_limits=limits)
        self.playing = "calm"
        # Told after each change of scenario: a server follows how connections fail.
        self.listeners: list[Callable[[], None]] = []
        if signed_in:
            self.state.sign_in()

    @property
    def scenarios(self) -> dict[str, str]:
        """The troubles by name with what happens, for a page to choose from."""
        return {name: of.what for name, of in SCENARIOS.items()}

    @property
    def lasting(self) -> frozenset[str]:
        """The names of those whose change of an account stays when another one begins."""
        return frozenset(name for name, of in SCENARIOS.items() if of.lasts)

    @property
    def requests(self) -> list[Request]:
        """What was asked, oldest first."""
        return list(self.state.requests)

    @property
    def trips(self) -> list[Request]:
        """Requests outside the read list: orders, replies, transfers, sessions taken over."""
        return list(self.state.trips)

    def sign_in(self) -> None:
        """A person signs in."""
        with self._lock:
            self.state.sign_in()

    def sign_out(self) -> None:
        """The session ends."""
        with self._lock:
            self.state.sign_out()

    def sell(
        self,
        account_id: str,
        symbol: str,
        quantity: Decimal | None = None,
        *,
        keep_zero_row: bool = False,
    ) -> None:
        """Sell a position (all of it without a quantity) for cash."""
        with self._lock:
            self.state.sell(account_id, symbol, quantity, keep=keep_zero_row)

    def reprice(self, factor: Decimal) -> None:
        """Move every price."""
        with self._lock:
            self.state.reprice(factor)

    def play(self, name: str) -> Scenario:
        """Begin a scenario; the one before it ends. `KeyError` for a name that is none."""
        chosen = SCENARIOS[name]
        with self._lock:
            calm(self.state)
            chosen.apply(self.state)
            self.playing = name
        for listener in self.listeners:
            listener()
        return chosen

    def fail_next(
        self,
        fragment: str,
        *,
        status: int = 200,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        times: int = 1,
    ) -> None:
        """Answer the next requests whose path has this fragment with something else."""
        fault = Fault(
            fragment=fragment,
            status=status,
            body=body,
            content_type=content_type,
            headers=tuple((headers or {}).items()),
            times=times,
        )
        with self._lock:
            self.state.faults.append(fault)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        proxied = path.startswith("/v1/")
        if proxied and self.state.delay:
            self.state.clock.sleep(self.state.delay)
        with self._lock:
            reply = self._faulty(path) or self._answer(environ, method, path)
            if not path.startswith(pages.PREFIX):
                reply = self._rewritten(path, reply)
            entry = Request(
                method=method, path=path, status=reply.status, at=self.state.clock.now()
            )
            if not path.startswith(pages.PREFIX):
                self.state.requests.append(entry)
            if reply.trip:
                self.state.trips.append(entry)
        body = reply.body if isinstance(reply.body, bytes) else encode(reply.body)
        headers = [("Content-Type", reply.content_type), *reply.headers]
        start_response(f"{reply.status} {REASONS.get(reply.status, 'Status')}", headers)
        return [body]

    def _rewritten(self, path: str, reply: Reply) -> Reply:
        for rewrite in self.state.rewrites:
            reply = rewrite(path, reply)
        return reply

    def _faulty(self, path: str) -> Reply | None:
        for fault in self.state.faults:
            if fault.fragment in path:
                fault.times -= 1
                if fault.times <= 0:
                    self.state.faults.remove(fault)
                return Reply(fault.status, fault.body, fault.content_type, fault.headers)
        return None

    def _answer(self, environ: Environ, method: str, path: str) -> Reply:
        if path.startswith(pages.PREFIX):
            return pages.control(self, method, path, environ)
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        return routes.answer(self.state, method, path, query)
