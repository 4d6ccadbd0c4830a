"""An account as a request names it, with all that its rows are read and judged by."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from portfolio.accounts.figures import Rates
from portfolio.accounts.models import Account
from portfolio.accounts.queries.holdings import (
    Wanted,
    cash_views,
    find_holding,
    holdings_page,
    one_holding,
)
from portfolio.accounts.queries.portfolios import (
    LinksOf,
    find_account,
    one_view,
    visible_account,
)
from portfolio.accounts.queries.totals import owner_rates, totals_views
from portfolio.accounts.resources import (
    AccountView,
    CashView,
    HoldingsPage,
    HoldingView,
    TotalsView,
)
from portfolio.clock import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One account within one session at one moment."""

    session: Session
    account: Account
    view: AccountView
    moment: Moment

    @classmethod
    def find(
        cls,
        session: Session,
        user_id: int,
        place: tuple[int, str],
        moment: Moment,
        links_of: LinksOf,
        *,
        to_look: bool = False,
    ) -> Scope:
        """The account at a place (portfolio id, account name), or `NotFound`.

        Who may only look is refused (`Forbidden`) unless that is all that is asked for.
        """
        find = visible_account if to_look else find_account
        account = find(session, user_id, *place)
        view = one_view(session, account, moment.now, links_of, user_id)
        return cls(session=session, account=account, view=view, moment=moment)

    def _known(self) -> tuple[Rates, TotalsView]:
        rates = owner_rates(self.session, self.account.portfolio.owner_id)
        return rates, totals_views(self.session, [self.account], rates)[self.account.id]

    def holdings(self, wanted: Wanted) -> HoldingsPage:
        """A stretch of the holdings."""
        rates, totals = self._known()
        return holdings_page(
            self.session,
            self.account,
            self.view,
            totals=totals,
            rates=rates,
            today=self.moment.day,
            wanted=wanted,
        )

    def holding(self, holding_id: int) -> HoldingView:
        """One holding."""
        rates, totals = self._known()
        row = find_holding(self.session, self.account, holding_id)
        today = self.moment.day
        return one_holding(
            self.session, self.account, self.view, row, rates=rates, totals=totals, today=today
        )

    def cash(self) -> tuple[CashView, ...]:
        """All cash."""
        rates, totals = self._known()
        return cash_views(self.session, self.account, self.view, rates=rates, totals=totals)

    def one_cash(self, cash_id: int) -> CashView:
        """One cash balance."""
        return next(row for row in self.cash() if row.id == cash_id)
