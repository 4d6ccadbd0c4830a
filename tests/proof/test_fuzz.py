"""The OpenAPI document against the application: whatever a program sends gets what is documented.

Schemathesis makes the requests, good and bad ones, from the document; each answer goes through all
of its checks. The database stands as it was before each request that the one before has changed,
so that a failing request fails alone too.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.run import PhaseName
from schemathesis.openapi.checks import RejectedPositiveData

from portfolio.jobs.embedded import EmbeddedEngine
from tests.integration.conftest import Desk, make_desk

DAILY = Path(__file__).parents[1] / "data" / "ecb" / "daily.xml"
P = "/api/v1/portfolios"
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
DOCUMENTED_503 = {
    *("positions_not_released", "gateway_unreachable", "gateway_silent", "session_starting"),
    *("rate_limited", "broker_maintenance", "bad_answer", "storage_busy", "storage_failed"),
    "rates_unavailable",
}
# Well formed, and yet refused (422) by rules that no schema can say; by the field that is named.
BEYOND_A_SCHEMA = {
    "name": "no control characters or marks of direction, no spaces at its ends, no leading ~",
    "notes": "no control characters",
    "symbol": "as a name",
    "underlying": "as a name",
    "username": "as a name",
    "identifiers.isin": "its last digit is a sum of the others",
    "quantity": "a holding of 0 is none",
    "multiplier": "greater than 0, and needed for some kinds",
    "rate": "greater than 0",
    "date": "not in the future",
    "to": "another currency than from",
    "url": "an address that may be asked: loopback, or one that the operator vouches for",
    "login_url": "as url",
    "broker": "the key of an adapter that is installed",
    "csv": "a table with headings and lines",
    "columns": "columns that there are, and headings that the file has",
}
LINKED, BY_HAND = "IBKR Main", "Mine, 50% ~ née/Ω"


def _memory() -> sqlite3.Connection:
    # Schemathesis asks from a thread of its own, one request after the other.
    return sqlite3.connect(":memory:", check_same_thread=False)


@dataclass
class Library:
    """The application with something in every list, and a copy of it to go back to."""

    desk: Desk
    file: Path
    copy: sqlite3.Connection = field(default_factory=_memory)
    places: dict[str, list[Any]] = field(default_factory=dict)
    background: list[Future[None]] = field(default_factory=list)

    def keep(self) -> None:
        """Remember how everything stands."""
        with closing(sqlite3.connect(self.file)) as source:
            source.backup(self.copy)

    def restore(self) -> None:
        """Put everything back, through SQLite itself: nobody sees half of it."""
        with closing(sqlite3.connect(self.file)) as target:
            self.copy.backup(target)


@pytest.fixture
def library(tmp_path, monkeypatch):
    background: list[Future[None]] = []
    defer = EmbeddedEngine.defer

    def remembered(self: EmbeddedEngine, task: Any) -> Future[None]:
        background.append(defer(self, task))
        return background[-1]

    monkeypatch.setattr(EmbeddedEngine, "defer", remembered)
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_TIMEZONE": "UTC"}
    environ["FOLIOSYNC_NOTIFY_URLS"] = "ntfy://topic"
    maker = make_desk(environ, send=lambda title, body: 1)
    desk = next(maker)
    runtime = desk.app.extensions["foliosync"]
    desk.app.extensions["foliosync"] = replace(runtime, fetch_rates=DAILY.read_bytes)
    found = Library(desk, tmp_path / "foliosync.db", background=background)
    _furnish(found)
    found.keep()
    yield found
    found.copy.close()
    next(maker, None)


def _furnish(library: Library) -> None:
    desk, program = library.desk, library.desk.program

    def make(path: str, **body: Any) -> int:
        answer = program.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return int(answer.json["id"])

    make(P, name="Start", base_currency="USD")
    make(P, name="Empty", base_currency="EUR")
    one = make(f"{P}/1/accounts", name=LINKED, currency="USD")
    two = make(f"{P}/1/accounts", name=BY_HAND, currency="EUR", notes="<b>&amp;")
    held = {"kind": "stock", "currency": "EUR", "quantity": "2"}
    holdings = [make(f"{P}/1/accounts/~{of}/holdings", symbol="Ω<i>", **held) for of in (one, two)]
    money = {"currency": "EUR", "amount": "12.50"}
    cash = [make(f"{P}/1/accounts/~{of}/cash", **money) for of in (one, two)]
    rate = make("/api/v1/rates", **{"from": "CHF", "to": "EUR", "rate": "1.1"})
    spare = make("/api/v1/gateways", url="https://localhost:5001")
    library.places = {
        "portfolio_id": [1, 1, 2],
        "account_name": [LINKED, f"~{two}", f"~{two}"],
        "holding_id": [*holdings, holdings[-1], max(holdings) + 1],
        "cash_id": [*cash, cash[-1], max(cash) + 1],
        "rate_id": [rate],
        "gateway_id": [1, spare],
        "connection_id": [1],
        "run_id": _runs(desk, f"/portfolio/1/accounts/{LINKED}"),
        "broker": ["ibkr"],
    }


def _runs(desk: Desk, url: str) -> list[str]:
    """A first sync, one that changed something, and one that was not believed."""
    desk.turn()
    assert desk.connect(url, username="api").status_code == 201
    found = [desk.sync(url).json["run"]["id"]]
    desk.simulator.sell("U1234567", "SPY")
    found.append(desk.sync(url).json["run"]["id"])
    desk.simulator.play("empty-positions")
    return [*found, desk.sync(url).json["run"]["id"]]


@dataclass
class Door:
    """The application as schemathesis meets it; `keeps` while one request builds on another."""

    library: Library
    keeps: bool = False
    changed: bool = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.library.desk.turn()
        if self.changed and not self.keeps:
            self.library.restore()
        self.changed = environ["REQUEST_METHOD"] not in SAFE
        answer = self.library.desk.app(environ, start_response)
        while self.library.background:
            self.library.background.pop().result(timeout=60)
        return answer


def configuration(library: Library, seed: int, examples: int) -> SchemathesisConfig:
    """All phases and all checks, for good and bad data."""
    places = library.places
    here = {f"path.{name}": {"dictionary": name, "probability": 0.85} for name in places}
    said = {
        "seed": seed,
        "workers": 1,
        "continue-on-failure": True,
        "suppress-health-check": ["all"],
        "dictionaries": {name: {"values": values} for name, values in places.items()},
        "parameters": here,
        "generation": {"mode": "all", "max-examples": examples, "database": "none"},
        "analysis": {"constants": {"enabled": False}},
        "cache": {"enabled": False},
        # 503 heals by itself and is documented; which codes may say so is checked here.
        "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", 503]}},
    }
    return SchemathesisConfig.from_dict(said)


@dataclass
class Findings:
    """What was asked, what was answered, and what is wrong with it."""

    cases: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    wrong: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, event: events.ScenarioFinished) -> None:
        """Count a scenario and keep the first failure of each kind."""
        kept = event.recorder
        self.cases[event.phase.value] += len(kept.interactions)
        for key, interaction in kept.interactions.items():
            label, answer = kept.cases[key].value.operation.label, interaction.response
            assert answer is not None, (label, interaction.request.uri)
            self.answers[label, answer.status_code] += 1
            self._check_failure(label, answer)
            for check in kept.checks.get(key, ()):
                self.checks[check.name] += 1
                if check.failure_info is not None:
                    told = check.failure_info
                    self._note(label, check.name, f"{told.failure.message}\n{told.code_sample}")

    def _check_failure(self, label: str, answer: Any) -> None:
        if answer.status_code < 400 or answer.request.method == "HEAD":
            return
        error = json.loads(answer.content)["error"]
        if set(error) != {"code", "message", "remedy", "fields", "retry_at"}:
            self._note(label, "shape of errors", answer.text)
        if not error["message"] or not error["remedy"]:
            self._note(label, "says what to do", answer.text)
        if answer.status_code >= 500 and error["code"] not in DOCUMENTED_503:
            self._note(label, "documented 503s", answer.text)

    def _note(self, label: str, check: str, what: str) -> None:
        self.wrong.setdefault((check, label), what[:2000])

    @property
    def statuses(self) -> str:
        """How often each status came."""
        found: Counter[int] = Counter()
        for (_, status), count in self.answers.items():
            found[status] += count
        return ", ".join(f"{status}: {found[status]}" for status in sorted(found))

    def report(self) -> str:
        """Everything that is wrong, to read."""
        return "\n\n".join(f"{' / '.join(at)}\n{what}" for at, what in self.wrong.items())


def only_what_a_schema_cannot_say(failure: Any, response: Any) -> bool:
    """Whether well-formed data was refused for fields whose rules are beyond a schema."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return False
    named = json.loads(response.content)["error"]["fields"]
    of_columns = {name for name in named if name.startswith("columns.")}
    return bool(named) and set(named) - of_columns <= set(BEYOND_A_SCHEMA)


