from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from brokers import errors as broker_errors
from brokers.errors import BadAnswer, BrokerError, NotAuthenticated
from brokers.ibkr import errors
from brokers.ibkr.calendar import quiet_until, session_end
from brokers.ibkr.errors import Situation
from brokers.ibkr.session import (
    STATES,
    Facts,
    Tickle,
    after_error,
    after_tickle,
    read_tickle,
    remembered,
    still_known,
    with_user,
)
from brokers.types import SessionState

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://localhost:5000"
SIGNED_IN = Tickle(mark="a", state=SessionState(signed_in=True))


def at(now=NOON, zone=UTC):
    return Situation(address=URL, login_address=URL, now=now, zone=zone)


def leaves(of=BrokerError):
    below = of.__subclasses__()
    return [of] if not below else [leaf for each in below for leaf in leaves(each)]


@pytest.mark.parametrize(("kind", "state"), STATES)
def test_each_failure_leads_to_its_state(kind, state):
    facts = after_error(Facts(), kind("x"), NOON)
    assert (facts.state, facts.since, facts.failures) == (state, NOON, 1)


def test_every_failure_has_a_state_or_says_nothing_about_the_session():
    silent = {broker_errors.Incomplete, broker_errors.Malformed, broker_errors.Foreign}
    # The application raises it, before the adapter is called.
    silent |= {broker_errors.Refused, broker_errors.CredentialsMissing}
    assert {kind for kind, _ in STATES} == set(leaves()) - silent


def test_what_a_tickle_told_holds_for_a_second_and_no_failure():
    facts = after_tickle(Facts(), replace(SIGNED_IN, region="NJ"), NOON)
    found = still_known(facts, NOON + timedelta(seconds=0.999))
    assert found == replace(SIGNED_IN, region="NJ")
    for moment in (NOON + timedelta(seconds=1), NOON - timedelta(seconds=0.001)):
        assert still_known(facts, moment) is None
    for failure in (BadAnswer("x"), NotAuthenticated("x")):
        failed = after_error(facts, failure, NOON)
        assert still_known(failed, NOON) is None
        assert still_known(after_tickle(failed, SIGNED_IN, NOON), NOON)
    assert still_known(Facts(), NOON) is None


def test_an_odd_answer_leaves_the_state():
    signed_in = after_tickle(Facts(), SIGNED_IN, NOON)
    after = after_error(signed_in, BadAnswer("x"), NOON)
    assert after.signed_in
    assert after.session == signed_in.session


def test_the_pauses_double_to_half_an_hour_and_a_tickle_ends_them():
    facts, pauses = Facts(), []
    for _ in range(8):
        facts = after_error(facts, NotAuthenticated("x"), NOON)
        pauses.append((facts.next_try - NOON).total_seconds() / 60)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    facts = after_tickle(facts, SIGNED_IN, NOON)
    assert (facts.failures, facts.next_try) == (0, NOON + timedelta(minutes=1))


def test_a_state_is_dated_from_its_beginning():
    first = after_error(Facts(), NotAuthenticated("x"), NOON)
    later = after_error(first, NotAuthenticated("x"), NOON + timedelta(hours=1))
    assert later.since == NOON


def test_a_penalty_is_waited_for():
    end = NOON + timedelta(hours=2)
    assert after_error(Facts(), errors.rate_limited(end, at()), NOON).next_try == end


@pytest.mark.parametrize("answer", [None, [], "text", 5])
def test_a_tickle_that_is_none_is_a_bad_answer(answer):
    with pytest.raises(BadAnswer):
        read_tickle(answer, at())


@pytest.mark.parametrize("answer", [{}, {"session": ""}, {"session": "a", "ssoExpires": 0}])
def test_a_tickle_without_a_session_means_signed_out(answer):
    with pytest.raises(NotAuthenticated):
        read_tickle(answer, at())


