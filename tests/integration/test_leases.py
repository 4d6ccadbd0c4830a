"""One process at a time talks to a gateway, one run at a time to an account; the fence holds."""

from __future__ import annotations

import gc
from datetime import timedelta

import pytest
from sqlalchemy import text

from brokers.testing.clock import FakeClock
from portfolio.connections.watch import Watch
from portfolio.db.session import unit_of_work
from portfolio.sync import lease, services
from portfolio.sync.lease import LeaseLost

NAME = "gateway:1"


@pytest.fixture
def app(anywhere):
    with anywhere.app.app_context():
        yield anywhere.app


def take(owner, now):
    with unit_of_work() as session:
        return lease.take(session, NAME, owner, now)


def test_a_lease_has_one_holder_until_its_time_is_over(app):
    now = FakeClock().now()
    first = take("a", now)
    assert take("b", now + timedelta(seconds=29)) is None
    second = take("b", now + timedelta(seconds=30))
    assert second.fence == first.fence + 1


def test_who_lost_a_lease_can_neither_renew_nor_write(app):
    now = FakeClock().now()
    first = take("a", now)
    later = now + timedelta(seconds=31)
    second = take("a", later)
    for refused in (lease.renew, lease.check):
        with pytest.raises(LeaseLost), unit_of_work() as session:
            refused(session, first, later)
    with unit_of_work() as session:
        lease.check(session, second, later)
        # What the former holder gives back was not its own any more.
        lease.release(session, first)
    assert take("b", later) is None


def test_a_renewed_lease_lasts_and_one_given_back_is_free_at_once(app):
    now = FakeClock().now()
    held = take("a", now)
    with unit_of_work() as session:
        lease.renew(session, held, now + timedelta(seconds=20))
    assert take("b", now + timedelta(seconds=40)) is None
    with unit_of_work() as session:
        lease.release(session, held)
    assert take("b", now + timedelta(seconds=40)).fence == held.fence + 1


def test_a_revoked_lease_is_refused(app):
    now = FakeClock().now()
    held = take("a", now)
    with unit_of_work() as session:
        lease.revoke(session, NAME)
    with pytest.raises(LeaseLost), unit_of_work() as session:
        lease.check(session, held, now)


def test_who_finds_a_gateway_taken_waits_and_then_says_so(anywhere):
    url = anywhere.connected()
    with anywhere.app.app_context():
        watch = Watch(anywhere.clock)
        with watch.holding(NAME, "another process"):
            answer = anywhere.program.get("/ibkr/test-connection")
            assert (answer.status_code, answer.json["error"]["code"]) == (503, "storage_busy")
            assert "Another sync" in answer.json["error"]["message"]
    anywhere.turn()
    assert anywhere.program.get("/ibkr/test-connection").json["connected"]
    assert anywhere.sync(url).status_code == 200


def test_a_run_waits_for_another_one_through_the_same_gateway(anywhere):
    url = anywhere.connected()
    clock, waited = anywhere.clock, []
    with anywhere.app.app_context():
        held = take("another process", clock.now())
        sleep = clock.sleep

        def until_it_is_free(seconds):
            waited.append(seconds)
            if len(waited) == 8:
                with unit_of_work() as session:
                    lease.release(session, held)
            sleep(seconds)

        clock.sleep = until_it_is_free
        run = anywhere.program.post(f"{url}/sync").json["run"]
    assert run["status"] == "succeeded"
    assert len(waited) >= 8


def test_a_run_that_lost_its_connection_writes_nothing(anywhere):
    url = anywhere.connected()
    anywhere.simulator.sell("U1234567", "SPY")
    before = anywhere.holdings(url)["holdings"]
    original = anywhere.simulator.state.sign_out

    def overtaken(*_):
        with anywhere.app.app_context(), unit_of_work() as session:
            lease.revoke(session, "connection:1")
        return original

    anywhere.simulator.state.rewrites.append(
        lambda path, reply: (overtaken(), reply)[1] if path.endswith("/ledger") else reply
    )
    answer = anywhere.sync(url)
    run = answer.json["run"]
    assert (answer.status_code, run["status"]) == (202, "interrupted")
    assert answer.headers["Location"].endswith(run["id"])
    assert run["reason"] == "interrupted"
    assert anywhere.holdings(url)["holdings"] == before
    anywhere.simulator.play("calm")
    assert anywhere.sync(url).json["run"]["closed"] == 1


def test_a_run_that_was_overtaken_is_never_told_as_synced(desk):
    url = desk.connected()

    def overtaken(path, reply):
        with desk.app.app_context(), unit_of_work() as session:
            lease.revoke(session, "connection:1")
        return reply

    desk.simulator.state.rewrites.append(overtaken)
    desk.turn()
    answer = desk.program.post(f"{url}/sync", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    page = desk.program.get(url, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "Synced" not in page
    answer = desk.sync(url)
    assert (answer.status_code, answer.json["run"]["status"]) == (202, "interrupted")
    assert answer.headers["Location"].endswith(answer.json["run"]["id"])


def test_a_run_that_takes_too_long_ends_and_heals(desk):
    url = desk.connected()
    desk.simulator.state.delay = 11
    answer = desk.sync(url)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "gateway_silent")
    assert "within a minute" in answer.json["error"]["message"]
    desk.simulator.state.delay = 0
    assert desk.sync(url).json["run"]["status"] == "succeeded"


@pytest.mark.parametrize(
    ("told", "ends"),
    [(True, ("interrupted", "interrupted")), (False, ("failed", "storage_failed"))],
)
def test_a_row_that_is_not_the_planned_one_stops_the_run_and_leaves_nothing_open(
    anywhere, monkeypatch, told, ends
):
    """Also where nobody has told of it: then by what is read back."""
    url = anywhere.connected()
    anywhere.simulator.state.accounts["U1234567"].held[0].quantity += 1
    really = services.apply

    def changed_meanwhile(session, *more, **named):
        session.execute(text("UPDATE holding SET quantity = '4711' WHERE id = 5"))
        if told:
            session.execute(text("UPDATE \"user\" SET held_stamp = 'another'"))
        return really(session, *more, **named)

    with monkeypatch.context() as during:
        during.setattr(services, "apply", changed_meanwhile)
        run = anywhere.sync(url).json["run"]
    assert (run["status"], run["reason"]) == ends
    # A cursor that nobody has closed warns when it is found.
    gc.collect()
    assert anywhere.sync(url).json["run"]["changed"] == 1
