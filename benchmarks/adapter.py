"""Reading an account through the gateway: time against the limits, CPU against plain requests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial

import requests

from brokers.contract import Context
from brokers.http import RealNetwork
from brokers.ibkr import InteractiveBrokers
from portfolio.clock import SystemClock

LARGE = "U9000000"
ROUNDS = 5
CLOCK = SystemClock()


@contextmanager
def gateway(positions: int):
    """The simulator in a process of its own, so that its CPU is not counted."""
    command = [sys.executable, "-m", "brokers.ibkr.simulator", "--port", "0", "--no-limits"]
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
        time.sleep(6)
    return min(spent)


def plain(session: requests.Session, address: str) -> int:
    """What a short script would do: the same calls, decoded, nothing else."""
    base = f"{address}/v1/api"
    session.post(f"{base}/tickle").json()
    session.get(f"{base}/portfolio/accounts").json()
    session.get(f"{base}/portfolio/{LARGE}/ledger").json()
    rows, page = [], 0
    while found := json.loads(session.get(f"{base}/portfolio/{LARGE}/positions/{page}").content):
        rows += found
        page += 1
    session.get(f"{base}/portfolio/{LARGE}/ledger").json()
    session.post(f"{base}/tickle").json()
    return len(rows)


def main() -> None:
    """Print the table."""
    print(f"{'positions':>9} {'plain CPU':>10} {'adapter CPU':>12} {'ratio':>6}  bound 1.50")
    for positions in (100, 1_000, 10_000):
        with gateway(positions) as address:
            network = RealNetwork(CLOCK)
            broker = InteractiveBrokers()
            context = Context(clock=CLOCK, network=network, address=address, login_address=address)
            connection = broker.connect(context)
            # The pace is measured elsewhere; waiting costs no CPU.
            assert len(connection.snapshot(LARGE).positions) == positions
            session = network.session(connection.certificate)
            assert plain(session, address) == positions
            ours = cpu(partial(connection.snapshot, LARGE))
            theirs = cpu(partial(plain, session, address))
            ratio = ours / theirs
            verdict = "holds" if ratio <= 1.5 else "does not hold"
            print(f"{positions:>9} {theirs:>10.4f} {ours:>12.4f} {ratio:>6.2f}  {verdict}")


if __name__ == "__main__":
    main()
