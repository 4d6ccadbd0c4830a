"""The state of the simulated gateway: who is signed in, what was asked, what is held."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from brokers.contract import Clock
from brokers.ibkr import MANIFEST
from brokers.ibkr.simulator.data import Account, accounts
from brokers.ibkr.simulator.reply import Reply

STARTING = 3.0
PENALTY = 900.0
GLOBAL_LIMIT = 10
REFUSED, SILENT, CUT, DRIP, FLOOD = "refused", "silent", "cut", "drip", "flood"
SSO_LASTS = 600_000
EXPIRED = -1
# However often prices move, they stay as short as a broker's.
PRICE_DIGITS = 6
# Who signs in, unless a scenario says otherwise.
USER = "demo42"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that reached the gateway."""

    method: str
    path: str
    status: int
    at: datetime


@dataclass(slots=True, kw_only=True)
class Fault:
    """What the next matching requests get instead of an answer."""

    fragment: str
    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    times: int = 1


@dataclass(slots=True)
class GatewayState:
    """Everything that can change; the owner holds a lock around it.

    `transport` is how connections fail, `delay` how many seconds each answer takes, and
    `certificate` which of several certificates is shown (`EXPIRED`: one whose time is over).
    """

    clock: Clock
    enforce_limits: bool = True
    signed_in_at: float | None = None
    user: str = USER
    session: int = 0
    accounts_asked: bool = False
    penalty_until: float = 0.0
    accounts: dict[str, Account] = field(default_factory=accounts)
    warm: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    rewrites: list[Callable[[str, Reply], Reply]] = field(default_factory=list)
    transport: str | None = None
    delay: float = 0
    certificate: int = 0
    idle_limit: int | None = None
    ends_at: datetime | None = None
    always_lean: bool = False
    touched_at: float = 0.0
    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=5_000))
    trips: list[Request] = field(default_factory=list)
    calls: dict[str, deque[float]] = field(default_factory=dict)

    @property
    def signed_in(self) -> bool:
        """Whether a person is signed in."""
        return self.signed_in_at is not None

    @property
    def trading_session(self) -> bool:
        """Whether the trading session that follows a login is up."""
        at = self.signed_in_at
        return at is not None and self.clock.monotonic() - at >= STARTING

    @property
    def expires_in(self) -> int:
        """Milliseconds to the renewal of the login; counts down and begins anew."""
        since = self.clock.monotonic() - (self.signed_in_at or 0)
        return SSO_LASTS - int(since * 1000) % SSO_LASTS

    def turn(self, seconds: float) -> None:
        """Let time pass at the gateway; `ValueError` where its clock cannot be turned."""
        turn = getattr(self.clock, "turn", None)
        if turn is None or seconds < 0:
            raise ValueError("this clock")
        turn(seconds)

    def sign_in(self) -> None:
        """A person signs in at the login page."""
        self.signed_in_at = self.touched_at = self.clock.monotonic()
        self.ends_at = None
        self.session += 1
        self.accounts_asked = False
        self.warm.clear()

    def sign_out(self) -> None:
        """The session ends, as it does once a day."""
        self.signed_in_at = None

    def sell(self, account_id: str, symbol: str, quantity: Decimal | None, *, keep: bool) -> None:
        """Sell a position or a part of it at its price; `keep` leaves a row of quantity 0."""
        account = self.accounts[account_id]
        row = account.find(symbol)
        sold = row.quantity if quantity is None else quantity
        account.cash[row.currency].balance += sold * row.price * row.multiplier
        row.quantity -= sold
        if row.quantity == 0 and not keep:
            account.held.remove(row)

    def buy_more(self, account_id: str, every: int) -> None:
        """Buy one more of the first of every so many shares (at least 1), at its price."""
        if every < 1:
            raise ValueError(every)
        account = self.accounts[account_id]
        for row in [row for row in account.held if row.asset == "STK"][::every]:
            account.cash[row.currency].balance -= row.price
            row.quantity += 1

    def reprice(self, factor: Decimal) -> None:
        """Move every price."""
        for account in self.accounts.values():
            for row in account.held:
                row.price = round(row.price * factor, PRICE_DIGITS)

    def fall_asleep(self) -> None:
        """End a session whose time is up or that was idle for too long; note its use."""
        now = self.clock.monotonic()
        if self.ends_at is not None and self.clock.now() >= self.ends_at:
            self.sign_out()
        if self.idle_limit is not None and now - self.touched_at > self.idle_limit:
            self.sign_out()
        self.touched_at = now

    def over_limit(self, endpoint: str) -> bool:
        """Count a call; whether it is above the documented limits, or within their penalty."""
        now = self.clock.monotonic()
        if not self.enforce_limits:
            return False
        if now < self.penalty_until:
            return True
        above = not self._room("*", GLOBAL_LIMIT, 1, now)
        for limit in MANIFEST.limits:
            if limit.endpoint == endpoint:
                above |= not self._room(endpoint, limit.calls, limit.seconds, now)
        if above:
            self.penalty_until = now + PENALTY
        return above

    def _room(self, name: str, calls: int, seconds: float, now: float) -> bool:
        sent = self.calls.setdefault(name, deque())
        # A hair of tolerance: both sides read the same clock, but not at the same instant.
        while sent and now - sent[0] >= seconds - 0.05:
            sent.popleft()
        sent.append(now)
        return len(sent) <= calls
