"""Names that the broker's data bring are only text: on every page, in messages and files."""

from __future__ import annotations

import csv
import io
from collections import Counter
from urllib.parse import urlsplit

import pytest
import requests

from brokers.ibkr.simulator.oddities import HOSTILE
from tests.e2e.conftest import fits

pytestmark = pytest.mark.browser
PORTFOLIOS = "/api/v1/portfolios"
LINKED = "/portfolio/1/accounts/~1"
# What a page may ask for by itself, beside where it is sent.
OURS = ("/static/", "/favicon.ico")
# What these lead to is kept, not shown.
FILES = ("export.csv", "export.json", "/api/openapi", "/settings/diagnostics")
WATCH = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (of) => window.reports.push(of.blockedURI));
"""
ODD = """() => [...document.querySelectorAll("*")].filter((of) =>
  ["IMG", "IFRAME", "OBJECT", "EMBED", "BASE", "STYLE"].includes(of.tagName)
  || (of.tagName === "SCRIPT" && !of.src.startsWith(location.origin + "/static/"))
  || [...of.attributes].some((each) =>
    each.name.startsWith("on") || /^javascript:/i.test(each.value))
).map((of) => of.outerHTML)"""


class Witness:
    """Notes everything that a page should not do."""

    def __init__(self, page, home):
        self.page, self.home, self.wrong, self.asked = page, home, [], []
        page.add_init_script(WATCH)
        page.on("dialog", self._dialog)
        page.on("pageerror", lambda error: self.wrong.append(f"error {error}"))
        page.on("console", self._console)
        page.on("request", lambda request: self.asked.append(request))
        page.on("popup", lambda popup: self.wrong.append(f"popup {popup.url}"))

    def _dialog(self, dialog):
        self.wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _console(self, message):
        # The answer of a page that is not there is told, too.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.wrong.append(f"console {message.text}")

    def look(self, path):
        """Open a page and let everything on it be touched that reacts to that."""
        self.asked.clear()
        self.page.goto(path)
        self.page.wait_for_load_state("networkidle")
        self.check(path)
        for width in (1280, 768, 360):
            self.page.set_viewport_size({"width": width, "height": 800})
            fits(self.page)
        return self.page.content()

    def check(self, path):
        """Nothing happened but what this page is for."""
        strays = [of.url for of in self.asked if self._is_stray(of)]
        assert (self.wrong, strays) == ([], []), path
        assert self.page.evaluate("window.reports") == [], path
        assert self.page.evaluate(ODD) == [], path

    def _is_stray(self, request):
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" != self.home:
            return True
        return request.resource_type != "document" and not parts.path.startswith(OURS)


def furnish(house):
    """An account that was kept by hand and is linked, with a sync that changed something."""
    call = requests.Session()

    def post(path, status=201, **body):
        answer = call.post(f"{house.app}{path}", json=body, timeout=90)
        assert answer.status_code == status, answer.text
        return answer.json()

    post(PORTFOLIOS, name=HOSTILE[0], base_currency="USD")
    for name in (HOSTILE[1], "Mine"):
        post(f"{PORTFOLIOS}/1/accounts", name=name, currency="USD", notes=HOSTILE[5])
    held = {"kind": "stock", "currency": "USD", "quantity": "1", "price": "2"}
    for symbol in HOSTILE[:20]:
        if symbol.isprintable():
            post(f"{PORTFOLIOS}/1/accounts/Mine/holdings", symbol=symbol, notes=symbol, **held)
    house.control("sign-in")
    house.control("play", scenario="hostile-names")
    post(f"{LINKED}/connect/ibkr", account_id="U1234567", username=HOSTILE[4])
    post(f"{LINKED}/sync", 200)
    house.control("sell", account="U1234567", symbol="SPY")
    post(f"{LINKED}/sync", 200)


def links(page, home):
    """The pages of ours that a page leads to."""
    found = page.evaluate("[...document.querySelectorAll('a[href]')].map((of) => of.href)")
    return [of.removeprefix(home).partition("#")[0] for of in found if of.startswith(f"{home}/")]


def visit_everything(witness, home):
    """Every page that links lead to; of many holdings the first few."""
    waiting, seen, kinds = ["/"], {}, Counter()
    while waiting:
        path = waiting.pop(0)
        if path in seen or any(of in path for of in FILES):
            continue
        kind = "/".join("#" if part.isdigit() else part for part in path.split("?")[0].split("/"))
        kinds[kind] += 1
        if kinds[kind] <= 6:
            seen[path] = witness.look(path)
            waiting += links(witness.page, home)
    return seen


@pytest.mark.parametrize(
    "bad",
    [
        '<img src="https://hostile.example/x">',
        '<p onclick="alert(1)">x</p>',
        '<a href="javascript:alert(1)">x</a>',
        "<link rel=stylesheet href=//hostile.example/x>",
    ],
)
def test_the_witness_sees_what_must_not_be(chromium, house, bad):
    context = chromium.new_context(base_url=house.app)
    witness = Witness(context.new_page(), house.app)
    witness.look("/")
    witness.page.evaluate("(bad) => document.body.insertAdjacentHTML('beforeend', bad)", bad)
    if "hostile" in bad:
        witness.page.wait_for_function("window.reports.length > 0")
    with pytest.raises(AssertionError):
        witness.check("/")
    context.close()


def test_hostile_names_are_text_everywhere(page, house):
    furnish(house)
    witness = Witness(page, house.app)
    seen = visit_everything(witness, house.app)
    kinds = ("/syncs/", "/connections", "/holdings/", "/edit", "/settings", "/rates", "/api")
    for part in kinds:
        assert any(part in path for path in seen), part
    # They are there, and as text: in the table, in what a sync changed, and as who is signed in.
    linked = "".join(of for path, of in seen.items() if path.startswith(f"{LINKED}?"))
    for name in ("&lt;img src=x onerror=alert(1)&gt;", "&lt;i hx-get=", "{{ 7*7 }}", "＝1+1"):
        assert name in linked + seen[LINKED], name
    changed = "".join(of for path, of in seen.items() if path.startswith(f"{LINKED}/syncs/"))
    assert "onerror=alert(1)&gt;" in changed
    assert '"&gt;&lt;script&gt;alert(2)&lt;/script&gt;' in seen["/connections"]
    for path in [of for of in seen if of.endswith("/edit") and "/accounts/" in of][:2]:
        ask_and_test(witness, path)
    preview(witness, house)


def ask_and_test(witness, path):
    """The choices of accounts with their titles, and who is signed in."""
    page = witness.page
    witness.look(path)
    if page.get_by_role("button", name="Connect to IBKR").count():
        page.get_by_role("button", name="Connect to IBKR").click()
        page.get_by_label("IBKR account").wait_for()
        assert HOSTILE[0] in page.get_by_label("IBKR account").inner_text()
    page.get_by_role("button", name="Test connection").first.click()
    page.get_by_text("Connected to Interactive Brokers").wait_for()
    witness.asked.clear()
    witness.check(path)


def preview(witness, house):
    """The preview of a first sync, the first sync, and the message of a holding."""
    page, mine = witness.page, "/portfolio/1/accounts/Mine"
    witness.look(f"{mine}/edit")
    page.get_by_role("button", name="Connect to IBKR").click()
    page.get_by_label("IBKR account").select_option("U7654321")
    page.get_by_role("button", name="Connect Account").click()
    page.get_by_role("heading", name="What the first sync will do").wait_for()
    witness.asked.clear()
    witness.check("the preview")
    witness.look(f"{mine}/holdings/1")
    page.get_by_role("button", name="Save").click()
    page.get_by_text(f"{HOSTILE[0]} was saved.").wait_for()
    page.wait_for_load_state("networkidle")
    witness.asked.clear()
    witness.check("the message")
    file = requests.get(f"{house.app}{LINKED}/export.csv", timeout=60)
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    cells = [cell for row in rows[1:] for cell in row]
    dangerous = ("=", "@", "+", "＝", "\t", "\r")
    assert [cell for cell in cells if cell.lstrip(' "').startswith(dangerous)] == []
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    assert any(cell.startswith("'＝1+1") for cell in cells)
