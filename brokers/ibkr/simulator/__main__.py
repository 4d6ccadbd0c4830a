"""The simulator by hand: `python -m brokers.ibkr.simulator --port 5001`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from brokers.ibkr.simulator.app import Simulator
from brokers.ibkr.simulator.data import large
from brokers.ibkr.simulator.scenarios import SCENARIOS
from brokers.ibkr.simulator.server import serve

# What a shell gives for a program that SIGPIPE (13) ended.
UNREAD = 128 + 13


class _Clock:
    """The computer's clock, which the control page can turn forward."""

    def __init__(self) -> None:
        self._turned = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._turned)

    def monotonic(self) -> float:
        return time.monotonic() + self._turned

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def turn(self, seconds: float) -> None:
        self._turned += seconds


def main() -> int:
    """Serve until Ctrl-C."""
    options = _options()
    if options.list:
        return _list()
    simulator = Simulator(_Clock(), signed_in=not options.signed_out, limits=not options.no_limits)
    for number in range(options.accounts if options.positions else 0):
        account = large(options.positions, f"U900000{number}")
        simulator.state.accounts[account.id] = account
    if options.scenario:
        simulator.play(options.scenario)
    simulator.state.delay = options.latency / 1000
    try:
        with serve(simulator, port=options.port, certificate_file=options.certificate) as server:
            print(
                f"Gateway simulator at {server.url}; sign in, sell and look at {server.url}"
                "/simulator. Ctrl-C stops it.",
                flush=True,
            )
            Event().wait()
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.")
    return 0


def _list() -> int:
    """Print the scenarios; where nobody reads on, as before `head`, end quietly."""
    try:
        for each in SCENARIOS.values():
            print(f"{each.name:24} {each.what} ({each.leads_to})")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left would be written at the exit, and fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m brokers.ibkr.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=5001)
    parser.add_argument(
        "--scenario",
        choices=list(SCENARIOS),
        metavar="NAME",
        help="begin with this trouble; --list lists them",
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--signed-out", action="store_true", help="start without a session")
    parser.add_argument("--positions", type=int, help="add an account with this many positions")
    parser.add_argument(
        "--accounts",
        type=int,
        choices=range(1, 10),
        default=1,
        metavar="1-9",
        help="how many of them",
    )
    parser.add_argument("--latency", type=float, default=0, help="milliseconds of each answer")
    parser.add_argument("--no-limits", action="store_true", help="do not enforce rate limits")
    parser.add_argument("--certificate", type=Path, help="file that keeps key and certificate")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