def carry_out(library: Library, config: SchemathesisConfig) -> Iterator[events.ScenarioFinished]:
    """Everything that schemathesis thinks of, one scenario after the other."""
    door = Door(library)
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", door, config=config)

    @schema.hook
    def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
        return not only_what_a_schema_cannot_say(failure, response)

    for event in from_schema(schema).execute():
        if isinstance(event, events.PhaseStarted):
            door.keeps, door.changed = event.phase.name is PhaseName.STATEFUL_TESTING, True
        elif isinstance(event, events.ScenarioFinished):
            yield event
        elif isinstance(event, events.NonFatalError):
            raise event.value
        elif isinstance(event, events.FatalError):
            raise event.exception


def test_every_operation_does_what_the_document_says(library, effort, figure, request):
    seed = request.config.getoption("seed")
    found = Findings()
    for event in carry_out(library, configuration(library, seed, effort(ci=10, full=230))):
        found.add(event)
    assert not found.wrong, f"--seed {seed}\n\n{found.report()}"
    cases = sum(found.cases.values())
    assert cases >= effort(ci=500, full=10_000), found.cases
    document = library.desk.program.get("/api/openapi.json").json["paths"]
    labels = {f"{of.upper()} {path}" for path, item in document.items() for of in item}
    labels = {label for label in labels if not label.startswith("PARAMETERS")}
    assert {label for label, _ in found.answers} == labels
    well = {label for label, status in found.answers if 200 <= status < 300}
    # What is in the path must be there, or nothing behind it is tried; a few tries may all miss.
    assert len(labels - well) <= effort(ci=3, full=0), f"no success: {sorted(labels - well)}"
    figure("requests from the OpenAPI document", f"{cases} ({dict(found.cases)})")
    figure("operations of the OpenAPI document", len(labels))
    figure("checks of schemathesis", f"{sum(found.checks.values())} ({dict(found.checks)})")
    figure("statuses that it met", found.statuses)
