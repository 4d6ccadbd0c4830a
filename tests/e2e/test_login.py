"""The first user and a second step, in a real browser and with real servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import requests
from pyotp import TOTP

from tests.e2e.conftest import accessible, answers, wait_until
from tests.e2e.test_gunicorn import gunicorn

NAME, PASSWORD = "Anna", "correct horse battery"


@pytest.fixture
def door(tmp_path, free_port):
    """The application with logins, and the code that it prints at its first start."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    environ |= {"FOLIOSYNC_DATA_DIR": str(tmp_path / "data"), "FOLIOSYNC_JOBS": "off"}
    command = [sys.executable, "-u", "-m", "portfolio.cli", "run", "--port", str(free_port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environ | {"FOLIOSYNC_AUTH": "password"}
    ) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        (code,) = [line.split()[-1] for line in lines if "code" in line]
        try:
            yield f"http://127.0.0.1:{free_port}", code
        finally:
            process.terminate()


@pytest.fixture
def phone(chromium, door):
    context = chromium.new_context(base_url=door[0], viewport={"width": 360, "height": 740})
    page, refused = context.new_page(), []
    page.on("console", lambda of: refused.append(of.text) if "Security Policy" in of.text else 0)
    yield page
    context.close()
    assert refused == []


def typed(page, *texts):
    """Type into one field after the other, from where the focus is, and press Enter."""
    for number, each in enumerate(texts):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(each)
    page.keyboard.press("Enter")


def looked_at(page):
    """Nothing that axe finds fault with, and nothing wider than the screen."""
    accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def at(page, label):
    page.get_by_label(label, exact=True).focus()


@pytest.mark.browser
def test_from_the_first_start_to_a_login_with_a_second_step(phone, door):
    page = phone
    page.goto("/rates")
    page.get_by_role("link", name="enter the code of the first start").press("Enter")
    looked_at(page)
    at(page, "Code of the first start")
    typed(page, door[1], NAME, PASSWORD)
    page.get_by_text("You are signed in.").wait_for()
    page.get_by_role("link", name=NAME).press("Enter")
    page.get_by_role("heading", name="Your account").wait_for()
    looked_at(page)
    page.locator("#f-totp").focus()
    typed(page, PASSWORD)
    page.get_by_alt_text("QR code of the key below").wait_for()
    looked_at(page)
    app = TOTP(page.locator(".prints code").inner_text().replace(" ", ""))
    at(page, "Code of your app")
    typed(page, app.now())
    page.get_by_role("heading", name="Recovery codes").wait_for()
    assert page.locator(".codes li").count() == 10
    looked_at(page)
    page.get_by_role("button", name="Sign out").press("Enter")
    page.get_by_text("You are signed out.").wait_for()
    looked_at(page)
    page.goto("/rates")
    at(page, "User name")
    typed(page, NAME, PASSWORD)
    page.get_by_role("heading", name="Second step").wait_for()
    looked_at(page)
    at(page, "Code of your app")
    # The one that turned it on counts no more; that of the next step does already.
    typed(page, app.at(datetime.now(UTC) + timedelta(seconds=30)))
    page.get_by_role("heading", name="Exchange rates").wait_for()
    assert page.url.endswith("/rates")


def form_of(visitor, url):
    return re.search(r'name="form_token" value="([^"]+)"', visitor.get(url).text)[1]


def test_two_workers_of_gunicorn_know_the_same_logins(tmp_path, free_port):
    log, base = tmp_path / "log", f"http://127.0.0.1:{free_port}"
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path / "data"), "FOLIOSYNC_PORT": str(free_port)}
    environ |= {"FOLIOSYNC_AUTH": "password", "FOLIOSYNC_JOBS": "off"}
    with gunicorn("--workers", "2", "wsgi:app", log=log, **environ), requests.Session() as anna:
        wait_until(lambda: answers(f"{base}/readyz"))
        (code,) = re.findall(r"within an hour: (\S+)", log.read_text("utf-8"))
        anna.headers.update({"Accept": "text/html", "Origin": base})
        form = {"form_token": form_of(anna, f"{base}/login/first"), "code": code}
        form |= {"name": NAME, "password": PASSWORD}
        assert anna.post(f"{base}/login/first", data=form).status_code == 200
        # Each connection may go to either worker.
        anna.headers["Connection"] = "close"
        assert {anna.get(f"{base}/rates").url for _ in range(12)} == {f"{base}/rates"}
        kept = anna.cookies.copy()
        anna.post(f"{base}/logout", data={"form_token": form_of(anna, f"{base}/rates")})
        anna.cookies = kept
        seen = {anna.get(f"{base}/rates").url for _ in range(12)}
    assert seen == {f"{base}/login?next=/rates"}
