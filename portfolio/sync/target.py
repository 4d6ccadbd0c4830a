"""Where a snapshot goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from portfolio.accounts.models import Account
from portfolio.clock import Moment
from portfolio.sync.models import SyncRun
from portfolio.sync.plan import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """The rows kept by hand that a person chose to give up for those of the broker.

    With `only_alike`, only those that look the same as something the broker brings.
    """

    holdings: tuple[int, ...] = ()
    cash: tuple[int, ...] = ()
    only_alike: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a snapshot goes: the account, the source of its rows, the run, and the moment.

    `rated_on` is the day it was read, which its rates are of: a decision may come the day after.
    `futures_profit_counts` is whether the books count the profit of futures beside the cash.
    """

    account: Account
    source: Source
    run: SyncRun
    moment: Moment
    rated_on: date
    replaced: Replaced
    futures_profit_counts: bool = False

    @property
    def owner_id(self) -> int:
        """Whose instruments and rates are written."""
        return self.account.portfolio.owner_id
