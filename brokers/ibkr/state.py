"""What all connections through one gateway share: its pace, its account list, known contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from threading import BoundedSemaphore, Lock

from brokers.circuit import Circuit
from brokers.contract import Clock, Limit
from brokers.ibkr.agreement import Standing
from brokers.ibkr.mapping import Known
from brokers.ibkr.session import Facts, Tickle, still_known
from brokers.pacing import Pacer
from brokers.types import BrokerAccount

ACCOUNTS_LAST = 5.0


class GatewayState:
    """Lives as long as the program and is safe to share between threads."""

    def __init__(self, limits: Sequence[Limit], clock: Clock) -> None:
        self.pacer = Pacer(limits, clock)
        self.circuit = Circuit(clock)
        # The gateway has five places, shared with the browser's login and with other tools.
        self.seats = BoundedSemaphore(2)
        self.facts = Facts()
        self._clock = clock
        self._lock = Lock()
        self._accounts: tuple[str, float, tuple[BrokerAccount, ...]] | None = None
        self.instruments: Known = {}
        self._standings: dict[str, Standing] = {}
        self._cash: dict[str, Mapping[str, Decimal]] = {}

    def learn(self, change: Callable[[Facts], Facts]) -> None:
        """Bring the facts about the session up to date."""
        with self._lock:
            self.facts = change(self.facts)

    def session(self) -> Tickle | None:
        """The session, if it was told of within the last second."""
        return still_known(self.facts, self._clock.now())

    def accounts(self, session: str) -> tuple[BrokerAccount, ...] | None:
        """The account list, if it is at most five seconds old and of this very session."""
        with self._lock:
            if self._accounts is None:
                return None
            of, at, listed = self._accounts
            fresh = self._clock.monotonic() - at <= ACCOUNTS_LAST
            return listed if fresh and of == session else None

    def keep_accounts(self, session: str, listed: tuple[BrokerAccount, ...]) -> None:
        """Remember an account list."""
        with self._lock:
            self._accounts = session, self._clock.monotonic(), listed

    def standing(self, account: str) -> Standing | None:
        """How the two lists of an account stand; None before they were compared."""
        with self._lock:
            return self._standings.get(account)

    def keep_standing(self, account: str, standing: Standing | None) -> None:
        """Remember how the two lists of an account stand; None forgets it."""
        with self._lock:
            if standing is None:
                self._standings.pop(account, None)
            else:
                self._standings[account] = standing

    def cash(self, account: str) -> Mapping[str, Decimal] | None:
        """The cash by currency that the positions were last read with; None before that."""
        with self._lock:
            return self._cash.get(account)

    def keep_cash(self, account: str, cash: Mapping[str, Decimal]) -> None:
        """Remember the cash that the positions are read with."""
        with self._lock:
            self._cash[account] = cash
