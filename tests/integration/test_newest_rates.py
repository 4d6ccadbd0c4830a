"""Of years of rates, figures read the newest day of each pair only; the answer is the same."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

import portfolio.connections.models
from portfolio.accounts.figures import Rates
from portfolio.accounts.models import MANUAL, Rate
from portfolio.accounts.queries.rates import last_rates, newest_rates
from portfolio.db.base import Base
from portfolio.users.models import User
from tests.unit.portfolio.sync.builders import NOON

assert portfolio.connections.models
CURRENCIES = ("AUD", "CHF", "EUR", "USD", "ZAR")
SOURCES = (MANUAL, "ecb", "ibkr")
PAIRS = [(one, other) for one in CURRENCIES for other in CURRENCIES if one != other]
KEYS = st.tuples(
    st.sampled_from((1, 2)), st.sampled_from(PAIRS), st.integers(0, 4), st.sampled_from(SOURCES)
)
TABLES = st.dictionaries(KEYS, st.tuples(st.integers(1, 9), st.integers(0, 3)), max_size=40)


@pytest.fixture
def engine(engine_of):
    return engine_of(Base.metadata)


def fill(session, table):
    session.add_all(User(id=n, name=f"u{n}", folded=f"u{n}", created_at=NOON) for n in (1, 2))
    session.flush()
    for (owner, (one, other), days, source), (value, hours) in table.items():
        session.add(
            Rate(
                owner_id=owner,
                from_currency=one,
                to_currency=other,
                day=NOON.date() - timedelta(days=days),
                source=source,
                value=D(value),
                read_at=NOON + timedelta(hours=hours),
            )
        )
    session.flush()


def last_by_hand(session, owner, source, to):
    """What the newest one is, said in the plainest way."""
    mine = Rate.owner_id == owner, Rate.source == source, Rate.to_currency == to
    rows = session.scalars(select(Rate).where(*mine).order_by(Rate.day))
    return {row.from_currency: row.value for row in rows}


def test_the_newest_rates_tell_the_same_as_all_of_them(engine):
    @settings(max_examples=60)
    @given(TABLES)
    def check(table):
        with Session(engine) as session:
            fill(session, table)
            for owner in (1, 2):
                every = Rates(session.scalars(select(Rate).where(Rate.owner_id == owner)))
                newest = Rates(newest_rates(session, owner))
                assert newest.currencies == every.currencies
                for one in CURRENCIES:
                    for other in CURRENCIES:
                        assert newest.between(one, other) == every.between(one, other)
                for source in SOURCES:
                    for to in CURRENCIES:
                        expected = last_by_hand(session, owner, source, to)
                        assert last_rates(session, owner, source=source, to=to) == expected

    check()


def test_only_one_day_of_each_pair_is_read(engine):
    table = {(1, pair, days, "ecb"): (1, 0) for pair in PAIRS for days in range(30)}
    with Session(engine) as session:
        fill(session, table)
        assert len(newest_rates(session, 1)) == len(PAIRS)