def test_the_trading_session_is_only_reported():
    status = {"authenticated": False, "competing": True}
    answer = {"session": "ab", "ssoExpires": Decimal(540000), "iserver": {"authStatus": status}}
    found = read_tickle(answer, at())
    assert (found.state.trading_session, found.state.signed_in_elsewhere) == (False, True)
    assert found.state.expires_at == NOON + timedelta(minutes=9)
    bare = read_tickle({"userId": 1}, at())
    assert (bare.state.trading_session, bare.state.expires_at) == (None, None)


@pytest.mark.parametrize(
    ("now", "region", "until"),
    [
        ("2026-11-24T05:05:00", None, "2026-11-24T05:15:00"),
        ("2026-11-24T05:14:59", "NJ", "2026-11-24T05:15:00"),
        ("2026-11-24T05:15:00", None, None),
        ("2026-11-24T05:50:00", None, "2026-11-24T06:15:00"),
        ("2026-11-23T23:05:00", "ZG", "2026-11-23T23:15:00"),
        ("2026-11-24T16:05:00", "HK", "2026-11-24T16:15:00"),
        ("2026-11-24T12:00:00", "??", None),
        ("2026-11-21T23:30:00", None, "2026-11-22T08:00:00"),
        ("2026-11-22T07:59:00", None, "2026-11-22T08:00:00"),
        ("2026-11-22T08:00:00", None, None),
        ("2026-07-01T04:05:00", None, "2026-07-01T04:15:00"),
    ],
)
def test_expected_outages_have_an_end(now, region, until):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    expected = datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None
    assert quiet_until(moment, region) == expected


@pytest.mark.parametrize(
    ("now", "region", "ends"),
    [
        ("2026-11-24T14:00:00", "NJ", "2026-11-25T05:00:00"),
        ("2026-11-24T05:00:00", "us", "2026-11-25T05:00:00"),
        ("2026-11-24T04:59:59", "NJ", "2026-11-24T05:00:00"),
        ("2026-11-24T14:00:00", "ZG", "2026-11-24T23:00:00"),
        ("2026-11-24T14:00:00", "HK", "2026-11-24T16:00:00"),
        ("2026-10-31T14:00:00", "NJ", "2026-11-01T04:00:00"),
        ("2026-11-01T14:00:00", "NJ", "2026-11-02T05:00:00"),
        ("2026-11-24T14:00:00", "??", None),
        ("2026-11-24T14:00:00", None, None),
    ],
)
def test_a_session_ends_at_midnight_of_a_region_that_is_known(now, region, ends):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    expected = datetime.fromisoformat(ends).replace(tzinfo=UTC) if ends else None
    assert session_end(moment, region) == expected


def test_a_reset_says_when_to_sign_in_by_the_readers_clock():
    night = datetime(2026, 11, 24, 5, 5, tzinfo=UTC)
    error = errors.not_authenticated(at(night, ZoneInfo("Europe/Zurich")))
    assert "IBKR resets now; sign in after about 06:15" in error.message
    assert error.message.startswith("Not authenticated with IBKR")
    assert error.retry_at == datetime(2026, 11, 24, 5, 15, tzinfo=UTC)
    assert (
        "after about 06:15"
        in errors.maintenance(503, at(night, ZoneInfo("Europe/Zurich"))).message
    )
    assert errors.not_authenticated(at()).retry_at is None


def test_the_user_of_a_session_is_remembered_for_that_session_only():
    named = with_user(SIGNED_IN, {"USER_NAME": "demo", "LOGIN_TYPE": 2, "region": "ZG"})
    assert (named.state.user, named.state.is_paper, named.region) == ("demo", True, "ZG")
    facts = after_tickle(Facts(), named, NOON)
    assert remembered(SIGNED_IN, facts) == named
    assert remembered(replace(SIGNED_IN, mark="b"), facts) is None
    out = after_error(facts, NotAuthenticated("x"), NOON)
    assert (out.session, out.region) == (None, "ZG")


def test_the_reset_is_that_of_the_session_s_own_region():
    zurich_midnight = datetime(2026, 11, 24, 23, 5, tzinfo=UTC)
    there = replace(at(zurich_midnight), region="ZG")
    assert "IBKR resets now; sign in after about 23:15" in errors.not_authenticated(there).message
    assert "resets" not in errors.not_authenticated(at(zurich_midnight)).message
