"""`/metrics` in the words of Prometheus: who may read it, and what it says."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hmac import compare_digest

from flask import Response, current_app, request
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from portfolio.errors import Forbidden, NotFound
from portfolio.pages import measures
from portfolio.settings import Settings
from portfolio.web.proxies import is_from_here

MILLISECOND = timedelta(milliseconds=1)
SCHEME = "Bearer "
# Where the composition root tells the version of the program.
VERSION = "FOLIOSYNC_VERSION"


def check_reader(settings: Settings) -> None:
    """Let in who has the token; where none is set, programs of this computer."""
    if not settings.metrics_token:
        if not is_from_here(settings.trusted_proxies):
            raise NotFound("page")
        return
    given = request.headers.get("Authorization", "").removeprefix(SCHEME)
    if not compare_digest(given.encode(), settings.metrics_token.encode()):
        raise Forbidden(
            "The token for /metrics is missing or another one.",
            "Send `Authorization: Bearer` with the value of FOLIOSYNC_METRICS_TOKEN.",
        )


class Snapshot(Collector):
    """What was read from the database for one answer."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterable[Metric]:
        """The metrics, as the library asks for them."""
        return self._found


def answer(found: Iterable[Metric], times: Histogram) -> Response:
    """All metrics as a page of text."""
    # Of this answer only: the library's own registry is one for all applications of a process.
    registry = CollectorRegistry()
    registry.register(Snapshot(found))
    registry.register(times)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def metrics(session: Session, now: datetime, jobs: dict[str, object]) -> Iterator[Metric]:
    """Everything but the times of requests."""
    versions = {"version": current_app.config[VERSION], "python": platform.python_version()}
    yield InfoMetricFamily("foliosync_build", "What runs here.", value=versions)
    yield _gauge("jobs_led", "Whether any process does background work.", bool(jobs["led"]))
    yield _gauge("jobs_leader", "Whether this process does it.", bool(jobs["leader"]))
    yield from _of_runs(measures.runs(session, now))
    yield from _of_gateways(list(measures.gateways(session)), now)
    yield from _of_accounts(list(measures.accounts(session)), now)


def _gauge(name: str, text: str, value: int) -> Metric:
    return GaugeMetricFamily(f"foliosync_{name}", text, value=value)


def _table(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"foliosync_{name}", text, labels=labels)


def _of_runs(found: measures.Runs) -> Iterator[Metric]:
    number = _table("runs_last_day", "Syncs that began in the last day.", "outcome", "origin")
    for (outcome, origin), count in sorted(found.number.items()):
        number.add_metric((outcome, origin), count)
    took = _table("runs_last_day_seconds", "How long they took together.", "outcome")
    for outcome, milliseconds in sorted(found.took.items()):
        took.add_metric((outcome,), milliseconds / 1000)
    longest = _table("runs_last_day_longest_seconds", "The longest of them.", "outcome")
    for outcome, duration in sorted(found.longest.items()):
        longest.add_metric((outcome,), duration.total_seconds())
    yield from (number, took, longest)


def _of_gateways(found: list[measures.GatewayState], now: datetime) -> Iterator[Metric]:
    state = _table("gateway_state", "How the last contact ended.", "gateway", "state")
    failures = _table("gateway_failures", "Contacts that failed in a row.", "gateway")
    contacted = _table("gateway_contact_age_seconds", "Since the last contact.", "gateway")
    called = _table("gateway_call_age_seconds", "Since the last call of any kind.", "gateway")
    silent = _table("gateway_penalty_seconds", "For how long it must not be asked.", "gateway")
    for each in found:
        number = (str(each.id),)
        state.add_metric((*number, each.state), 1)
        failures.add_metric(number, each.failures)
        _add_age(contacted, number, each.contacted_at, now)
        _add_age(called, number, each.called_at, now)
        left = (each.silent_until or now) - now
        silent.add_metric(number, max(left, timedelta()).total_seconds())
    yield from (state, failures, contacted, called, silent)


def _of_accounts(found: list[measures.AccountState], now: datetime) -> Iterator[Metric]:
    age = _table("account_data_age_seconds", "Since the holdings were read.", "account")
    needs = _table("account_needs_somebody", "Whether a person must act.", "account")
    paused = _table("account_paused", "Whether its schedule rests after an undo.", "account")
    for each in found:
        number = (str(each.id),)
        _add_age(age, number, each.synced_at, now)
        needs.add_metric(number, each.needs_somebody)
        paused.add_metric(number, each.is_paused)
    yield from (age, needs, paused)


def _add_age(
    table: GaugeMetricFamily, number: tuple[str], when: datetime | None, now: datetime
) -> None:
    """Nothing where it never happened: 0 would look fresh."""
    if when is not None:
        table.add_metric(number, (now - when).total_seconds())
