"""Watches over a contact with a gateway: its leases, its deadline, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial

from sqlalchemy.exc import IntegrityError

from brokers.contract import Clock
from brokers.errors import GatewaySilent
from portfolio.db.session import unit_of_work
from portfolio.db.unsaid import FAILURES, Unsaid
from portfolio.errors import StorageBusy
from portfolio.sync import lease
from portfolio.sync import services as sync
from portfolio.sync.lease import Held

# A person waits no longer for a page; a run does.
PATIENCE = timedelta(seconds=20)
BETWEEN_TRIES = 1 / 4
DEADLINE = timedelta(seconds=60)
# Large accounts are paced: each second beyond the deadline is worth that many calls.
CALLS_PER_SECOND = 8
PROGRESS_EVERY = timedelta(seconds=1)


class Watch:
    """Holds leases while a broker is called, renewed before each call that needs it."""

    def __init__(
        self, clock: Clock, patience: timedelta = PATIENCE, unsaid: Unsaid | None = None
    ) -> None:
        self.clock = clock
        self._unsaid = unsaid or Unsaid()
        self.held: list[Held] = []
        self._patience = patience
        self._renewed_at = clock.now()
        self._began_at = clock.now()
        self._calls = 0

    @contextmanager
    def holding(self, name: str, owner: str) -> Iterator[Held]:
        """Hold a lease; waits for it as long as this watch has patience, then `StorageBusy`."""
        # It may be ours still, from a time when giving it back could not be stored.
        self._unsaid.catch_up()
        began = self.clock.now()
        while (held := self._take(name, owner)) is None:
            if self.clock.now() - began > self._patience:
                raise StorageBusy(
                    "Another sync is talking to this gateway.",
                    "Try again in a moment; nothing was changed.",
                )
            self.waits()
            self.clock.sleep(BETWEEN_TRIES)
        self.held.append(held)
        self._began_at = self.clock.now()
        try:
            yield held
        finally:
            self.held.remove(held)
            # What was done is done; at worst the lease ends by itself.
            with suppress(*FAILURES):
                self._unsaid.say(partial(sync.give_back, held))

    def _take(self, name: str, owner: str) -> Held | None:
        try:
            with unit_of_work() as session:
                return lease.take(session, name, owner, self.clock.now())
        except IntegrityError:
            # Two processes made the same row at the same moment; the other one has it.
            return None

    def before_call(self) -> None:
        """Renew what is held, or end what takes too long; called before each call."""
        self._calls += 1
        now = self.clock.now()
        if now - self._began_at > DEADLINE + timedelta(seconds=self._calls // CALLS_PER_SECOND):
            raise GatewaySilent(
                "The account could not be read within a minute; nothing was changed.",
                "It is tried again. If it stays, restart the gateway and log in again.",
            )
        if now - self._renewed_at >= lease.RENEWED_EVERY:
            self._renew()

    def _renew(self) -> None:
        self._renewed_at = self.clock.now()
        with unit_of_work() as session:
            for held in self.held:
                lease.renew(session, held, self._renewed_at)

    def waits(self) -> None:
        """Somebody else has what is wanted; tried again in a moment."""

    def progress(self, positions: int) -> None:
        """So many positions have been read."""


class RunWatch(Watch):
    """Watches over a run: the lease of its connection too, and what its card shows meanwhile."""

    def __init__(
        self,
        clock: Clock,
        run_id: str,
        connection: Held,
        patience: timedelta,
        unsaid: Unsaid | None = None,
    ) -> None:
        super().__init__(clock, patience, unsaid)
        self.connection = connection
        self.held.append(connection)
        self._run_id = run_id
        self._positions = 0
        self._shown_at = clock.now() - PROGRESS_EVERY

    def waits(self) -> None:
        """Keep the run alive, and say that it waits for another one."""
        if self.clock.now() - self._renewed_at >= PROGRESS_EVERY:
            self._renew(waiting=True)

    def progress(self, positions: int) -> None:
        """Note how far the run has come, at most once a second."""
        self._positions = positions
        if self.clock.now() - self._shown_at >= PROGRESS_EVERY:
            self._shown_at = self.clock.now()
            self._renew()

    def _renew(self, *, waiting: bool = False) -> None:
        self._renewed_at = self.clock.now()
        seen = {"waiting": True} if waiting else {"positions": self._positions}
        with unit_of_work() as session:
            sync.renew(session, self._run_id, self.held, self._renewed_at, **seen)
