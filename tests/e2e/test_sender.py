"""The sender with the real Apprise, a real process, and a real receiver on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

from portfolio.connections.allowed import KINDS, reason_against
from portfolio.errors import SetupProblem
from portfolio.notify import CHILD, deliver, sender
from tests.e2e.receiver import receiving
from tests.integration.test_cli import ROOT, run


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


def test_each_target_that_takes_it_counts(receiver):
    closed = "json://127.0.0.1:9/"
    send = sender([receiver.url(), closed, receiver.url(more="/second")])
    assert send("Title", "One line.\nAnother “line” & <b>more</b>.") == 2
    assert receiver.messages == [("Title", "One line.\nAnother “line” & <b>more</b>.")] * 2


def test_no_address_of_a_person_reaches_this_computer(receiver, monkeypatch):
    # A proxy would take the message there, and only the proxy would be seen.
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{receiver.port}")
    port = receiver.port
    addresses = [
        receiver.url(),
        f"ntfy://127.0.0.1:{port}/topic",
        f"gotify://localhost:{port}/v1/api/token-4711",
        f"ntfy://[::ffff:127.0.0.1]:{port}/topic",
        f"ntfy://0.0.0.0:{port}/topic",
        f"fcm://project/device?keyfile=http://127.0.0.1:{port}/key",
        f"mailto://me:secret@example.org?smtp=127.0.0.1:{port}&to=me@example.org",
    ]
    assert deliver(addresses[:1], "Title", "Text", [], 20) == 0
    assert deliver(addresses[1:], "Title", "Text", [], 20) == 0
    assert receiver.calls == 0
    assert sender([receiver.url()])("Title", "Text") == 1


def test_apprise_knows_each_kind_that_people_may_enter():
    code = "from apprise import Apprise\nfor each in Apprise().details()['schemas']:\n"
    code += "    print(*(each['protocols'] or ()), *(each['secure_protocols'] or ()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert set(done.stdout.split()) >= KINDS


def test_no_target_is_no_process(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    assert sender([])("Title", "Text") == 0


@pytest.mark.parametrize("status", [307, 401, 500])
def test_a_refusal_or_a_way_elsewhere_does_not_count(receiver, status):
    receiver.status = status
    assert sender([receiver.url()])("Title", "Text") == 0


def test_all_targets_together_have_one_deadline_and_what_was_sent_counts(receiver):
    with receiving() as slow:
        slow.gate.clear()
        send = sender([receiver.url(), slow.url(more="?rto=600")], deadline=5)
        before = time.monotonic()
        assert send("Title", "Text") == 1
        assert time.monotonic() - before < 30
    assert receiver.messages == [("Title", "Text")]


def test_an_address_that_is_not_understood_is_named_by_its_place_only(receiver):
    with pytest.raises(SetupProblem) as caught:
        sender([receiver.url(), "canary://canary-4711@127.0.0.1", "json://"])
    assert "address 2 and 3 of 3" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_an_apprise_that_does_not_start_is_said(monkeypatch):
    monkeypatch.setattr("portfolio.notify.CHILD", CHILD.with_name("absent.py"))
    with pytest.raises(SetupProblem, match="does not start"):
        sender(["ntfy://topic"])


def test_the_child_says_nothing_but_places_and_is_told_nothing_of_ours(receiver, monkeypatch):
    monkeypatch.setenv("FOLIOSYNC_NOTIFY_URLS", "canary-4711")
    seen = {}
    real = subprocess.run

    def watched(arguments, **given):
        done = real(arguments, **{**given, "stderr": subprocess.PIPE})
        seen.update(arguments=arguments, environ=given["env"], said=done.stdout + done.stderr)
        return done

    send = sender([receiver.url()])
    monkeypatch.setattr(subprocess, "run", watched)
    receiver.status = 500
    assert send("Title", "Text") == 0
    assert seen["said"] == b"0 0" + os.linesep.encode()
    assert not any("canary" in str(part) for part in seen["arguments"])
    assert not any("canary" in value for value in seen["environ"].values())


def test_the_program_does_not_import_apprise():
    code = "import sys, portfolio.app, portfolio.cli; assert 'apprise' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_wrong_address_ends_the_start_in_one_sentence(tmp_path):
    done = run("run", data=tmp_path, FOLIOSYNC_NOTIFY_URLS="canary://canary-4711@127.0.0.1")
    assert done.returncode == 1
    assert done.stderr.startswith("foliosync: FOLIOSYNC_NOTIFY_URLS: Apprise does not understand")
    assert "canary" not in done.stderr + done.stdout
    assert "\n" not in done.stderr.strip()


def test_every_address_in_the_documentation_is_understood():
    page = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
    urls = re.findall(r"[`\"]([a-z]+://[^`\"]+)[`\"]", page)
    assert len(urls) >= 6
    with pytest.raises(SetupProblem, match=f"address {len(urls) + 1} of"):
        sender([*urls, "canary://x"])
    for_people = [url for url in urls if not url.startswith("json")]
    assert [reason_against(url) for url in for_people] == [None] * len(for_people)
