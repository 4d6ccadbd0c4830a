"""What a monitor is told, who may ask, and what is never in it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from portfolio.db.base import db
from portfolio.errors import SetupProblem
from portfolio.settings import Settings
from tests.integration.conftest import MAIN, make_desk

# One stands beside its sister; the other is added by the library to every histogram.
NOT_LISTED = {"foliosync_runs_last_day_longest_seconds", "foliosync_request_seconds_created"}
TOKEN = "a-token-of-a-monitor-0123"


def samples(answer):
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (of.name, *(of.labels[name] for name in sorted(of.labels))): of.value
        for family in text_string_to_metric_families(answer.text)
        for of in family.samples
    }


def scrape(desk, **more):
    return samples(desk.program.get("/metrics", **more))


def test_a_quiet_house_says_what_it_is(desk):
    found = scrape(desk)
    assert [of for of in found if of[0] == "foliosync_build_info"]
    assert (found["foliosync_jobs_led",], found["foliosync_jobs_leader",]) == (0, 0)
    assert found["foliosync_gateway_state", "1", "unknown"] == 1
    assert found["foliosync_gateway_penalty_seconds", "1"] == 0
    # What never happened has no age.
    assert not [of for of in found if of[0].endswith("_age_seconds")]


def test_syncs_sessions_and_ages_on_either_database(anywhere):
    url = anywhere.connected()
    anywhere.simulator.sign_out()
    assert anywhere.sync(url).status_code == 409
    anywhere.turn(60)
    found = scrape(anywhere)
    assert found["foliosync_runs_last_day", "hand", "succeeded"] == 1
    assert found["foliosync_runs_last_day", "hand", "failed"] == 1
    assert found["foliosync_runs_last_day_longest_seconds", "failed"] >= 0
    assert found["foliosync_gateway_state", "1", "not_authenticated"] == 1
    assert 60 <= found["foliosync_account_data_age_seconds", "1"] < 120
    assert found["foliosync_account_needs_somebody", "1"] == 1
    assert found["foliosync_account_paused", "1"] == 0
    assert found["foliosync_gateway_call_age_seconds", "1"] >= 60
    anywhere.clock.turn(timedelta(days=2).total_seconds())
    assert not [of for of in scrape(anywhere) if of[0].startswith("foliosync_runs_last_day")]


def test_a_penalty_is_told_with_its_end(desk):
    with desk.app.app_context(), db.engine.begin() as connection:
        until = desk.clock.now() + timedelta(minutes=15)
        connection.execute(
            text("UPDATE gateway SET silent_until = :at"),
            {"at": until.replace(tzinfo=None).isoformat(" ")},
        )
    assert scrape(desk)["foliosync_gateway_penalty_seconds", "1"] == 900


def test_nothing_is_asked_of_the_broker_and_nothing_is_changed(desk):
    desk.connected()
    asked, before = len(desk.simulator.requests), state(desk)
    first = scrape(desk)
    assert state(desk) == before
    assert len(desk.simulator.requests) == asked
    assert {of for of in scrape(desk) if "request" not in of[0]} == {
        of for of in first if "request" not in of[0]
    }


def state(desk):
    with desk.app.app_context(), db.engine.connect() as connection:
        return connection.exec_driver_sql("PRAGMA data_version").scalar(), tuple(
            map(tuple, connection.exec_driver_sql("SELECT * FROM gateway"))
        )


def test_no_name_no_number_of_a_broker_and_no_path_is_told(desk):
    url = desk.connected()
    desk.program.get(url)
    desk.program.get("/nothing/like/this")
    desk.program.open("/healthz", method="PROPFIND")
    told = desk.program.get("/metrics").text
    for word in (MAIN, "VWCE", "nothing", "PROPFIND", "localhost", url):
        assert word not in told, word
    found = scrape(desk)
    counted = "foliosync_request_seconds_count"
    route = "/portfolio/<int:portfolio_id>/accounts/<account_name>"
    assert found[counted, "GET", route, "2xx"] == 1
    assert found[counted, "GET", "other", "4xx"] == 1
    assert found[counted, "other", "other", "4xx"] == 1


@pytest.fixture
def with_token(tmp_path):
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_METRICS_TOKEN": TOKEN}
    yield from make_desk(environ)


def test_with_a_token_only_who_has_it_may_read(with_token):
    for given in (None, "", "Bearer", f"Bearer {TOKEN}x", "Bearer é", "Basic x"):
        headers = {} if given is None else {"Authorization": given}
        answer = with_token.program.get("/metrics", headers=headers)
        assert answer.status_code == 403, given
        assert TOKEN not in answer.text
    elsewhere = {"REMOTE_ADDR": "203.0.113.7"}
    right = {"Authorization": f"Bearer {TOKEN}"}
    scrape(with_token, headers=right, environ_overrides=elsewhere)


def test_with_logins_the_token_of_a_monitor_is_enough_and_opens_nothing_else(tmp_path):
    environ = {
        "FOLIOSYNC_DATA_DIR": str(tmp_path),
        "FOLIOSYNC_METRICS_TOKEN": TOKEN,
        "FOLIOSYNC_AUTH": "password",
    }
    right = {"Authorization": f"Bearer {TOKEN}"}
    for desk in make_desk(environ):
        scrape(desk, headers=right)
        for path in ("/", "/api/v1/portfolios"):
            assert desk.program.get(path, headers=right).status_code == 401


def test_without_a_token_only_this_computer_may_read(desk):
    elsewhere = desk.program.get("/metrics", environ_overrides={"REMOTE_ADDR": "203.0.113.7"})
    assert elsewhere.status_code == 404
    # A proxy on this computer that nobody counted: who is beyond it is not known.
    proxied = desk.program.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
    assert proxied.status_code == 404


def test_a_short_token_is_refused():
    with pytest.raises(SetupProblem, match="its value is not a text of 20 characters or more"):
        Settings.load({"FOLIOSYNC_METRICS_TOKEN": "short"})


def test_the_page_of_monitoring_lists_every_metric(desk):
    desk.connected()
    page = (Path(__file__).parents[3] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    families = text_string_to_metric_families(desk.program.get("/metrics").text)
    told = {of.name for of in families} - NOT_LISTED
    listed = set(re.findall(r"^\| `(foliosync_\w+)` \|", page, re.MULTILINE))
    assert listed == told
    for example in re.findall(r"^(foliosync_\w+)(?:\{| \d)", page, re.MULTILINE):
        assert example.removesuffix("_count") in told
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        assert yaml.safe_load(block)
