"""Sends a message to all targets of an owner: those of the environment, and their own."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from brokers.addresses import split_address
from portfolio.connections.models import Gateway, Messenger
from portfolio.connections.targets import addresses
from portfolio.db.session import changed_rows, end_reading, read_only, unit_of_work
from portfolio.errors import Conflict, TooManyRequests
from portfolio.users.queries import first_user
from portfolio.web.runtime import owner_id, runtime

Place = tuple[str, int]
BETWEEN_TESTS = timedelta(seconds=5)
TEST = (
    "Foliosync: test",
    "This is a test. Messages like this one tell you when you are needed, and when all is well.",
)


def send(owner: int, title: str, body: str) -> int:
    """Send to all targets of an owner; how many took it. It raises nothing of the targets."""
    of = runtime()
    operator, own, closed = _targets(owner)
    taken = 0
    # Not even the text of a failure is logged: it could name an address.
    if operator:
        with suppress(Exception):
            taken += of.send(title, body)
    if own:
        with suppress(Exception):
            taken += of.deliver(own, title, body, closed)
    return taken


def _targets(owner: int) -> tuple[int, list[str], list[Place]]:
    """How many targets of the environment are this owner's, their own, and what is closed to them.

    Closed is each gateway of anybody, by its host and port.
    """
    of = runtime()
    with read_only() as session:
        operator = len(of.settings.notify_urls) if owner == first_user(session) else 0
        return operator, addresses(session, owner, of.sealer), _gateways(session)


def _gateways(session: Session) -> list[Place]:
    places: set[Place] = set()
    for row in session.execute(select(Gateway.address, Gateway.login_address)):
        for address in row:
            # The gateways of some adapters are no https addresses.
            with suppress(ValueError):
                places.add(split_address(address))
    return sorted(places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How many targets there are and how many took a message, in numbers and in a sentence."""

    targets: int
    taken: int

    @property
    def message(self) -> str:
        """What happened."""
        if self.taken == self.targets:
            plural = "" if self.targets == 1 else "s"
            return f"The test message was sent to {self.targets} target{plural}."
        if not self.taken:
            return "No target took the test message."
        return f"{self.taken} of {self.targets} targets took the test message."

    @property
    def remedy(self) -> str | None:
        """What to do where not all took it."""
        if self.taken == self.targets:
            return None
        return (
            "Check the addresses on Settings and in FOLIOSYNC_NOTIFY_URLS, and whether this "
            "computer reaches them."
        )


def send_test() -> Delivery:
    """Send a test message to all targets.

    `Conflict` where there are none, `TooManyRequests` within a few seconds of the last one, or
    while those of others are sent.
    """
    owner, now = owner_id(), runtime().clock.now()
    operator, own, _ = _targets(owner)
    count = operator + len(own)
    if not count:
        raise Conflict(
            "There is nobody to tell: no target is set.",
            "Add an address on Settings, or set FOLIOSYNC_NOTIFY_URLS and restart Foliosync.",
        )
    end_reading()
    with runtime().turns.testing(now):
        with unit_of_work() as session:
            _rest(session, owner, now)
        return Delivery(targets=count, taken=send(owner, *TEST))


def _rest(session: Session, owner: int, now: datetime) -> None:
    rested = Messenger.tested_at.is_(None) | (Messenger.tested_at <= now - BETWEEN_TESTS)
    mine = update(Messenger).where(Messenger.owner_id == owner, rested)
    if not changed_rows(session, mine.values(tested_at=now)):
        raise TooManyRequests(
            "A test message was sent a moment ago.",
            "Try again in a few seconds.",
            retry_at=now + BETWEEN_TESTS,
        )
