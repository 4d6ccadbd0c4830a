"""Whatever goes wrong at a broker, an account is as it was or as it is, and heals by itself."""

from __future__ import annotations

from collections import Counter

import pytest

from brokers.ibkr.simulator import routes
from tests.proof.troubles import TROUBLES, Trouble
from tests.proof.world import Schedule, opened


@pytest.fixture
def small_pages(monkeypatch) -> None:
    """Pages of 20: a few rows are several pages, and a schedule takes half a second."""
    monkeypatch.setattr(routes, "PER_PAGE", 20)


def pytest_generate_tests(metafunc):
    if "trouble" in metafunc.fixturenames:
        metafunc.parametrize("trouble", TROUBLES.values(), ids=list(TROUBLES))


@pytest.mark.usefixtures("small_pages")
def test_old_or_new_and_never_another(trouble, template, tmp_path, effort, draw, figure, request):
    tally: Counter[str] = Counter()
    for number in range(effort(ci=5, full=100)):
        play(trouble, number, template, tmp_path, draw, request, tally)
    figure(f"{request.node.callspec.id}: schedules", summed(tally))


def play(trouble: Trouble, number, template, tmp_path, draw, request, tally) -> None:
    rng = draw(request.node.callspec.id, number)
    seed = request.config.getoption("seed")
    with opened(template, tmp_path / f"{number}", rng) as world:
        schedule = Schedule(world, trouble.codes, tally)
        try:
            schedule.run(trouble.install)
        except AssertionError as error:
            error.add_note(f"{request.node.callspec.id} number {number} of --seed {seed}")
            raise
    tally["schedules"] += 1


def summed(tally: Counter[str]) -> str:
    first = tally["schedules"], tally["old"], tally["new"]
    rest = {name: n for name, n in tally.items() if name not in ("schedules", "old", "new")}
    return "{} (old {}, new {}); {}".format(*first, ", ".join(f"{k} {v}" for k, v in rest.items()))
