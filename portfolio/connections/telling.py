"""Tells a person what is new: one message at a time, from whichever process comes first."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from portfolio.accounts.models import CONNECTED, Account
from portfolio.connections.contacts import standing_of
from portfolio.connections.models import Connection, Gateway, Messenger, Target, Told
from portfolio.connections.notices import News, Watched, compare, message, safe_name, states
from portfolio.connections.sending import send
from portfolio.connections.upkeep import READY
from portfolio.db.session import changed_rows, read_only, unit_of_work
from portfolio.users.models import User
from portfolio.users.people import not_disabled
from portfolio.users.queries import first_user
from portfolio.web.runtime import runtime

log = logging.getLogger(__name__)

# Longer than a message may take; a process that ended meanwhile is waited for no longer.
CLAIM = timedelta(minutes=2)
# What comes up within it is told together.
PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)


def tell() -> None:
    """Send what is new, if anything is; called every few seconds with the application at hand.

    Several processes may call it at once: one of them sends. It takes up to half a minute while
    targets are slow; no transaction is open then.
    """
    with read_only() as session:
        owners = _owners(session)
    for owner in owners:
        _tell(owner)


def _owners(session: Session) -> list[int]:
    """Who has a target: the operator those of the environment, others their own; none disabled."""
    owners = set(session.scalars(select(Target.owner_id)))
    if runtime().settings.notify_urls:
        owners.add(first_user(session))
    query = select(User.id).where(User.id.in_(owners), not_disabled(User.id)).order_by(User.id)
    return list(session.scalars(query))


def _tell(owner: int) -> None:
    now = runtime().clock.now
    with read_only() as session:
        news = _news(session, owner)
    if news.worth_telling or news.gone:
        news = _claim(owner, now())
    if news.worth_telling:
        taken = send(owner, *message(news)) > 0
        _remember(owner, news, now(), taken=taken)


def _news(session: Session, owner: int) -> News:
    query = select(Told.subject, Told.code).where(Told.owner_id == owner)
    told = dict(session.execute(query).all())
    return compare(states(_watched(session, owner)), told)


def _watched(session: Session, owner: int) -> list[Watched]:
    query = select(Account, Connection, Gateway)
    query = query.join(Connection, Connection.account_id == Account.id)
    query = query.join(Gateway, Gateway.id == Connection.gateway_id)
    mine = Connection.owner_id == owner, Account.mode == CONNECTED
    rows = session.execute(query.where(*mine).order_by(Account.name, Account.id)).all()
    secret = [connection.broker_account for _, connection, _ in rows]
    return [
        Watched(
            account_id=account.id,
            portfolio_id=account.portfolio_id,
            gateway_id=connection.gateway_id,
            name=safe_name(account.name, secret),
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
        free = Messenger.owner_id == owner, Messenger.until <= now
        claim = update(Messenger).where(*free).values(until=now + CLAIM)
        taken = changed_rows(session, claim) > 0
        # Read only now: the process before us may have told it.
        news = _news(session, owner)
        _forget(session, owner, news.gone)
        if taken and not news.worth_telling:
            _release(session, owner, now, failures=0)
        return news if taken else nothing


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
