"""Told for real: Apprise, a receiver on loopback, the program as a process, and a browser."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from portfolio.app import create_app, prepare_database
from portfolio.connections.telling import tell
from tests.e2e.conftest import accessible, answers, wait_until
from tests.e2e.receiver import receiving
from tests.integration.conftest import MAIN, Desk, make_desk

CANARIES = ("canary", MAIN)


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


@pytest.fixture
def desk(receiver, tmp_path):
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_NOTIFY_URLS": receiver.url()}
    yield from make_desk(environ)


def told(desk: Desk) -> None:
    desk.turn(3601)
    with desk.app.app_context():
        tell()


def test_an_outage_is_two_messages_even_over_a_restart_and_a_dead_receiver(desk, receiver, caplog):
    caplog.set_level(logging.DEBUG)
    url = desk.connected()
    desk.simulator.sign_out()
    desk.sync(url)
    receiver.status = 500
    told(desk)
    assert receiver.messages == []
    receiver.status = 200
    told(desk)
    told(desk)
    again = create_app(desk.app.extensions["foliosync"].settings, clock=desk.clock)
    prepare_database(again)
    desk.app, first = again, desk.app
    told(desk)
    desk.app = first
    again.extensions["foliosync"].stop()
    assert [title for title, _ in receiver.messages] == ["Foliosync needs you: sign in again"]
    desk.simulator.sign_in()
    assert desk.sync(url).json["run"]["status"] == "succeeded"
    told(desk)
    told(desk)
    assert [title for title, _ in receiver.messages][1:] == ["Foliosync: well again"]
    arrived = str(receiver.seen)
    assert not any(canary in arrived + caplog.text for canary in CANARIES)
    # Holdings are worth something with decimals; a message has none.
    assert not re.search(r"\d+[.,]\d", " ".join(body for _, body in receiver.messages))


@dataclass
class Program:
    """The program as its own process, and what it said once it has ended."""

    url: str
    process: subprocess.Popen
    folder: Path

    def end(self) -> str:
        self.process.terminate()
        return "".join(self.process.communicate(timeout=30))


@pytest.fixture
def program(receiver, tmp_path, free_port):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    environ |= {"FOLIOSYNC_DATA_DIR": str(tmp_path / "data")}
    environ |= {"FOLIOSYNC_NOTIFY_URLS": f"{receiver.url()}, {receiver.url('jsons')}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "portfolio.cli", "run", "--port", str(free_port)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    found = Program(f"http://127.0.0.1:{free_port}", process, tmp_path / "data")
    try:
        wait_until(lambda: answers(f"{found.url}/readyz"))
        yield found
    finally:
        process.kill()
        process.communicate()


def test_the_program_tests_and_names_its_targets_nowhere(program, receiver):
    # The receiver speaks no TLS, so that one of the two cannot take it.
    answer = requests.post(f"{program.url}/api/v1/notifications/test", timeout=60)
    assert (answer.json()["targets"], answer.json()["taken"]) == (2, 1)
    assert [title for title, _ in receiver.messages] == ["Foliosync: test"]
    page = requests.get(f"{program.url}/settings", headers={"Accept": "text/html"}, timeout=60)
    said = program.end() + answer.text + page.text
    assert "canary" not in said
    kept = [path for path in program.folder.rglob("*") if path.is_file()]
    assert kept
    assert [path.name for path in kept if b"canary" in path.read_bytes()] == []


@pytest.mark.browser
def test_the_button_says_in_a_sentence_what_happened(program, receiver, chromium):
    context = chromium.new_context(base_url=program.url)
    page = context.new_page()
    page.goto("/settings")
    accessible(page)
    page.get_by_role("button", name="Send a test message").click()
    status = page.get_by_role("status")
    assert "1 of 2 targets took the test message." in status.inner_text()
    assert "canary" not in page.content()
    assert len(receiver.messages) == 1
    context.close()
