"""The simulator by hand: its own program, its control page, and a clock that can be turned."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import pytest

from brokers.contract import Context
from brokers.errors import BrokerMaintenance, RateLimited
from brokers.http import RealNetwork
from brokers.ibkr import InteractiveBrokers
from portfolio.clock import SystemClock

CLOCK = SystemClock()


@contextmanager
def simulator(*arguments):
    command = [sys.executable, "-m", "brokers.ibkr.simulator", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        words = process.stdout.readline().split()
        yield next(word.strip(";") for word in words if word.startswith("https://"))
    finally:
        process.terminate()
        process.communicate(timeout=10)


def connect(address):
    context = Context(
        clock=CLOCK, network=RealNetwork(CLOCK), address=address, login_address=address
    )
    return InteractiveBrokers().connect(context)


def test_troubles_are_played_and_the_clock_is_turned_on_its_page():
    with simulator("--scenario", "maintenance", "--no-limits") as address:
        session = RealNetwork(CLOCK).session(RealNetwork(CLOCK).certificate(*host(address), 5))

        def control(action, **values):
            url = f"{address}/simulator/{action}"
            return session.post(url, data=values, timeout=5, allow_redirects=False).status_code

        with pytest.raises(BrokerMaintenance):
            connect(address).accounts()
        assert "maintenance:" in session.get(f"{address}/simulator", timeout=5).text
        assert control("play", scenario="falls-asleep") == 303
        broker = connect(address)
        assert broker.accounts()
        assert control("turn", minutes="7") == 303
        assert not broker.diagnose().connected
        assert control("sign-in") == 303
        assert connect(address).accounts()
        assert control("play", scenario="none-of-that") == 400
        assert control("turn", minutes="soon") == 400


def test_its_penalty_is_over_when_its_clock_says_so():
    with simulator("--scenario", "rate-limited") as address:
        with pytest.raises(RateLimited):
            connect(address).accounts()
        certificate = RealNetwork(CLOCK).certificate(*host(address), 5)
        session = RealNetwork(CLOCK).session(certificate)
        session.post(f"{address}/simulator/turn", data={"minutes": "16"}, timeout=5)
        assert connect(address).accounts()


def test_its_troubles_are_listed_by_name():
    command = [sys.executable, "-m", "brokers.ibkr.simulator", "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "rate-limited" in listed
    assert "(not_authenticated)" in listed
    # Once, and not in the midst of each help, where they hid what else there is.
    helped = subprocess.run([*command[:-1], "--help"], capture_output=True, text=True, check=True)
    assert "rate-limited" not in helped.stdout
    assert "--scenario NAME" in helped.stdout
    mistyped = [*command[:-1], "--scenario", "rate-limit"]
    refused = subprocess.run(mistyped, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr.count("rate-limited")) == (2, 1)


def host(address):
    name, _, port = address.removeprefix("https://").partition(":")
    return name, int(port)
