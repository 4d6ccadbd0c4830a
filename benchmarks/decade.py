"""Ten years of history: what a page and a sync cost beside the same account without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from functools import partial

from flask import Flask

from benchmarks.accounts import application, linked, spent, sync, visit
from benchmarks.figures import Figure, MissingPrerequisite, Row, Unmeasured
from benchmarks.options import chosen
from benchmarks.processes import empty_database, gateway, postgres, scratch
from benchmarks.years import Years, write
from portfolio.clock import SystemClock
from portfolio.connections.services import Place
from portfolio.db.session import unit_of_work
from portfolio.sync.thinning import thin

POSITIONS = 500
DAYS, A_FEW_DAYS = 3_650, 60
BOUND = 1.25
# Each round is of so many; the least of the rounds counts.
ROUNDS, SYNCS, PAGES = 4, 10, 60
PAGE = "/portfolio/1/accounts/A"
HISTORY = f"{PAGE}/syncs"
EMPTY = "the same account without a history"


def figures() -> Iterable[Row]:
    """On either database."""
    with gateway(POSITIONS, "--no-limits") as broker:
        yield from _compared("SQLite", broker.url, "", "")
        try:
            with (
                postgres() as server,
                empty_database(server) as fresh,
                empty_database(server) as old,
            ):
                yield from _compared("PostgreSQL", broker.url, fresh, old)
        except MissingPrerequisite as missing:
            yield Unmeasured("ten years of history on PostgreSQL", str(missing))


def _compared(kind: str, broker: str, fresh: str, old: str) -> Iterator[Figure]:
    years = Years(
        end=SystemClock().now() - timedelta(days=1), days=A_FEW_DAYS if chosen().quick else DAYS
    )
    with _account(broker, fresh) as (app, place):
        floors = _costs(app, place)
    with _account(broker, old) as (app, place):
        with unit_of_work() as session:
            write(session, place.find(session).id, years)
        costs = _costs(app, place)
        named = f"{years.runs:,} runs, {kind}"
        for what, cost in costs.items():
            yield Figure(f"{what} after {named}", cost, "s CPU", floors[what], EMPTY, BOUND)
        gone: list[int] = []
        took = spent(lambda: gone.extend(thin(SystemClock().now(), UTC)))
        yield Figure(
            f"thinning {named}", took, "s CPU", None, "", None, f"{sum(gone):,} runs removed"
        )


@contextmanager
def _account(broker: str, database: str) -> Iterator[tuple[Flask, Place]]:
    settings = {"DATABASE_URL": database} if database else {}
    with (
        scratch() as folder,
        application(folder / "data", broker, paced=False, **settings) as app,
    ):
        place = linked(app)
        sync(app, place)
        yield app, place


def _costs(app: Flask, place: Place) -> dict[str, float]:
    """CPU seconds of each thing, that of the database server included."""
    client = app.test_client()
    return {
        "a sync of 500 holdings": _least(SYNCS, partial(sync, app, place)),
        "the account page": _least(PAGES, partial(visit, client, PAGE)),
        "the first page of syncs": _least(PAGES, partial(visit, client, HISTORY)),
    }


def _least(times: int, task: Callable[[], object]) -> float:
    def round_() -> None:
        for _ in range(times):
            task()

    round_()
    return min(spent(round_) for _ in range(ROUNDS)) / times
