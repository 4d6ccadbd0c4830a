"""The OpenAPI document against the application: whatever a program sends gets what is documented.

Schemathesis makes the requests, good and bad ones, from the document; each answer goes through all
of its checks. The database stands as it was before each request that the one before has changed,
so that a failing request fails alone too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.run import PhaseName
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

from tests.proof.library import DOCUMENTED_503, Library

SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
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
    "address": "one that Apprise understands, of a kind that only brings messages",
    "csv": "a table with headings and lines",
    "columns": "columns that there are, and headings that the file has",
}
NOT_ASKED_FOR = "The adapter does not ask for it."
# Where a DELETE takes out what is kept: what is left says so, and is no resource that is gone.
EMPTIED = frozenset({"GET /api/v1/gateways/{gateway_id}/secrets"})


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
        # The client of tests takes what it is told to as it is.
        environ["HTTP_ACCEPT_ENCODING"] = "identity"
        answer = self.library.desk.app(environ, start_response)
        self.library.settle()
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
    # Headings of a file, and what an adapter asks for, have names that no schema knows.
    own = {
        name for name, why in named.items() if name.startswith("columns.") or why == NOT_ASKED_FOR
    }
    return bool(named) and set(named) - own <= set(BEYOND_A_SCHEMA)


def is_only_emptied(failure: Any, case: Any) -> bool:
    """Whether something is said to be gone that is empty now."""
    return isinstance(failure, UseAfterFree) and case.operation.label in EMPTIED


def carry_out(library: Library, config: SchemathesisConfig) -> Iterator[events.ScenarioFinished]:
    """Everything that schemathesis thinks of, one scenario after the other."""
    door = Door(library)
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", door, config=config)

    @schema.hook
    def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
        expected = only_what_a_schema_cannot_say(failure, response)
        return not (expected or is_only_emptied(failure, case))

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
