"""The same holdings in Fava: how long its page of them takes, and a change until it is seen.

Fava is no dependency of ours: `python -m benchmarks fava --python /path/to/its/environment`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.accounts import application, fill, new_account
from benchmarks.figures import Figure, MissingPrerequisite
from benchmarks.measuring import wall
from benchmarks.options import chosen
from benchmarks.processes import (
    LARGE,
    Running,
    apart,
    connected,
    control,
    free_port,
    gateway,
    scratch,
    server,
    serving,
    synced,
)

HOLDINGS = 10_000
THEIR_ROUNDS, OUR_ROUNDS = 5, 40
API = "/api/v1/portfolios/1/accounts/A"
# What Fava 1.30's page of holdings asks its server for (src/reports/holdings/index.ts).
QUERY = """
SELECT
  account,
  units(sum(position)) as units,
  cost_number as cost,
  first(getprice(currency, cost_currency)) as price,
  cost(sum(position)) as book_value,
  value(sum(position)) as market_value,
  safediv(
    (abs(sum(number(value(position)))) - abs(sum(number(cost(position))))),
    sum(number(cost(position)))
  ) * 100 as unrealized_profit_pct,
  cost_date as acquisition_date
WHERE account_sortkey(account) ~ "^[01]"
GROUP BY account, cost_date, currency, cost_currency, cost_number, account_sortkey(account)
ORDER BY account_sortkey(account), currency, cost_date
""".strip()
HEAD = """option "title" "Bench"
option "operating_currency" "USD"
2020-01-01 open Assets:Broker
2020-01-01 open Equity:Opening-Balances
"""


def figures() -> Iterable[Figure]:
    """The page, a change until it is seen, and the whole table."""
    program = _program()
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    rows = 500 if chosen().quick else HOLDINGS
    with scratch() as folder:
        ledger = folder / "bench.beancount"
        ledger.write_text(HEAD + "".join(map(_bought, range(rows))), encoding="ascii")
        with _fava(program, ledger) as theirs:
            their_page = _warm(partial(_their_page, theirs, rows), THEIR_ROUNDS)
            their_change = _warm(partial(_their_change, theirs, ledger, rows), THEIR_ROUNDS)
        apart(_filled, folder / "data", rows)
        with server(folder / "data", "https://localhost:5001") as ours:
            our_page = _warm(partial(ours.call, "GET", "/portfolio/1/accounts/A"), OUR_ROUNDS)
            our_change = _warm(_our_change(ours), OUR_ROUNDS)
            whole = _warm(partial(_whole_table, ours, rows), THEIR_ROUNDS)
        our_sync = _our_sync(folder / "synced", rows)
    beside = partial(_beside, f"{version.stdout.strip()}, {rows:,} rows")
    yield beside("holdings: our page of 50", our_page, their_page, 100)
    yield beside("a change by hand until our page shows it", our_change, their_change, 100)
    yield beside("a change at the broker until our page shows it", our_sync, their_change, None)
    yield beside("holdings: the whole table as CSV", whole, their_page, None)


def _beside(theirs: str, name: str, ours: float, floor: float, bound: float | None) -> Figure:
    return Figure(name, ours, "s", floor, theirs, bound, times_faster=True)


def _program() -> Path:
    named = chosen().python
    program = Path(named) / "bin" / "fava"
    if not named or not program.exists():
        raise MissingPrerequisite("Fava is not there; name its environment by --python")
    return program


def _bought(number: int) -> str:
    """A commodity, a purchase of it, and its price."""
    cost, price = number % 4999 + 100, number % 4999 + 117
    units = number % 997 + 1
    name = f"S{number:06}"
    return (
        f"2020-01-01 commodity {name}\n"
        f'2024-01-02 * "Buy"\n'
        f"  Assets:Broker  {units} {name} {{{cost}.25 USD}}\n"
        f"  Equity:Opening-Balances\n"
        f"2026-01-02 price {name} {price}.5 USD\n"
    )


@contextmanager
def _fava(program: Path, ledger: Path) -> Iterator[Running]:
    port = free_port()
    with serving([str(program), str(ledger), "-p", str(port)], port) as running:
        yield running


def _warm(task: Callable[[], object], rounds: int) -> float:
    """The least seconds of several rounds, after one more that warms up."""
    task()
    return wall(task, rounds)


def _their_page(theirs: Running, rows: int) -> str:
    """The page and the table that its script then asks for."""
    theirs.call("GET", "/bench/holdings/")
    answer = theirs.call("GET", "/bench/api/query", params={"query_string": QUERY})
    found = answer.json()["data"]["rows"]
    if len(found) < rows:
        raise RuntimeError(f"{len(found)} rows instead of {rows}")
    return answer.text


def _their_change(theirs: Running, ledger: Path, rows: int) -> None:
    """One more purchase in the file, until the table has it."""
    cost = f"{100_000 + ledger.read_text(encoding='ascii').count('One more')}.75"
    with ledger.open("a", encoding="ascii") as file:
        file.write(
            f'2026-01-03 * "One more"\n  Assets:Broker  1 S000000 {{{cost} USD}}\n'
            "  Equity:Opening-Balances\n"
        )
    # Its page asks this every few seconds; the file is read anew before it says yes.
    while not theirs.call("GET", "/bench/api/changed").json()["data"]:
        time.sleep(0.01)
    if cost not in _their_page(theirs, rows):
        raise RuntimeError("the purchase is not in the table")


def _filled(data: Path, rows: int) -> None:
    with application(data) as app:
        fill(new_account(app), rows)


def _our_change(ours: Running) -> Callable[[], None]:
    """Another quantity of one holding, until the page has it."""
    first = ours.call("GET", f"{API}/holdings", params={"limit": 1}).json()["holdings"][0]
    counted = iter(range(1, 1000))

    def change() -> None:
        quantity = f"{700_000 + next(counted)}"
        path = f"{API}/holdings/{first['id']}"
        ours.call("PATCH", path, json={"quantity": quantity})
        page = ours.call("GET", "/portfolio/1/accounts/A").text
        if quantity not in page.replace(",", "").replace("\u202f", ""):
            raise RuntimeError("the quantity is not on the page")

    return change


def _our_sync(data: Path, rows: int) -> float:
    """One share sold at the broker, until it is synced and the page was sent; without a pace."""
    with (
        gateway(rows, "--no-limits") as broker,
        server(data, broker.url, program="benchmarks.unpaced") as ours,
    ):
        url = connected(ours)
        synced(ours, url)

        def change() -> None:
            control(broker, "sell", account=LARGE, symbol="VWCE", quantity="1")
            if not synced(ours, url)["changed"]:
                raise RuntimeError("the sale was not seen")
            ours.call("GET", url)

        return _warm(change, THEIR_ROUNDS)


def _whole_table(ours: Running, rows: int) -> None:
    text = ours.call("GET", f"{API}/export.csv").text
    if text.count("\n") <= rows:
        raise RuntimeError("the table is not whole")
