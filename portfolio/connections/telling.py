"""Tells a person what is new: one message at a time, from whichever process comes first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from portfolio.accounts.models import CONNECTED, Account
from portfolio.connections.contacts import standing_of
from portfolio.connections.models import Connection, Gateway, Messenger, Told
from portfolio.connections.notices import News, Watched, compare, message, safe_name, states
from portfolio.connections.upkeep import READY
from portfolio.db.session import changed_rows, end_reading, read_only, unit_of_work
from portfolio.errors import Conflict, Forbidden, TooManyRequests
from portfolio.users.models import User
from portfolio.users.people import user_ids
from portfolio.users.queries import first_user
from portfolio.web.runtime import Runtime, owner_id, reading, runtime

log = logging.getLogger(__name__)

# Longer than a message may take; a process that ended meanwhile is waited for no longer.
CLAIM = timedelta(minutes=2)
# What comes up within it is told together.
PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
BETWEEN_TESTS = timedelta(seconds=5)
TEST = (
    "Foliosync: test",
    "This is a test. Messages like this one tell you when you are needed, and when all is well.",
)


def tell() -> None:
    """Send what is new for each user; called every few seconds with the application at hand.

    The targets belong to the first user: accounts of others go by a number, not by their names.
    Several processes may call it at once: one of them sends. It takes up to half a minute for each
    user while targets are slow; no transaction is open then.
    """
    of = runtime()
    if not of.settings.notify_urls:
        return
    with read_only() as session:
        owners = user_ids(session)
    for owner in owners:
        _tell(of, owner)


def _tell(of: Runtime, owner: int) -> None:
    news = _news(reading(), owner)
    end_reading()
    if news.worth_telling or news.gone:
        news = _claim(owner, of.clock.now())
    if news.worth_telling:
        taken = _sent(of.send, *message(news))
        _remember(owner, news, of.clock.now(), taken=taken)


def _news(session: Session, owner: int) -> News:
    query = select(Told.subject, Told.code).where(Told.owner_id == owner)
    told = dict(session.execute(query).all())
    return compare(states(_watched(session, owner)), told)


def _watched(session: Session, owner: int) -> list[Watched]:
    query = select(Account, Connection, Gateway)
    query = query.join(Connection, Connection.account_id == Account.id)
    query = query.join(Gateway, Gateway.id == Connection.gateway_id)
    mine = Connection.owner_id == owner, Account.mode == CONNECTED
    called = None if owner == first_user(session) else session.get_one(User, owner).name
    rows = session.execute(query.where(*mine).order_by(Account.name, Account.id)).all()
    secret = [connection.broker_account for _, connection, _ in rows]
    return [
        Watched(
            account_id=account.id,
            portfolio_id=account.portfolio_id,
            gateway_id=connection.gateway_id,
            name=safe_name(
                account.name if called is None else f"account {account.id} of {called}", secret
            ),
            code=account.attention_code,
            scheduled=connection.sync_enabled and not connection.paused,
            comes_and_goes=standing_of(gateway).is_broken and gateway.said == READY,
        )
        for account, connection, gateway in rows
    ]


def _claim(owner: int, now: datetime) -> News:
    """What is new and ours to tell: nothing where another process tells it, or it must wait."""
    nothing = News(needed={}, well={}, gone=frozenset())
    with unit_of_work() as session:
        ensure_messenger(session, owner, now)
        free = Messenger.owner_id == owner, Messenger.until <= now
        claim = update(Messenger).where(*free).values(until=now + CLAIM)
        taken = changed_rows(session, claim) > 0
        # Read only now: the process before us may have told it.
        news = _news(session, owner)
        _forget(session, owner, news.gone)
        if taken and not news.worth_telling:
            _release(session, owner, now, failures=0)
        return news if taken else nothing


def _sent(send: Callable[[str, str], int], title: str, body: str) -> bool:
    try:
        return send(title, body) > 0
    except Exception:  # noqa: BLE001
        # Not even its text is logged: it could name an address.
        return False


def _remember(owner: int, news: News, now: datetime, *, taken: bool) -> None:
    """Store what was told, or when to try again; the log has the first failure and the end."""
    with unit_of_work() as session:
        failed = session.get_one(Messenger, owner).failures
        if taken:
            _forget(session, owner, frozenset([*news.well, *news.needed]))
            session.add_all(
                Told(owner_id=owner, subject=subject, code=of.code, told_at=now)
                for subject, of in news.needed.items()
            )
        _release(session, owner, now + _pause(failed), failures=0 if taken else failed + 1)
    if failed and taken:
        log.info("a message was sent, after %d attempts in vain", failed)
    elif not failed and not taken:
        log.warning("a message could not be sent; it is tried again with growing pauses")


def _pause(failed: int) -> timedelta:
    return min(LONGEST_PAUSE, PAUSE * (1 << min(failed, 10)))


def _release(session: Session, owner: int, until: datetime, *, failures: int) -> None:
    ours = update(Messenger).where(Messenger.owner_id == owner)
    session.execute(ours.values(until=until, failures=failures))


def _forget(session: Session, owner: int, subjects: frozenset[str]) -> None:
    if subjects:
        theirs = Told.owner_id == owner, Told.subject.in_(subjects)
        session.execute(delete(Told).where(*theirs))


def ensure_messenger(session: Session, owner: int, now: datetime) -> None:
    """The row that a process claims before it tells this owner something."""
    if session.get(Messenger, owner) is None:
        session.add(Messenger(owner_id=owner, until=now))
        session.flush()


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
            "Check the addresses in FOLIOSYNC_NOTIFY_URLS, and whether this computer reaches them."
        )


def send_test() -> Delivery:
    """Send a test message to all targets.

    `Conflict` where there are none, `Forbidden` to others than the first user, whose they are, and
    `TooManyRequests` within a few seconds of the last one.
    """
    of = runtime()
    targets = len(of.settings.notify_urls)
    if not targets:
        raise Conflict(
            "There is nobody to tell: no target is set.",
            "Set FOLIOSYNC_NOTIFY_URLS and restart Foliosync.",
        )
    owner, now = owner_id(), of.clock.now()
    if owner != first_user(reading()):
        raise Forbidden(
            "The targets of messages belong to whoever runs this server.",
            "Ask them to send the test.",
        )
    end_reading()
    with unit_of_work() as session:
        ensure_messenger(session, owner, now)
        _rest(session, owner, now)
    return Delivery(targets=targets, taken=of.send(*TEST))


def _rest(session: Session, owner: int, now: datetime) -> None:
    rested = Messenger.tested_at.is_(None) | (Messenger.tested_at <= now - BETWEEN_TESTS)
    mine = update(Messenger).where(Messenger.owner_id == owner, rested)
    if not changed_rows(session, mine.values(tested_at=now)):
        raise TooManyRequests(
            "A test message was sent a moment ago.",
            "Try again in a few seconds.",
            retry_at=now + BETWEEN_TESTS,
        )
