"""A gateway that lives while IBKR behind it does not: nobody else waits, and nothing piles up."""

from __future__ import annotations

import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import pytest

from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.scenarios import instead
from brokers.ibkr.simulator.server import SLOTS
from tests.e2e.conftest import wait_until
from tests.proof.house import House, served
from tests.proof.truth import look

LOOKS = 20
PRESSES = 40
MOST_MEMORY = 200_000_000
HTML = {"Accept": "text/html"}
# What one sync of the sample account asks for, and a little more for a look at the session.
ONE_SYNC = 20


def silent(house, gateway):
    gateway.simulator.play("silence")
    yield
    gateway.simulator.play("calm")


def drip(house, gateway):
    gateway.simulator.play("drip")
    yield
    gateway.simulator.play("calm")


def slots_hang(house, gateway):
    """Requests of others hold every place on the way to IBKR and never end."""
    slots = gateway.server.slots
    for _ in range(SLOTS):
        slots.acquire()
    yield
    for _ in range(SLOTS):
        slots.release()


def flood(house, gateway):
    gateway.simulator.play("flood")
    yield
    gateway.simulator.play("calm")


def bomb(house, gateway):
    """A small body that says it is compressed, and becomes 400 MB."""
    body = gzip.compress(b" " * 400_000_000, compresslevel=1)
    headers = (("Content-Encoding", "gzip"),)
    instead(gateway.simulator.state, "/positions/", Reply(200, body, headers=headers))
    yield
    gateway.simulator.play("calm")


TROUBLES = {
    "silent": (silent, "gateway_silent"),
    "drip": (drip, "gateway_silent"),
    "slots-hang": (slots_hang, "gateway_silent"),
    "flood": (flood, "bad_answer"),
    "bomb": (bomb, "bad_answer"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_others_are_served_the_run_ends_and_nothing_piles_up(name, tmp_path, gateway, figure):
    trouble, code = TROUBLES[name]
    database = f"sqlite:///{tmp_path / 'data' / 'foliosync.db'}"
    with served(tmp_path / "data", gateway.server.url) as house, ExitStack() as stack:
        url = house.linked()
        assert house.call("POST", f"{url}/sync").json()["run"]["status"] == "succeeded"
        press(house, url)
        before, usual = look(database), answer_times(house, url)
        process = Process(house.process.pid)
        files, threads, memory = process.files, process.threads, process.memory
        stack.enter_context(contextmanager(trouble)(house, gateway))
        run, during, took = while_it_lasts(house, gateway, url)
        assert run["reason"] == code, run
        assert took <= 75
        assert look(database) == before
        assert process.most_memory - memory < MOST_MEMORY
        figure(f"silence, {name}: run ended after", f"{took:.1f} s")
        figure(f"silence, {name}: pages, median during / before", f"{during / usual:.2f}")
        grown = (process.most_memory - memory) / 1e6
        figure(f"silence, {name}: memory at most", f"+{grown:.0f} MB")
        stack.close()
        settled(process, files, threads)
        asked = len(gateway.simulator.requests)
        again = house.call("POST", f"{url}/sync").json()["run"]
        assert (again["status"], again["unchanged"]) == ("succeeded", 235)
        assert len(gateway.simulator.requests) - asked <= ONE_SYNC


def while_it_lasts(house: House, gateway, url: str) -> tuple[dict, float, float]:
    """Many ask for a sync and others look at pages; the run, how they fared, how long it took."""
    began = time.monotonic()
    known = newest(house, url)["id"]
    with ThreadPoolExecutor(PRESSES) as pool:
        with no_place(gateway):
            # The run goes no further until all have been answered but who began it.
            pressed = [pool.submit(house.call, "POST", f"{url}/sync") for _ in range(PRESSES)]
            wait_until(lambda: sum(each.done() for each in pressed) >= PRESSES - 1)
        during = answer_times(house, url)
        answered_and_over(house, url, pressed)
    ids = [run["id"] for run in house.call("GET", f"{api(url)}/runs").json()["items"]]
    assert ids.index(known) == 1, "one run, whoever asked"
    return newest(house, url), during, time.monotonic() - began


@contextmanager
def no_place(gateway):
    """Whatever is asked waits for its place on the way to IBKR."""
    taken = [of for of in range(SLOTS) if gateway.server.slots.acquire(blocking=False)]
    try:
        yield
    finally:
        for _ in taken:
            gateway.server.slots.release()


def press(house: House, url: str) -> None:
    """Many press Sync at once, and the run comes to its end."""
    with ThreadPoolExecutor(PRESSES) as pool:
        pressed = [pool.submit(house.call, "POST", f"{url}/sync") for _ in range(PRESSES)]
    answered_and_over(house, url, pressed)


def answered_and_over(house: House, url: str, pressed) -> None:
    """Each was answered as documented, and no run goes on."""
    assert {each.result().status_code for each in pressed} <= {200, 202, 409, 503}
    wait_until(lambda: newest(house, url)["status"] != "running")


def answer_times(house: House, url: str) -> float:
    """The median time in which pages and figures are served, in seconds."""
    times = []
    for _ in range(LOOKS):
        for path in ("/", url, f"{api(url)}/holdings"):
            began = time.perf_counter()
            answer = house.call("GET", path, headers=HTML)
            times.append(time.perf_counter() - began)
            assert answer.status_code == 200
    return median(times)


def newest(house: House, url: str) -> dict:
    return house.call("GET", f"{api(url)}/runs").json()["items"][0]


def api(url: str) -> str:
    return f"/api/v1{url.replace('/portfolio', '/portfolios')}"


def settled(process: Process, files: int, threads: int) -> None:
    """What was opened for the trouble is closed again."""
    wait_until(lambda: process.files <= files + 2)
    wait_until(lambda: process.threads <= threads + 2)


class Process:
    """What the operating system says of a process."""

    def __init__(self, number: int) -> None:
        self._folder = Path(f"/proc/{number}")
        if not self._folder.exists():
            pytest.skip("there is no /proc to look at")

    @property
    def files(self) -> int:
        """How many files and sockets it has open."""
        return len(list((self._folder / "fd").iterdir()))

    @property
    def threads(self) -> int:
        """How many threads it has."""
        return self._status("Threads")

    @property
    def memory(self) -> int:
        """Its memory now, in bytes."""
        return self._status("VmRSS") * 1024

    @property
    def most_memory(self) -> int:
        """The most memory it ever had, in bytes."""
        return self._status("VmHWM") * 1024

    def _status(self, name: str) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
