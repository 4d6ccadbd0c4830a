"""`foliosync doctor` and `foliosync gateway` as a user types them, on real sockets."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.server import serve
from portfolio.clock import SystemClock
from portfolio.doctor import KEY_STORE, make_key_store
from portfolio.errors import SetupProblem
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
    assert "[gateway_unreachable]" in done.stdout
    assert "✗ Reachable" in done.stdout
    for number in ("77", "0", "9" * 23):
        unknown = run("doctor", "ibkr", "--gateway", number, data=tmp_path, **at)
        assert unknown.returncode == 1
        there = f"; there is: 1 ({at['FOLIOSYNC_IBKR_GATEWAY_URL']}).\n"
        assert unknown.stderr.endswith(f"There is no such gateway of the broker “ibkr”{there}")
        assert "Traceback" not in unknown.stderr
    mistyped = run("doctor", "ikbr", data=tmp_path, **at)
    assert (mistyped.returncode, mistyped.stdout) == (1, "")
    assert mistyped.stderr.endswith("There is no broker “ikbr” here; there is: ibkr.\n")


def test_a_key_store_is_made_once_and_opens_with_the_printed_password(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
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


HOSTS = ["", "a b", "a,DNS:evil", "nas=lan", "*.lan", "x/y", "a..b", "CN=x, O=y", "-nas"]


@pytest.mark.parametrize("host", HOSTS)
def test_an_odd_host_is_refused_before_a_key_store_is_made(tmp_path, host):
    with pytest.raises(SetupProblem, match="--host needs the name"):
        make_key_store(tmp_path, host)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_said_and_not_made(tmp_path):
    with pytest.raises(SetupProblem, match="There is no folder"):
        make_key_store(tmp_path / "rooot", "nas.lan")
    assert not list(tmp_path.iterdir())


def own_keytool(folder, script, monkeypatch):
    program = folder / "bin" / "keytool"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_keytool_s_own_reason_is_shown(tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    own_keytool(tmp_path, "echo 'keytool error: no space left'; exit 1", monkeypatch)
    with pytest.raises(SetupProblem, match="keytool error: no space left"):
        make_key_store(root, "nas.lan")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupProblem, match="keytool is missing"):
        make_key_store(root, "nas.lan")


def test_keytool_is_not_called_missing_where_it_made_nothing(tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    own_keytool(tmp_path, "exit 0", monkeypatch)
    with pytest.raises(SetupProblem, match="could not be made"):
        make_key_store(root, "nas.lan")


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("nas.lan", "SAN=DNS:nas.lan,IP:127.0.0.1"),
        ("192.168.1.5", "SAN=IP:192.168.1.5,IP:127.0.0.1"),
        ("127.0.0.1", "SAN=IP:127.0.0.1"),
    ],
)
def test_the_key_store_is_for_the_host_and_for_the_gateway_s_own_computer(
    tmp_path, monkeypatch, host, names
):
    root, seen = tmp_path / "root", tmp_path / "seen"
    root.mkdir()
    store = root / KEY_STORE
    own_keytool(tmp_path, f'echo "$@" > {seen}; touch {store}', monkeypatch)
    assert KEY_STORE in make_key_store(root, host)
    assert names in seen.read_text().split()
