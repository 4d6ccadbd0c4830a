"""What is done once a day: values of accounts kept by hand, reference rates, old runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from functools import partial
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from portfolio.accounts.ecb import ECB, ReferenceRate, parse
from portfolio.accounts.models import MANUAL, Account, DailyValue, Rate
from portfolio.accounts.queries.totals import owner_rates
from portfolio.accounts.services.rates import store_reference_rates
from portfolio.accounts.services.totals import store
from portfolio.clock import Moment
from portfolio.db.session import read_only, unit_of_work
from portfolio.errors import RatesUnavailable
from portfolio.jobs.told import Told
from portfolio.sync.thinning import thin
from portfolio.users.models import User
from portfolio.users.people import user_ids

log = logging.getLogger(__name__)

FRANKFURT = ZoneInfo("Europe/Berlin")
# Published around 16:00 on working days.
PUBLISHED = time(16, 15)
SATURDAY = 5
RETRY = timedelta(hours=1)
# Transactions of one turn: after years without it, others must come to write in between.
A_FEW = 12


class DailyValues:
    """After midnight, stores today's value of each account that is kept by hand."""

    def __init__(self, today: Callable[[], Moment]) -> None:
        self._today = today

    def __call__(self) -> None:
        """Store what is not stored yet; an account that fails does not stop the others."""
        moment = self._today()
        failure = _each_alone(_without_value(moment.day), partial(_store_value, moment=moment))
        if failure is not None:
            raise failure


def _each_alone(ids: Iterable[int], store: Callable[[Session, int], object]) -> Exception | None:
    """Store something for each in a transaction of its own; the last failure of any of them."""
    failure = None
    for each in ids:
        try:
            with unit_of_work() as session:
                store(session, each)
        except Exception as error:  # noqa: BLE001
            failure = error
    return failure


def _without_value(day: date) -> list[int]:
    """The accounts kept by hand that have no value of this day."""
    of_day = exists().where(DailyValue.account_id == Account.id, DailyValue.day == day)
    query = select(Account.id).where(Account.mode == MANUAL, ~of_day).order_by(Account.id)
    with read_only() as session:
        return list(session.scalars(query))


def _store_value(session: Session, account_id: int, moment: Moment) -> None:
    account = session.get(Account, account_id)
    if account is not None and account.mode == MANUAL:
        store(session, account, owner_rates(session, account.portfolio.owner_id), moment)


class ReferenceRates:
    """Fetches the European Central Bank's rates once they are out; a failure is retried hourly."""

    def __init__(self, fetch: Callable[[], bytes], today: Callable[[], Moment]) -> None:
        self._fetch = fetch
        self._today = today
        self._told = Told()
        self._asked_for: date | None = None
        self._retry_at: datetime | None = None

    def __call__(self) -> None:
        """Fetch and store them where those that are stored are not the newest there can be."""
        moment = self._today()
        wanted = newest_publication(moment.now)
        if not self._is_due(wanted, moment.now):
            return
        self._retry_at = moment.now + RETRY
        try:
            failure = _store_for_everybody(parse(self._fetch()), moment)
        except RatesUnavailable as error:
            failure = error
        if failure is not None:
            self._told.broken("reference rates", failure)
            return
        # On a holiday there are none: to have asked is enough.
        self._asked_for, self._retry_at = wanted, None
        self._told.healed("reference rates")

    def _is_due(self, wanted: date, now: datetime) -> bool:
        # A time further ahead than the pause was set before the clock was put back.
        if self._retry_at is not None and now < self._retry_at <= now + RETRY:
            return False
        newest = _newest_of_each()
        # Who came after the last fetch has none at all.
        return None in newest or (self._asked_for != wanted and any(of < wanted for of in newest))


def _store_for_everybody(rates: tuple[ReferenceRate, ...], moment: Moment) -> Exception | None:
    """Store rates for each user; one who cannot have them does not keep them from the others."""
    with read_only() as session:
        owners = user_ids(session)
    return _each_alone(owners, partial(store_reference_rates, rates=rates, moment=moment))


def _newest_of_each() -> list[Any]:
    """The newest day that each user has reference rates of, or None."""
    theirs = Rate.owner_id == User.id, Rate.source == ECB
    # Of each user by the index: the rates of years are not gone through each minute.
    newest = select(func.max(Rate.day)).where(*theirs).correlate(User).scalar_subquery()
    with read_only() as session:
        return list(session.scalars(select(newest).select_from(User)))


def newest_publication(now: datetime) -> date:
    """The newest day whose rates can be out: working days, from the afternoon in Frankfurt."""
    local = now.astimezone(FRANKFURT)
    day = local.date() - timedelta(days=local.time() < PUBLISHED)
    return day - timedelta(days=max(0, day.weekday() - SATURDAY + 1))


class OldRuns:
    """After midnight, lets runs go that changed nothing and that nobody will ask for."""

    def __init__(self, today: Callable[[], Moment], zone: tzinfo) -> None:
        self._today = today
        self._zone = zone
        self._done: date | None = None

    def __call__(self) -> None:
        """Let some go, until none of that age are left for today."""
        moment = self._today()
        if self._done == moment.day:
            return
        gone = list(islice(thin(moment.now, self._zone), A_FEW))
        if gone:
            log.info("old runs that changed nothing: %d removed", sum(gone))
        if len(gone) < A_FEW:
            self._done = moment.day
