"""How the work grows with what is held: storing, undo, import, export and pages, to 100,000."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask

from benchmarks.accounts import application, new_account, spent, visit
from benchmarks.figures import Figure, MissingPrerequisite, Row, Unmeasured
from benchmarks.measuring import exponent
from benchmarks.options import chosen
from benchmarks.processes import empty_database, postgres
from benchmarks.storing import StoredAccount, snapshot
from portfolio.accounts import csvfile
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.services.transfer import apply_import, plan_import
from portfolio.clock import Moment
from portfolio.connections.services import Place
from portfolio.db.session import unit_of_work
from portfolio.web.runtime import EXTENSION, Runtime

SIZES = (1_000, 10_000, 100_000)
ROUNDS = 2
PAGES = 20
BOUND = 1.1
LINES = 20_000
HEADINGS = "symbol,kind,currency,quantity,average_price,price"
BANK = "/portfolio/1/accounts/Bank"
Database = Callable[[], AbstractContextManager[str | None]]


def figures() -> Iterable[Row]:
    """On either database."""
    yield from _grown("SQLite", nullcontext)
    try:
        with postgres() as server:
            yield from _grown("PostgreSQL", partial(empty_database, server))
    except MissingPrerequisite as missing:
        yield Unmeasured("growth on PostgreSQL", str(missing))


def _grown(kind: str, database: Database) -> Iterator[Figure]:
    sizes = SIZES[:-1] if chosen().quick else SIZES
    found: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for size in sizes:
        with TemporaryDirectory() as folder, database() as url:
            settings = {"DATABASE_URL": url} if url else {}
            with application(Path(folder), paced=True, **settings) as app:
                for what, seconds in _costs(app, size).items():
                    found[what][size] = seconds
    for what, by_size in found.items():
        note = ", ".join(f"{of:.3f} s for {size:,}" for size, of in by_size.items())
        name = f"{what}, {sizes[0]:,} to {sizes[-1]:,} holdings, {kind}"
        yield Figure(name, exponent(by_size), "exponent", None, "", BOUND, note)


def _costs(app: Flask, size: int) -> Mapping[str, float]:
    """CPU seconds of each thing with so many holdings."""
    client = app.test_client()
    brought = partial(_import, app, new_account(app, "Bank"), size)
    costs = {
        "import of a new account": spent(brought),
        "import of the same again": _least(brought),
        "export": _least(partial(visit, client, f"{BANK}/export.csv")),
        "the account page": _least(lambda: [visit(client, BANK) for _ in range(PAGES)]) / PAGES,
    }
    account = StoredAccount(app, "Broker")
    reads = iter([snapshot(size, round_) for round_ in range(ROUNDS + 1)])
    runs = [""]
    costs["plan, gates and apply, all new"] = spent(lambda: runs.append(account.put(next(reads))))
    costs["plan, gates and apply, one in twenty changed"] = _least(
        lambda: runs.append(account.put(next(reads)))
    )
    costs["undo of one in twenty"] = spent(lambda: account.take_back(runs[-1]))
    return costs


def _least(task: Callable[[], object]) -> float:
    return min(spent(task) for _ in range(ROUNDS))


def _lines(size: int) -> tuple[csvfile.Row, ...]:
    """What files say; one has at most a megabyte, and this may be of several."""
    rows: list[csvfile.Row] = []
    for first in range(0, size, LINES):
        numbers = range(first, min(first + LINES, size))
        lines = (f"S{n:06},stock,USD,{n % 997 + 1},{n % 4999 + 100}.03,2" for n in numbers)
        table = csvfile.read("\n".join([HEADINGS, *lines]))
        rows += csvfile.understand(table, csvfile.guess(table, "USD"))
    return tuple(rows)


def _import(app: Flask, place: Place, size: int) -> None:
    runtime: Runtime = app.extensions[EXTENSION]
    now = Moment.at(runtime.clock.now(), runtime.zone)
    with unit_of_work() as session:
        where = place.portfolio_id, place.name
        at = Scope.find(session, place.owner_id, where, now, runtime.links_of)
        apply_import(at, plan_import(at, _lines(size)))
