"""The long runs that turn the claims into figures: a slice in CI, the full counts by `make`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brokers.ibkr.simulator import routes
from tests.conftest import FIGURE
from tests.proof.house import Gateway, opened_gateway
from tests.proof.library import Library, furnished
from tests.proof.world import prepared


@pytest.fixture
def effort(request: pytest.FixtureRequest) -> Callable[..., int]:
    """How often to try: `effort(ci=5, full=100)`."""

    def chosen(*, ci: int, full: int) -> int:
        return full if request.config.getoption("full") else ci

    return chosen


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Callable[..., random.Random]:
    """Randomness of a schedule that its parts name: `draw("R5", 17)` is the same every time."""
    seed = request.config.getoption("seed")

    def made(*parts: object) -> random.Random:
        return random.Random("/".join(str(part) for part in (seed, *parts)))

    return made


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str, object], None]:
    """Note what was measured: `figure("kills on SQLite", 500)`; shown at the end as a table."""

    def note(what: str, value: object) -> None:
        request.node.user_properties.append((FIGURE, (what, str(value))))

    return note


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """The application with something in every list."""
    with furnished(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A simulated gateway on a TLS socket of its own."""
    with opened_gateway() as found:
        yield found


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a synced account that people have written on, to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "PER_PAGE", 20)
        return prepared(tmp_path_factory.mktemp("faults") / "data")
