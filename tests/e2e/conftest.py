"""The application and the gateway simulator as real processes on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

PATIENCE = 60
AXE = Path(__file__).parent.parent / "vendor" / "axe.min.js"
# In cards: the boxes beyond an edge, the tables that move sideways, and the broken figures.
LAID_OUT = """() => {
  const beyond = [], moving = [], broken = [], name = (of) => `${of.tagName} ${of.className}`;
  const wide = (of) => of.scrollWidth > of.clientWidth;
  const moves = (of) => wide(of) && getComputedStyle(of).overflowX === "auto";
  for (const card of document.querySelectorAll(".card")) {
    const edge = card.getBoundingClientRect();
    for (const of of [card, ...card.querySelectorAll("*")]) {
      const box = of.getBoundingClientRect(), head = of.closest("thead");
      if (!box.width || of.closest(".hidden, option")) continue;
      if (head && getComputedStyle(head).position === "absolute") continue;
      if (moves(of)) moving.push(name(of.querySelector("table") || of));
      let inside = of;
      while (inside !== card && !moves(inside.parentElement)) inside = inside.parentElement;
      if (inside === card && (box.right > edge.right + 1 || box.left < edge.left - 1))
        beyond.push(`${name(of)} ${Math.round(box.right - edge.right)}`);
      if (!of.matches("td, td *, dd, dd *")) continue;
      for (const text of of.childNodes) {
        if (text.nodeType !== 3 || !/^\\s*[+−]?[\\d,.]+\\s*$/.test(text.data)) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        const lines = [...range.getClientRects()].filter((of) => of.width).map((of) => of.top);
        if (new Set(lines).size > 1) broken.push(text.data);
      }
    }
  }
  return {beyond, moving, broken, page: document.documentElement.scrollWidth > innerWidth};
}"""


@dataclass
class House:
    """Where the application and the simulated gateway are."""

    app: str
    gateway: str

    def control(self, action: str, **values: str) -> None:
        """Do something at the simulator's control page."""
        with urllib3.warnings.catch_warnings():
            urllib3.disable_warnings()
            # The simulator's certificate is self-signed and made for this run.
            answer = requests.post(
                f"{self.gateway}/simulator/{action}", data=values, verify=False, timeout=10
            )
        assert answer.status_code == 200, answer.text

    def facts(self) -> dict[str, Any]:
        """What the simulator says of itself."""
        with urllib3.warnings.catch_warnings():
            urllib3.disable_warnings()
            return requests.get(
                f"{self.gateway}/simulator/state.json", verify=False, timeout=10
            ).json()


@pytest.fixture
def house(tmp_path: Path, free_port: int) -> Iterator[House]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    environ |= {"FOLIOSYNC_DATA_DIR": str(tmp_path / "data"), "FOLIOSYNC_TIMEZONE": "UTC"}
    gateway = subprocess.Popen(
        [sys.executable, "-m", "brokers.ibkr.simulator", "--port", "0", "--signed-out"],
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    )
    line = gateway.stdout.readline()
    address = next(word.strip(";") for word in line.split() if word.startswith("https://"))
    environ["FOLIOSYNC_IBKR_GATEWAY_URL"] = address
    # These stories press every button themselves; the jobs have tests of their own.
    environ["FOLIOSYNC_JOBS"] = "off"
    app = subprocess.Popen(
        [sys.executable, "-m", "portfolio.cli", "run", "--port", str(free_port)], env=environ
    )
    url = f"http://127.0.0.1:{free_port}"
    try:
        wait_until(lambda: answers(f"{url}/readyz"))
        found = House(app=url, gateway=address)
        yield found
        assert found.facts()["trips"] == []
    finally:
        for process in (app, gateway):
            process.terminate()
        for process in (app, gateway):
            process.wait(20)
        gateway.stdout.close()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return json.load(response)["status"] == "ok"
    except OSError:
        return False


def proxies_count(base: str, number: int) -> None:
    """The server passes on what proxies say, and exactly `number` of them are believed."""
    forwarded = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "folio.example",
    }
    answer = requests.get(f"{base}/healthz?token=canary", headers=forwarded, timeout=10)
    assert answer.status_code == 200, answer.text
    assert ("Strict-Transport-Security" in answer.headers) == (number == 1)
    # A program of this computer may look; one beyond a proxy of this computer may not.
    assert requests.get(f"{base}/metrics", timeout=10).status_code == 200
    assert requests.get(f"{base}/metrics", headers=forwarded, timeout=10).status_code == 404


def wait_until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def page(chromium: Any, house: House) -> Iterator[Any]:
    """A page of a browser that reports every refusal of the content policy."""
    context = chromium.new_context(base_url=house.app)
    context.set_default_timeout(30_000)
    found = context.new_page()
    problems = []
    found.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    found.on("pageerror", lambda error: problems.append(str(error)))
    yield found
    context.close()
    refused = [text for text in problems if "Content Security Policy" in text]
    assert refused == []


def fits(page: Any, *, sideways: bool = False) -> None:
    """Nothing is wider than its card, and figures are whole; tables that may be move in it."""
    found = page.evaluate(LAID_OUT)
    if sideways:
        found["moving"] = []
    where = (page.url, page.viewport_size["width"])
    assert found == {"beyond": [], "moving": [], "broken": [], "page": False}, where


def accessible(page: Any) -> None:
    """Nothing that axe finds fault with."""
    if not AXE.exists():
        pytest.skip("axe is not built: run python -m portfolio.frontend")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == []
