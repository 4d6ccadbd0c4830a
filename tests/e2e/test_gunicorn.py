"""gunicorn with several workers, as its users start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import requests

from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.server import serve
from portfolio.clock import SystemClock
from tests.e2e.conftest import answers, proxies_count, wait_until
from tests.integration.test_cli import run

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def gunicorn(*arguments, log, **environ):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments],
            cwd=ROOT,
            env={**inherited, "FOLIOSYNC_TIMEZONE": "UTC", **environ},
            stdout=stream,
            stderr=stream,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_two_workers_one_lead_a_sync_and_a_clean_end(tmp_path, free_port):
    log, data = tmp_path / "log", tmp_path / "data"
    simulator = Simulator(SystemClock())
    base = f"http://127.0.0.1:{free_port}"
    with serve(simulator) as server:
        environ = {
            "FOLIOSYNC_DATA_DIR": str(data),
            "FOLIOSYNC_PORT": str(free_port),
            "FOLIOSYNC_IBKR_GATEWAY_URL": server.url,
            "FOLIOSYNC_TRUSTED_PROXIES": "1",
            "FOLIOSYNC_ALLOWED_HOSTS": "folio.example",
        }
        with gunicorn("--workers", "2", "wsgi:app", log=log, **environ) as process:
            wait_until(lambda: answers(f"{base}/readyz"))
            wait_until(lambda: requests.get(f"{base}/readyz").json()["jobs"]["led"])
            story(base)
            healthy = run("health", data=data, **environ)
            assert (healthy.returncode, healthy.stdout) == (
                0,
                "Ready; background work is done.\n",
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    said = log.read_text(encoding="utf-8")
    assert said.count("periodic work runs in this process") == 1, said
    assert said.count("periodic work does not run in this process any more") == 1, said
    assert "Traceback" not in said, said
    assert "/readyz" not in said
    assert "canary" not in said
    gone = run("health", data=data, **environ)
    assert gone.returncode == 1
    assert gone.stdout.startswith("Nobody answers on port")


def story(base):
    """An account is connected, and synced by whichever worker leads."""
    requests.post(f"{base}/api/v1/portfolios", json={"name": "P", "base_currency": "USD"})
    accounts = f"{base}/api/v1/portfolios/1/accounts"
    requests.post(accounts, json={"name": "A", "currency": "USD"})
    linked = requests.post(
        f"{base}/portfolio/1/accounts/A/connect/ibkr", json={"account_id": "U1234567"}
    )
    assert linked.status_code == 201, linked.text
    wait_until(lambda: requests.get(f"{accounts}/A").json()["synced_at"])
    proxies_count(base, 1)


def test_an_address_that_the_settings_do_not_name_is_refused(tmp_path, free_port):
    log = tmp_path / "log"
    at = f"0.0.0.0:{free_port}"
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path / "data")}
    with gunicorn("--bind", at, "wsgi:app", log=log, **environ) as process:
        assert process.wait(60) == 1
    said = log.read_text(encoding="utf-8")
    assert "gunicorn would listen on 0.0.0.0, but FOLIOSYNC_HOST is 127.0.0.1" in said
    assert "Traceback" not in said


def test_a_wrong_setting_ends_in_one_sentence(tmp_path):
    log = tmp_path / "log"
    with gunicorn("-c", "python:portfolio.gunicorn", log=log, FOLIOSYNC_PORT="x") as process:
        assert process.wait(60) == 1
    assert log.read_text(encoding="utf-8") == (
        "foliosync: FOLIOSYNC_PORT: 'x' is not a number from 1 to 65535.\n"
    )
