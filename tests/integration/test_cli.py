"""The command as a user types it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from portfolio import cli
from portfolio.health import of_web
from portfolio.settings import Settings
from tests.e2e.conftest import answers, proxies_count, wait_until

ROOT = Path(__file__).parent.parent.parent
HTML = {"Accept": "text/html"}
FIRST_SYNC = "235 added, 0 changed, 0 no longer held"
LATER_SYNC = "0 added, 0 changed, 0 no longer held, 235 unchanged"


def run(*arguments, data, stdout=subprocess.PIPE, **more):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    environ |= {"FOLIOSYNC_DATA_DIR": str(data), **more}
    return subprocess.run(
        [sys.executable, "-m", "portfolio.cli", *arguments],
        cwd=ROOT,
        env=environ,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


def test_a_wrong_setting_ends_in_one_sentence(tmp_path):
    done = run("run", data=tmp_path, FOLIOSYNC_PORT="none")
    assert done.returncode == 1
    assert (
        done.stderr.strip() == "foliosync: FOLIOSYNC_PORT: 'none' is not a number from 1 to 65535."
    )


def test_a_taken_port_is_said_before_anything_else(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = run("run", "--port", str(port), data=tmp_path)
    assert done.returncode == 1
    assert f"Port {port} cannot be used" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("port", "said"),
    [("99999", "not a number from 1 to 65535"), ("0", "not a number"), ("5000", "the gateway's")],
)
def test_a_port_that_cannot_be_ours_is_refused_in_one_sentence(tmp_path, port, said):
    for command in ("run", "demo"):
        done = run(command, "--port", port, data=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("foliosync: ")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "foliosync.db").exists()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one" * 40])
def test_a_damaged_database_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "foliosync.db").write_bytes(content)
    done = run("db", "upgrade", data=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("foliosync: ")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "foliosync.db").read_bytes() == content


@pytest.mark.parametrize("command", ["diagnostics", "settings", "db upgrade"])
def test_what_nobody_reads_to_its_end_ends_quietly(tmp_path, command):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as unread:
        done = run(*command.split(), data=tmp_path, stdout=unread)
    assert done.returncode == 141
    assert "BrokenPipe" not in done.stderr
    assert "Traceback" not in done.stderr
    done = run(*command.split(), data=tmp_path)
    assert done.returncode == 0
    assert done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_signs_that_a_terminal_or_a_file_has_not_are_spelled(tmp_path, encoding):
    done = run("api", data=tmp_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert ("→ 200" if encoding == "utf-8" else r"\u2192 200") in done.stdout


@pytest.mark.parametrize("command", ["token revoke", "doctor", "sync", "user disable"])
def test_a_name_is_text_and_in_the_form_in_which_it_is_stored(tmp_path, command):
    done = run(*command.split(), b"\xff", data=tmp_path, PYTHONUTF8="1")
    assert (done.returncode, done.stderr.count("Traceback")) == (2, 0)
    assert "this is not text in UTF-8" in done.stderr
    if command == "token revoke":
        run("token", "create", "caf\u00e9", "--scope", "read", data=tmp_path, PYTHONUTF8="1")
        done = run("token", "revoke", "cafe\u0301", data=tmp_path, PYTHONUTF8="1")
        assert done.stdout == "The token opens nothing any more.\n"


@pytest.mark.parametrize(
    ("command", "status"), [("run", 0), ("backup copy.db", 130), ("sync", 130)]
)
def test_what_is_cut_short_has_not_done_its_work(monkeypatch, capsys, command, status):
    name = command.partition(" ")[0]

    def interrupted(_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "start_logging", lambda: None)
    monkeypatch.setitem(cli.COMMANDS, name, interrupted)
    assert cli.main(command.split()) == status
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        ("Stopped.\n", "") if status == 0 else ("", "foliosync: Stopped before the end.\n")
    )


def test_upgrading_makes_the_database_and_says_so(tmp_path):
    done = run("db", "upgrade", data=tmp_path)
    assert (done.returncode, done.stdout) == (0, "The database is up to date.\n")
    assert oct((tmp_path / "secret.key").stat().st_mode)[-3:] == "600"


def test_who_asks_the_wrong_port_is_told_how_to_name_the_right_one(tmp_path, free_port):
    done = run("health", "--port", str(free_port), data=tmp_path)
    assert done.returncode == 1
    assert done.stdout == (
        f"Nobody answers on port {free_port} (ConnectionRefusedError): start Foliosync, or name "
        "its port by --port or FOLIOSYNC_PORT.\n"
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "{}"), (200, "[]"), (200, '{"jobs": null}'), (503, '"no"'), (503, '{"error": "no"}')],
)
def test_who_asks_another_program_is_told_so(status, body):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        Thread(target=other.handle_request, daemon=True).start()
        settings = Settings.load({"FOLIOSYNC_PORT": str(other.server_port)})
        said, well = of_web(settings)
    assert said.startswith(f"Another program answers on port {settings.port}: start Foliosync")
    assert not well


def leads(base):
    return requests.get(f"{base}/readyz", timeout=10).json()["jobs"]["leader"]


def test_the_demo_does_the_main_job(tmp_path, free_port):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    environ |= {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_ALLOWED_HOSTS": "folio.example"}
    command = [sys.executable, "-m", "portfolio.cli", "demo", "--port", str(free_port)]
    base = f"http://127.0.0.1:{free_port}"
    for first in (True, False):
        proxies = {"FOLIOSYNC_TRUSTED_PROXIES": "0" if first else "1"}
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ | proxies,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                wait_until(lambda: answers(f"{base}/readyz"))
                proxies_count(base, 0 if first else 1)
                wait_until(lambda: leads(base))
                page = requests.get(base, headers=HTML, timeout=10).text
                settings = requests.get(f"{base}/settings", headers=HTML, timeout=10).text
                holdings = requests.get(
                    f"{base}/api/v1/portfolios/1/accounts/IBKR Main/holdings", timeout=10
                ).json()
            finally:
                process.terminate()
                said = process.stdout.read()
        assert "<strong>Demo.</strong>" in page
        assert holdings["totals"]["net_liquidation"] == "1424515.286123"
        told = FIRST_SYNC if first else LATER_SYNC
        assert f"“IBKR Main” is synced: {told} (holdings and cash).\n" in said
        assert f"Foliosync is at {base}" in said
        assert f'<td>{free_port} <span class="tag">command line</span>' in settings
        assert re.search(
            r'IBKR_GATEWAY_URL</code></th><td>https://127\.0\.0\.1:\d+ <span class="tag">demo<',
            settings.replace("<wbr>", ""),
        )
    assert not (tmp_path / "foliosync.db").exists()
    assert (tmp_path / "demo" / "foliosync.db").exists()


@contextmanager
def a_demo(data, port):
    """A demo that runs in a process of its own; it is killed at the end unless it ended."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    with subprocess.Popen(
        [sys.executable, "-m", "portfolio.cli", "demo", "--port", str(port)],
        cwd=ROOT,
        env=environ | {"FOLIOSYNC_DATA_DIR": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
            yield
        finally:
            process.kill()


def files(folder):
    """What is in it, but for what a database being open changes by itself."""
    return {
        each.name: (each.stat().st_mtime_ns, each.read_bytes())
        for each in folder.iterdir()
        if not each.name.startswith("foliosync.db")
    }


def where_the_gateway_is(base):
    found = requests.get(f"{base}/api/v1/gateways", timeout=10).json()
    return [one["url"] for one in found["items"]]


def test_a_second_demo_is_refused_and_leaves_the_first_one_alone(tmp_path, free_port):
    folder, base = tmp_path / "demo", f"http://127.0.0.1:{free_port}"
    with a_demo(tmp_path, free_port):
        before = files(folder), where_the_gateway_is(base)
        # The port is said last: it would not be all that is in the way.
        for port in (free_port, 5000):
            done = run("demo", "--port", str(port), data=tmp_path)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr == (
                f"foliosync: A demo runs in {folder} already: end that one with Ctrl+C, or give "
                "this one a folder and a port of its own with FOLIOSYNC_DATA_DIR and --port.\n"
            )
        assert (files(folder), where_the_gateway_is(base)) == before
        synced = requests.post(f"{base}/portfolio/1/accounts/IBKR Main/sync", timeout=30).json()
        assert synced["run"]["status"] == "succeeded"
    # The first was killed: what it locked is free again, and its folder as good as before.
    assert (folder / "demo.lock").exists()
    with a_demo(tmp_path, free_port):
        synced = requests.post(f"{base}/portfolio/1/accounts/IBKR Main/sync", timeout=30).json()
        assert synced["run"]["status"] == "succeeded"


def test_a_folder_that_the_demo_cannot_have_is_said_in_one_sentence(tmp_path):
    (tmp_path / "demo").write_text("a file of somebody", encoding="utf-8")
    done = run("demo", "--port", "8000", data=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"foliosync: The demo's folder \S+ cannot be used: .+\.\n", done.stderr)


def test_what_prepares_for_another_server_tells_the_code_of_the_first_user(tmp_path):
    done = run("user", "code", data=tmp_path, FOLIOSYNC_AUTH="password")
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^Open /login/first and enter this code, .*: \S+$", done.stdout, re.MULTILINE
    )
