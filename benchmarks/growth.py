"""How the work grows with what is held: storing, undo, import, export and pages, to 100,000."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask

from benchmarks.accounts import application, new_account, spent
from benchmarks.figures import Figure, MissingPrerequisite, Row, Unmeasured
from benchmarks.measuring import exponent
from benchmarks.options import chosen
from benchmarks.processes import empty_database, postgres
from benchmarks.storing import StoredAccount, snapshot

SIZES = (1_000, 10_000, 100_000)
ROUNDS = 3
PAGES = 20
BOUND = 1.1
# A file has no more lines; what is more comes in several.
LINES = 25_000
HEADINGS = "symbol,kind,currency,quantity,average_price,price"
BANK, BROKER = "/portfolio/1/accounts/Bank", "/portfolio/2/accounts/Broker"
Database = Callable[[], AbstractContextManager[str | None]]
IMPORT = "/api/v1/portfolios/1/accounts/Bank/import"


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
    client, files = app.test_client(), list(_files(size))
    new_account(app, "Bank")
    brought = partial(_import, app, files)
    costs = {
        "import of a new account": spent(brought),
        "import of the same again": _least(brought),
        "export": _least(lambda: client.get(f"{BANK}/export.csv").get_data()),
        "the account page": _least(lambda: [client.get(BANK) for _ in range(PAGES)]) / PAGES,
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


def _files(size: int) -> Iterator[str]:
    for first in range(0, size, LINES):
        numbers = range(first, min(first + LINES, size))
        lines = (f"S{n:06},stock,USD,{n % 997 + 1},{n % 4999 + 100}.03,2" for n in numbers)
        yield "\n".join([HEADINGS, *lines])


def _import(app: Flask, files: Iterable[str]) -> None:
    client = app.test_client()
    for text in files:
        answer = client.post(IMPORT, json={"csv": text, "apply": True})
        if answer.status_code != 200:
            raise RuntimeError(f"the import answered {answer.status_code}: {answer.text[:300]}")
