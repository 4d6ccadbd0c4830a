"""`foliosync doctor` and `foliosync gateway` as a user types them, on real sockets."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.server import serve
from portfolio.clock import SystemClock
from tests.integration.test_cli import run


@pytest.fixture
def gateway():
    simulator = Simulator(SystemClock())
    with serve(simulator) as server:
        yield simulator, server


def test_the_doctor_finds_the_broken_link_and_says_when_it_holds_again(gateway, tmp_path):
    simulator, server = gateway
    at = {"data": tmp_path, "FOLIOSYNC_IBKR_GATEWAY_URL": server.url}
    simulator.sign_out()
    broken = run("doctor", "ibkr", **at)
    assert broken.returncode == 1
    assert broken.stdout.startswith("Not authenticated with IBKR")
    assert "✗ Signed in" in broken.stdout
    assert f"Open {server.url} in your browser" in broken.stdout
    simulator.sign_in()
    file = tmp_path / "recording.json"
    whole = run("doctor", "ibkr", "--json", "--record", str(file), **at)
    assert whole.returncode == 0, whole.stderr
    found = json.loads(whole.stdout)
    assert (found["connected"], found["session"]["user"]) == (True, "demo42")
    assert "before you send it" in whole.stderr
    assert "U1234567" not in file.read_text()
    assert not file.read_text().count("demo42")


def test_a_gateway_that_is_not_there_is_one_sentence(free_port, tmp_path):
    at = {"FOLIOSYNC_IBKR_GATEWAY_URL": f"https://localhost:{free_port}"}
    done = run("doctor", "ibkr", data=tmp_path, **at)
    assert done.returncode == 1
    assert "Failed to connect to Interactive Brokers API" in done.stdout
    assert "Traceback" not in done.stderr
    unknown = run("doctor", "ibkr", "--gateway", "77", data=tmp_path, **at)
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("foliosync: ")


def test_a_key_store_is_made_once_and_opens_with_the_printed_password(tmp_path):
    folder = tmp_path / "root"
    if shutil.which("keytool") is None:
        done = run("gateway", "certificate", str(folder), data=tmp_path)
        assert "keytool is missing" in done.stderr
        return
    done = run("gateway", "certificate", str(folder), "--host", "nas.lan", data=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(": ") for line in done.stdout.splitlines() if line.startswith("ssl"))
    store = folder / lines["sslCert"].strip('"')
    assert store.stat().st_mode & 0o077 == 0
    password = lines["sslPwd"].strip('"')
    listed = subprocess.run(
        ["keytool", "-list", "-v", "-keystore", str(store), "-storepass", password],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nas.lan" in listed.stdout
    before = store.read_bytes()
    again = run("gateway", "certificate", str(folder), data=tmp_path)
    assert again.returncode == 1
    assert "there already" in again.stderr
    assert store.read_bytes() == before
