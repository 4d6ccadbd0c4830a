from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from brokers.testing.clock import FakeClock
from portfolio.accounts import ecb
from portfolio.accounts.ecb import parse
from portfolio.errors import RatesUnavailable

DAILY = (Path(__file__).parents[3] / "data" / "ecb" / "daily.xml").read_bytes()
# What is before the first element declares an entity, which the file then uses.
SWELLING = DAILY.decode().replace("?>", "?><!DOCTYPE x [<!ENTITY a 'b'>]>", 1)
SWELLING = SWELLING.replace("<gesmes:subject>", "<gesmes:subject>&a;")
URL = f"{ecb.HOST}{ecb.DAILY.template}"


def test_a_recorded_file_is_read_exactly():
    rates = parse(DAILY)
    assert [(r.currency, r.value) for r in rates][:2] == [
        ("USD", Decimal("1.0842")),
        ("JPY", Decimal("167.25")),
    ]
    assert {r.day for r in rates} == {date(2026, 11, 20)}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>Service unavailable</html>",
        DAILY[:-30],
        DAILY.replace(b"1.0842", b"N/A"),
        DAILY.replace(b"1.0842", b"-1"),
        DAILY.replace(b"1.0842", b"1e5"),
        DAILY.replace(b"'USD'", b"'US$'"),
        DAILY.replace(b"2026-11-20", b"yesterday"),
        DAILY.replace(b"<gesmes:subject>", b"<!DOCTYPE x [<!ENTITY a 'b'>]><gesmes:subject>"),
        SWELLING.encode("utf-8"),
        SWELLING.replace("UTF-8", "UTF-16").encode("utf-16"),
    ],
)
def test_anything_else_is_refused_whole(raw):
    with pytest.raises(RatesUnavailable):
        parse(raw)


def test_the_file_comes_as_it_is(requests_mock):
    requests_mock.get(URL, content=b"<rates/>")
    assert ecb.fetch(FakeClock()) == b"<rates/>"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"exc": requests.ConnectTimeout}, "could not be reached"),
        ({"status_code": 503}, "answered with status 503"),
        ({"status_code": 302, "headers": {"Location": "/x"}}, "answered with status 302"),
    ],
)
def test_anything_else_is_told(requests_mock, answer, said):
    requests_mock.get(URL, **answer)
    with pytest.raises(RatesUnavailable) as raised:
        ecb.fetch(FakeClock())
    assert said in raised.value.message
    assert requests_mock.call_count == 1
