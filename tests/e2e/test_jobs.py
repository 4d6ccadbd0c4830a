"""Background work in real processes: who does it, and who takes over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.server import serve
from portfolio.clock import SystemClock
from tests.conftest import fresh_database
from tests.e2e.conftest import answers, wait_until
from tests.integration.test_cli import run

ROOT = Path(__file__).parent.parent.parent
PROCESSES = 4


def ports(number):
    with ExitStack() as stack:
        probes = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)
        ]
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def started(*arguments, data, **more):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    environ |= {"FOLIOSYNC_DATA_DIR": str(data), "FOLIOSYNC_TIMEZONE": "UTC", **more}
    process = subprocess.Popen(
        [sys.executable, "-m", "portfolio.cli", *arguments],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def jobs(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10).json()["jobs"]
    except requests.ConnectionError:
        return {"leader": None}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request, tmp_path):
    if request.param == "sqlite":
        yield {}
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield {"FOLIOSYNC_DATABASE_URL": url}


def test_of_four_processes_one_leads_and_after_its_death_another(tmp_path, database):
    assert run("db", "upgrade", data=tmp_path, **database).returncode == 0
    with ExitStack() as stack:
        house = {
            port: stack.enter_context(
                started("run", "--port", str(port), data=tmp_path, **database)
            )
            for port in ports(PROCESSES)
        }
        for port in house:
            wait_until(lambda port=port: answers(f"http://127.0.0.1:{port}/readyz"))

        def leaders():
            return [port for port in house if jobs(port)["leader"]]

        wait_until(leaders)
        (first,) = leaders()
        assert all(jobs(port)["running"] for port in house)
        house.pop(first).kill()
        wait_until(leaders)
        (second,) = leaders()
        assert second != first


@pytest.fixture
def gateway():
    simulator = Simulator(SystemClock())
    with serve(simulator) as server:
        yield simulator, server


def test_a_worker_keeps_accounts_in_step_beside_the_web_process(tmp_path, free_port, gateway):
    simulator, server = gateway
    at = {
        "data": tmp_path,
        "FOLIOSYNC_JOBS": "worker",
        "FOLIOSYNC_IBKR_GATEWAY_URL": server.url,
    }
    base = f"http://127.0.0.1:{free_port}"
    with started("run", "--port", str(free_port), **at):
        wait_until(lambda: answers(f"{base}/readyz"))
        idle = {"mode": "worker", "running": False, "leader": False}
        assert jobs(free_port) == {**idle, "led": False}
        requests.post(f"{base}/api/v1/portfolios", json={"name": "P", "base_currency": "USD"})
        accounts = f"{base}/api/v1/portfolios/1/accounts"
        requests.post(accounts, json={"name": "A", "currency": "USD"})
        linked = requests.post(
            f"{base}/portfolio/1/accounts/A/connect/ibkr", json={"account_id": "U1234567"}
        )
        assert linked.status_code == 201, linked.text
        with started("worker", **at) as worker:
            wait_until(lambda: requests.get(f"{accounts}/A").json()["synced_at"])
            assert jobs(free_port) == {**idle, "led": True}
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        by_hand(simulator, at)


def test_a_server_that_is_to_end_lets_a_sync_under_way_end_first(tmp_path, free_port, gateway):
    simulator, server = gateway
    at = {"data": tmp_path, "FOLIOSYNC_JOBS": "off", "FOLIOSYNC_IBKR_GATEWAY_URL": server.url}
    base = f"http://127.0.0.1:{free_port}"
    url, runs = f"{base}/portfolio/1/accounts/A", f"{base}/api/v1/portfolios/1/accounts/A/runs"
    with ThreadPoolExecutor() as pool:
        with started("run", "--port", str(free_port), **at) as process:
            wait_until(lambda: answers(f"{base}/readyz"))
            requests.post(f"{base}/api/v1/portfolios", json={"name": "P", "base_currency": "USD"})
            requests.post(
                f"{base}/api/v1/portfolios/1/accounts", json={"name": "A", "currency": "USD"}
            )
            linked = requests.post(f"{url}/connect/ibkr", json={"account_id": "U1234567"})
            assert linked.status_code == 201, linked.text
            simulator.state.delay = 0.3
            pool.submit(requests.post, f"{url}/sync")
            wait_until(lambda: requests.get(runs).json()["items"])
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        # It is over, and nobody waits for a run whose process is gone.
        with started("run", "--port", str(free_port), **at):
            wait_until(lambda: answers(f"{base}/readyz"))
            assert [of["status"] for of in requests.get(runs).json()["items"]] == ["succeeded"]


def by_hand(simulator, at):
    """`foliosync sync` beside a running server."""
    done = run("sync", **at)
    assert (done.returncode, done.stdout) == (
        0,
        "P/A: 0 added, 0 changed, 0 no longer held, 235 unchanged (holdings and cash)\n",
    ), done.stderr
    simulator.sign_out()
    failed = run("sync", "A", **at)
    assert failed.returncode == 1
    assert failed.stdout.startswith("P/A: failed: Not authenticated with IBKR")
    unknown = run("sync", "P/B", **at)
    assert unknown.returncode == 1
    assert unknown.stderr.strip() == "foliosync: There is no connected account “P/B”."


def test_nothing_connected_is_no_failure(tmp_path):
    done = run("sync", data=tmp_path)
    assert (done.returncode, done.stdout) == (0, "No account is connected.\n")


@pytest.mark.parametrize("mode", ["embedded", "off"])
def test_a_worker_beside_embedded_jobs_is_refused_in_one_sentence(tmp_path, mode):
    done = run("worker", data=tmp_path, FOLIOSYNC_JOBS=mode)
    assert done.returncode == 1
    assert done.stderr.startswith(f"foliosync: FOLIOSYNC_JOBS is {mode}: ")
    assert not list(tmp_path.iterdir())
