from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import errors
from brokers.contract import diagnosis_of
from brokers.testing.contract import failures
from brokers.types import SessionState
from portfolio.connections import upkeep
from portfolio.connections.upkeep import Outcome, Planned, Standing

NOW = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INTERVAL = timedelta(minutes=30)
ME = SessionState(signed_in=True, user="me", expires_at=NOW + MINUTE, ends_at=NOW + 9 * MINUTE)
WELL = Outcome(session=ME)
READY = upkeep.after_contact(Standing(), WELL, NOW, MINUTE)


def failed(kind, retry_at=None):
    return Outcome.of_call(kind("It failed.", "Wait.", retry_at=retry_at))


def follow(standing, *outcomes, step=None):
    """Each outcome at the time at which the one before made it due."""
    now, times = standing.contacted_at or NOW, []
    for outcome in outcomes:
        now = max(now, standing.next_contact_at or now) if step is None else now + step
        standing = upkeep.after_contact(standing, outcome, now, MINUTE)
        times.append(standing.next_contact_at - now)
    return standing, times


def test_a_gateway_that_is_well_is_asked_at_an_even_pace():
    standing, times = follow(Standing(), WELL, WELL, WELL)
    assert times == [MINUTE] * 3
    assert (standing.state, standing.since, standing.failures) == ("ready", NOW, 0)
    assert standing.user == "me"


