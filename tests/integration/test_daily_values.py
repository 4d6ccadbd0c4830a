"""What an account was worth: a line on its page, and every day of it as a table."""

from __future__ import annotations

import random
from datetime import UTC, timedelta
from decimal import Decimal as D

import pytest
from sqlalchemy import select

from portfolio.accounts.ecb import ReferenceRate
from portfolio.accounts.models import Account, DailyValue
from portfolio.accounts.services.rates import store_reference_rates
from portfolio.clock import Moment
from portfolio.db.session import unit_of_work
from portfolio.web import filters

HTML = {"Accept": "text/html"}


def lived(desk, days, name="A"):
    """So many days before today, in dollars but for the first ten, one of them unknown."""
    now, draw = desk.clock.now(), random.Random(1)
    with desk.app.app_context(), unit_of_work() as session:
        account = session.scalar(select(Account).where(Account.name == name))
        for number in range(1, days + 1):
            value = None if number == 2 else D(draw.randint(10**8, 10**9)) / 100
            session.add(
                DailyValue(
                    account_id=account.id,
                    day=now.date() - timedelta(days=number),
                    currency="EUR" if number > days - 10 else "USD",
                    net_liquidation=value,
                    read_at=now - timedelta(days=number),
                )
            )


def page(desk, path):
    answer = desk.program.get(path, headers=HTML)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


@pytest.fixture
def old(anywhere):
    anywhere.connected()
    lived(anywhere, 300)
    return anywhere


def test_every_day_is_in_the_table_the_newest_first(old):
    url = "/portfolio/1/accounts/A/values"
    assert f'href="{url}"' in page(old, "/portfolio/1/accounts/A")
    first, second = page(old, url), page(old, f"{url}?page=2")
    assert (first.count('<th scope="row">'), second.count('<th scope="row">')) == (250, 51)
    # Today's own value comes first, and the day before yesterday's is not known.
    assert [row.count("not known that day") > 0 for row in first.split("<tr>")[2:5]] == [
        *(False, False, True)
    ]
    assert 'href="?page=2">Older' in first
    assert "Newer" not in first
    assert 'href="?page=1">Newer' in second
    assert "Older" not in second
    # In the currency of that day.
    assert (first.count(">EUR<"), second.count(">EUR<")) == (0, 10)
    assert "There are no older values." in page(old, f"{url}?page=3")


def test_the_line_is_of_the_days_in_the_present_currency(old):
    shown = page(old, "/portfolio/1/accounts/A")
    first = old.clock.now().date() - timedelta(days=290)
    assert f"From {filters.day(first)} to" in shown
    # Two pieces: a day in between is not known.
    assert shown.count("l0 0") == 2
    assert 'viewBox="0 -16 290 512"' in shown


def test_a_new_account_begins_today(desk):
    desk.account()
    assert page(desk, "/portfolio/1/accounts/A/values").count('<th scope="row">') == 1
    assert "The chart begins with the second day." in page(desk, "/portfolio/1/accounts/A")
    assert desk.program.get("/portfolio/1/accounts/B/values", headers=HTML).status_code == 404


def rated(desk, value):
    """The reference rates of today are fetched."""
    moment = Moment.at(desk.clock.now(), UTC)
    with desk.app.app_context(), unit_of_work() as session:
        rate = ReferenceRate(currency="USD", day=moment.day, value=D(value))
        store_reference_rates(session, 1, [rate], moment)


def test_a_connected_account_has_no_value_of_a_day_on_which_it_was_not_read(anywhere):
    url = anywhere.connected()
    anywhere.account("B")

    def days(name="A"):
        found = anywhere.program.get(f"/api/v1/portfolios/1/accounts/{name}/values").json
        return [(row["day"][-2:], row["net_liquidation"]) for row in found["items"]]

    first = days()
    assert [day for day, _ in first] == ["20"]
    for value in ("1.2", "1.3"):
        anywhere.turn(24 * 3600)
        rated(anywhere, value)
    # The rates are others, but nobody knows what was held.
    assert days() == first
    assert [day for day, _ in days("B")] == ["20", "21", "22"]
    assert anywhere.sync(url).status_code == 200
    read = days()
    assert [day for day, _ in read] == ["20", "22"]
    anywhere.turn(60)
    rated(anywhere, "1.4")
    # The value of a day on which it was read follows the rates of that day.
    assert [day for day, _ in days()] == ["20", "22"]
    assert days() != read
