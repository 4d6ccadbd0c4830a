"""Totals know when they are old, also where two transactions change rates at once."""

from __future__ import annotations

import pytest

from portfolio.accounts.services import totals
from portfolio.clock import Moment
from portfolio.users.models import User
from tests.conftest import fresh_database
from tests.integration.sync.test_counts import Store
from tests.unit.portfolio.sync.builders import NOON

MOMENT = Moment(now=NOON, day=NOON.date())


@pytest.mark.postgres
def test_of_two_who_change_rates_at_once_each_counts(request):
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        store = Store(url)
        with store.writing() as one, store.writing() as other:
            # Both have looked before either writes.
            owners = [session.get_one(User, 1) for session in (one, other)]
            (seen,) = {owner.rates_revision for owner in owners}
            for session in (one, other):
                totals.rates_changed(session, 1, MOMENT)
                session.commit()
            assert one.get_one(User, 1, populate_existing=True).rates_revision == seen + 2
        store.engine.dispose()