def test_pauses_double_up_to_half_an_hour_and_begin_anew():
    standing, times = follow(READY, *[failed(errors.CertificateChanged)] * 8)
    assert [of // MINUTE for of in times] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert (standing.state, standing.failures) == ("certificate_changed", 8)
    assert follow(standing, failed(errors.NotAuthenticated))[1] == [MINUTE]
    assert follow(standing, WELL)[1] == [MINUTE]


def test_a_session_that_may_have_survived_is_asked_for_each_minute_as_long_as_it_lives():
    _, times = follow(READY, *[failed(errors.GatewaySilent)] * 12)
    assert [of // MINUTE for of in times] == [1, 1, 1, 1, 1, 1, 2, 4, 8, 16, 30, 30]


def test_a_login_is_seen_before_it_falls_asleep():
    _, times = follow(READY, *[failed(errors.NotAuthenticated)] * 11)
    assert [of // MINUTE for of in times] == [1, 1, 1, 1, 1, 1, 2, 4, 5, 5, 5]


def said_of(*story):
    """What is said of (minutes, outcome) pairs, and when."""
    standing, said, words = READY, None, []
    for minutes, outcome in story:
        now = NOW + minutes * MINUTE
        before, standing = standing, upkeep.after_contact(standing, outcome, now, MINUTE)
        if upkeep.worth_saying(said, before, standing, now):
            said = standing.state
            words.append((minutes, standing.state))
    return words


DOWN, OUT = failed(errors.GatewayUnreachable), failed(errors.NotAuthenticated)


def test_a_trouble_and_its_end_are_said_at_once():
    story = [(9, WELL), (10, DOWN), (11, OUT), (12, WELL), (22, WELL), (23, OUT), (24, WELL)]
    assert said_of(*story) == [
        (10, "gateway_unreachable"),
        (12, "ready"),
        (23, "not_authenticated"),
        (24, "ready"),
    ]


def test_what_comes_and_goes_is_said_once_and_again_only_when_it_lasts():
    flaps = [(10 + at, WELL if at % 2 else DOWN) for at in range(120)]
    well = [(9, WELL)]
    assert said_of(*well, *flaps) == [(10, "gateway_unreachable"), (11, "ready")]
    lasts = [(at, OUT) for at in range(130, 155)]
    assert said_of(*well, *flaps, *lasts)[2:] == [(150, "not_authenticated")]
    assert said_of(*well, *flaps, *lasts, (160, WELL))[3:] == [(160, "ready")]


def test_a_time_that_the_broker_names_is_kept():
    until = NOW + timedelta(hours=9)
    standing, _ = follow(READY, failed(errors.BrokerMaintenance, until))
    assert standing.next_contact_at == until
    assert not upkeep.contact_is_due(standing, until - MINUTE, MINUTE)
    assert upkeep.contact_is_due(standing, until, MINUTE)


def test_a_person_who_tries_again_and_again_does_not_lengthen_the_pauses():
    standing, times = follow(READY, failed(errors.NotAuthenticated))
    eager = [failed(errors.NotAuthenticated)] * 10
    standing, times = follow(standing, *eager, step=timedelta(seconds=5))
    assert (standing.failures, times) == (1, [MINUTE] * 10)


def test_what_a_run_finds_out_about_the_gateway():
    def code(kind):
        return Outcome.of_run(kind("It failed."), ME).code

    assert Outcome.of_run(None, ME) == WELL
    for kind in (errors.BrokerAccountMissing, errors.PositionsNotReleased, errors.SessionStarting):
        assert Outcome.of_run(kind("It failed."), ME) == WELL
    assert code(errors.Incomplete) == "unknown"
    assert code(errors.NotAuthenticated) == "not_authenticated"
    before = follow(READY, failed(errors.NotAuthenticated))[0]
    odd = Outcome.of_run(errors.Malformed("?"))
    later = NOW + timedelta(seconds=90)
    after = upkeep.after_contact(before, odd, later, MINUTE)
    assert after == replace(before, contacted_at=later)


@pytest.mark.parametrize("kind", list(failures()), ids=lambda of: of.__name__)
def test_a_test_of_the_connection_says_the_same_as_a_run(kind):
    error = kind("It failed.", "Do.", retry_at=NOW)
    assert Outcome.of_test(diagnosis_of(error)) == Outcome.of_run(error)


def test_nothing_is_asked_in_a_penalty():
    silent = replace(READY, silent_until=NOW + timedelta(hours=1))
    assert not upkeep.contact_is_due(silent, NOW + 2 * MINUTE, MINUTE, NOW + MINUTE)
    assert upkeep.contact_is_due(silent, NOW + timedelta(hours=1), MINUTE)


def test_a_contact_is_due_in_time_after_a_new_link_and_after_a_clock_jump():
    assert upkeep.contact_is_due(Standing(), NOW, MINUTE)
    assert not upkeep.contact_is_due(READY, NOW + MINUTE / 2, MINUTE)
    assert upkeep.contact_is_due(READY, NOW + MINUTE, MINUTE)
    assert upkeep.contact_is_due(READY, NOW + MINUTE / 2, MINUTE, NOW + MINUTE / 3)
    assert upkeep.contact_is_due(READY, NOW - timedelta(hours=1), MINUTE)
    waiting = follow(READY, failed(errors.GatewaySilent, NOW + timedelta(hours=9)))[0]
    assert upkeep.contact_is_due(waiting, NOW - timedelta(days=1), MINUTE)
    assert not upkeep.contact_is_due(waiting, NOW + timedelta(hours=1), MINUTE)


@pytest.mark.parametrize(
    ("troubles", "back"),
    [
        ([errors.NotAuthenticated], True),
        ([errors.CertificateChanged], True),
        ([errors.RateLimited], True),
        ([errors.GatewayUnreachable], True),
        ([errors.GatewaySilent], False),
        ([errors.GatewaySilent] * 2, True),
        ([errors.BrokerMaintenance] * 2, True),
        ([], False),
    ],
)
def test_catching_up_follows_an_outage_of_the_whole_gateway(troubles, back):
    before = follow(READY, *map(failed, troubles))[0]
    assert upkeep.has_come_back(before, follow(before, WELL)[0]) is back


def test_another_user_is_a_reason_to_look_for_the_missing_account():
    other = follow(READY, Outcome(session=replace(ME, user="you")))[0]
    assert upkeep.has_come_back(READY, other)
    assert "broker_account_missing" in upkeep.healed_codes(READY, other)
    unnamed = follow(READY, Outcome(session=replace(ME, user=None)))[0]
    assert not upkeep.has_come_back(READY, unnamed)
    assert "broker_account_missing" not in upkeep.healed_codes(READY, unnamed)


PLANNED = Planned(connection_id=1, gateway_id=1, owner_id=1, portfolio_id=1, account_id=1)


def next_run(**values):
    return upkeep.next_run(replace(PLANNED, **values), NOW, INTERVAL)


def test_a_sync_is_due_when_it_was_never_planned_or_its_time_has_come():
    assert next_run() is None
    assert next_run(next_run_at=NOW - MINUTE) == NOW - MINUTE
    assert next_run(next_run_at=NOW + MINUTE) == NOW + MINUTE


def test_a_sync_by_hand_counts_as_the_planned_one():
    by_hand = NOW - timedelta(minutes=5)
    assert next_run(synced_at=by_hand) == by_hand + INTERVAL
    assert next_run(next_run_at=by_hand - MINUTE, synced_at=by_hand) == by_hand + INTERVAL
    assert next_run(next_run_at=by_hand + MINUTE, synced_at=by_hand) == by_hand + MINUTE


def test_a_clock_that_was_put_back_holds_nothing_up():
    assert next_run(next_run_at=NOW + timedelta(hours=5)) is None
    assert next_run(synced_at=NOW + timedelta(hours=5)) is None


@pytest.mark.parametrize("code", [of.code for of in failures() if of.needs_user])
def test_nothing_is_synced_while_a_person_is_needed(code):
    assert not upkeep.may_run(replace(PLANNED, attention_code=code), READY, NOW)


def test_what_else_holds_a_sync_up():
    assert upkeep.may_run(PLANNED, READY, NOW)
    assert upkeep.may_run(replace(PLANNED, attention_code="sync_rejected"), READY, NOW)
    down = follow(READY, failed(errors.GatewayUnreachable))[0]
    assert not upkeep.may_run(PLANNED, down, NOW)
    assert not upkeep.may_run(PLANNED, Standing(), NOW)
    assert upkeep.may_run(PLANNED, Standing(), NOW, keeps_alive=False)
    silent = replace(READY, silent_until=NOW + MINUTE)
    assert not upkeep.may_run(PLANNED, silent, NOW, keeps_alive=False)


def test_the_accounts_of_each_gateway_have_their_turns():
    rows = [
        replace(PLANNED, connection_id=1, next_run_at=NOW - MINUTE),
        replace(PLANNED, connection_id=2, next_run_at=NOW - 2 * MINUTE),
        replace(PLANNED, connection_id=3, next_run_at=NOW + MINUTE),
        replace(PLANNED, connection_id=4, gateway_id=2, next_run_at=NOW),
        replace(PLANNED, connection_id=5, gateway_id=2),
        replace(PLANNED, connection_id=6, gateway_id=3, next_run_at=NOW + MINUTE),
    ]
    found = upkeep.turns(rows, NOW, INTERVAL)
    numbers = {of: [row.connection_id for row in rows] for of, rows in found.items()}
    assert numbers == {1: [2, 1], 2: [5, 4]}


def test_a_session_is_stored_and_read_back():
    for session in (ME, SessionState(signed_in=True), SessionState(signed_in=False)):
        assert upkeep.session_of(upkeep.session_as_json(session)) == session
    assert upkeep.session_of(None) is None
    # As it was stored before sessions had an end.
    former = {name: of for name, of in upkeep.session_as_json(ME).items() if name != "ends_at"}
    assert upkeep.session_of(former) == replace(ME, ends_at=None)


KINDS = [*failures(), None]


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(-90_000, 90_000)), max_size=30),
    st.integers(10, 3600),
)
def test_whatever_happens_the_next_contact_comes_and_nothing_is_hammered(story, seconds):
    standing, now, pause = Standing(), NOW, timedelta(seconds=seconds)
    for kind, step in story:
        now += timedelta(seconds=step)
        error = kind("It failed.") if kind else None
        before, standing = (
            standing,
            upkeep.after_contact(
                standing, Outcome.of_call(error, None if error else ME), now, pause
            ),
        )
        if standing.state not in {"unknown", before.state} or standing.failures:
            assert standing.next_contact_at - now >= min(pause, MINUTE)
        assert upkeep.contact_is_due(standing, now + max(pause, 30 * MINUTE), pause)
        assert upkeep.contact_is_due(standing, now - timedelta(seconds=1), pause) or (
            standing.contacted_at <= now - timedelta(seconds=1)
        )
