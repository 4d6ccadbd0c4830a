"""Reading an account through the gateway: time against the limits, CPU against plain requests.

`python benchmarks/adapter.py` takes some five minutes and prints two tables.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial

import requests

from brokers.contract import Connection, Context
from brokers.http import RealNetwork
from brokers.ibkr import MANIFEST, InteractiveBrokers
from brokers.pacing import Pacer
from brokers.types import Certificate
from portfolio.clock import SystemClock

LARGE = "U9000000"
SIZES = (100, 1_000, 10_000)
ROUNDS = 5
LATENCY = 0.08
PER_PAGE = 100
TICKLES_APART = 1
# The account list may be asked for once in five seconds, the user's name once in a minute.
BETWEEN_READS, BETWEEN_STRANGERS = 6, 61
CPU_BOUND, TIME_BOUND = 1.5, 1.15
CLOCK = SystemClock()


@contextmanager
def gateway(positions: int, *options: str):
    """The simulator in a process of its own, so that its CPU is not counted."""
    command = [sys.executable, "-m", "brokers.ibkr.simulator", "--port", "0", *options]
    process = subprocess.Popen(
        [*command, "--positions", str(positions)], stdout=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    try:
        yield next(word.strip(";") for word in line.split() if word.startswith("https://"))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def cpu(task: Callable[[], object]) -> float:
    """The least CPU seconds of several rounds."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        task()
        spent.append(time.process_time() - began)
        time.sleep(BETWEEN_READS)
    return min(spent)


def plain(session: requests.Session, address: str) -> int:
    """What a short script would do: the same calls at the same pace, decoded, nothing else."""
    pacer = Pacer(MANIFEST.limits, CLOCK)

    def call(path: str, method: str = "GET"):
        pacer.wait(path)
        return json.loads(session.request(method, f"{address}/v1/api{path}").content)

    call("/tickle", "POST")
    call("/portfolio/accounts")
    call(f"/portfolio/{LARGE}/ledger")
    rows, page = [], 0
    while found := call(f"/portfolio/{LARGE}/positions/{page}"):
        rows += found
        page += 1
    call(f"/portfolio/{LARGE}/ledger")
    call("/tickle", "POST")
    return len(rows)


def connect(address: str, certificate: Certificate | None = None) -> Connection:
    """A connection of a broker that knows nothing yet, but perhaps the certificate."""
    context = Context(
        clock=CLOCK,
        network=RealNetwork(CLOCK),
        address=address,
        login_address=address,
        certificate=certificate,
    )
    return InteractiveBrokers().connect(context)


def verdict(ratio: float, bound: float) -> str:
    """Whether a ratio is within its bound."""
    return f"{ratio:>6.2f}  {bound:.2f}  {'holds' if ratio <= bound else 'DOES NOT HOLD'}"


def measure_cpu() -> None:
    """CPU of a whole snapshot against the same bytes by plain requests and json."""
    print("CPU seconds of one read, no latency, no limits")
    print(f"{'positions':>9} {'plain':>8} {'adapter':>8}  ratio bound")
    for positions in SIZES:
        with gateway(positions, "--no-limits") as address:
            connection = connect(address)
            # The first read fetches the terms of contracts, which later ones know.
            assert len(connection.snapshot(LARGE).positions) == positions
            session = RealNetwork(CLOCK).session(connection.certificate)
            assert plain(session, address) == positions
            ours = cpu(partial(connection.snapshot, LARGE))
            theirs = cpu(partial(plain, session, address))
            print(
                f"{positions:>9} {theirs:>8.4f} {ours:>8.4f} {verdict(ours / theirs, CPU_BOUND)}"
            )


def measure_time() -> None:
    """Seconds of a whole snapshot against the larger of latency and pace."""
    print(f"Seconds of one read, {LATENCY * 1000:.0f} ms per answer, limits on")
    print(f"{'positions':>9} {'calls':>6} {'floor':>8} {'adapter':>8}  ratio bound")
    pace = next(limit for limit in MANIFEST.limits if limit.endpoint == "*")
    for positions in SIZES:
        with gateway(positions, "--latency", str(LATENCY * 1000)) as address:
            first = connect(address)
            first.snapshot(LARGE)
            time.sleep(BETWEEN_STRANGERS)
            connection = connect(address, first.certificate)
            began = time.monotonic()
            connection.snapshot(LARGE)
            spent = time.monotonic() - began
        # Two tickles, the user, the list, two ledgers, and the pages with the empty one.
        calls = 6 + positions // PER_PAGE + 1
        # A second tickle has to wait for a second, whatever lies between.
        paced = max(((calls - 1) // pace.calls) * pace.seconds, TICKLES_APART)
        floor = max(calls * LATENCY, paced + LATENCY)
        ratio = verdict(spent / floor, TIME_BOUND)
        print(f"{positions:>9} {calls:>6} {floor:>8.2f} {spent:>8.2f} {ratio}")


def main() -> None:
    """Print both tables."""
    if "--time" not in sys.argv:
        measure_cpu()
        print()
    measure_time()


if __name__ == "__main__":
    main()
