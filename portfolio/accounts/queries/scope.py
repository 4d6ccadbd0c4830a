"""An account as a request names it, with all that its rows are read and judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from portfolio.accounts.models import Account
from portfolio.accounts.queries.holdings import Known, cash_views, holding_views, holdings_page
from portfolio.accounts.queries.order import Wanted, ordered
from portfolio.accounts.queries.portfolios import (
    LinksOf,
    find_account,
    one_view,
    visible_account,
)
from portfolio.accounts.queries.rates import known_rates
from portfolio.accounts.queries.totals import totals_views
from portfolio.accounts.resources import AccountView, CashView, HoldingsPage, HoldingView
from portfolio.clock import Moment
from portfolio.db.batches import batches
from portfolio.errors import NotFound


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

    def _known(self) -> Known:
        rates = known_rates(self.session, self.account.portfolio.owner)
        return Known(
            account=self.account,
            view=self.view,
            rates=rates,
            totals=totals_views(self.session, [self.account], rates)[self.account.id],
            today=self.moment.day,
        )

    def holdings(self, wanted: Wanted) -> HoldingsPage:
        """A stretch of the holdings."""
        return holdings_page(self.session, self._known(), wanted)

    def all_holdings(self) -> Iterator[tuple[HoldingView, ...]]:
        """Every holding by its symbol, some at a time; within `one_state` they belong together."""
        known = self._known()
        order = ordered(self.session, self.account, known.rates, Wanted(sort="symbol"))
        for some in batches(order.ids):
            yield holding_views(self.session, known, some)

    def holding(self, holding_id: int) -> HoldingView:
        """One holding that is held now, or `NotFound`."""
        found = holding_views(self.session, self._known(), [holding_id])
        if not found:
            raise NotFound("holding")
        return found[0]

    def cash(self) -> tuple[CashView, ...]:
        """All cash."""
        return cash_views(self.session, self._known())

    def one_cash(self, cash_id: int) -> CashView:
        """One cash balance."""
        return next(row for row in self.cash() if row.id == cash_id)
