"""Portfolios kept by hand in a real browser: by mouse, by keyboard, without JavaScript."""

from __future__ import annotations

import pytest
import requests

from brokers.ibkr.simulator.oddities import HOSTILE
from tests.e2e.conftest import accessible, fits

pytestmark = pytest.mark.browser
FILE = "symbol,kind,currency,quantity,price,underlying\n" + "".join(
    f"S{n:02},stock,EUR,{n + 1},2,{'' if n % 2 else 'ROOT'}\n" for n in range(60)
)
URL = "/portfolio/1/accounts/Bank"
PAGES = (
    *("/", "/portfolio/1", URL, f"{URL}?group=underlying", f"{URL}/edit", f"{URL}/delete"),
    *(
        f"{URL}/holdings/new",
        f"{URL}/cash/new",
        f"{URL}/import",
        f"{URL}/values",
        "/rates",
        "/api",
    ),
    *("/portfolio/1/edit", "/portfolio/1/delete", "/portfolio/new", "/settings", "/nothing"),
)


@pytest.fixture
def bank(house):
    base = f"{house.app}/api/v1/portfolios"

    def post(path, **body):
        answer = requests.post(f"{base}{path}", json=body, timeout=30)
        assert answer.status_code in (200, 201), answer.text

    post("", name="Retirement", base_currency="EUR")
    post("/1/accounts", name="Bank", currency="EUR")
    post("/1/accounts/Bank/import", csv=FILE, apply=True)
    option = {"symbol": "C200", "kind": "option", "currency": "USD", "quantity": "-4"}
    terms = {"multiplier": "100", "price": "25.3", "expiry": "2026-12-01", "underlying": "ROOT"}
    post("/1/accounts/Bank/holdings", **option, **terms)
    post("/1/accounts/Bank/cash", currency="EUR", amount="-12.50")
    return house


def test_every_page_is_accessible_and_fits_a_phone(page, bank):
    for path in PAGES:
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(path)
            fits(page)
            accessible(page)
        for width in (800, 768, 320):
            page.set_viewport_size({"width": width, "height": 800})
            fits(page)
    page.emulate_media(color_scheme="dark")
    for path in PAGES:
        page.goto(path)
        accessible(page)


def test_nothing_is_wider_than_its_card_whatever_it_is_called(page, bank):
    held = {"kind": "etf", "currency": "EUR", "average_price": "1.2345", "price": "141.5"}
    fund = "Vanguard FTSE All-World UCITS ETF USD Accumulating"
    things = [("T12345678.1234", fund, "12345678.1234")]
    things += [(of[:64], of[:200], "2.5") for of in HOSTILE if of.isprintable()]
    base = f"{bank.app}/api/v1/portfolios/1/accounts"
    requests.post(base, json={"name": "Long", "currency": "EUR"}, timeout=30)
    for symbol, name, quantity in things:
        body = {"symbol": symbol, "name": name, "quantity": quantity, **held}
        answer = requests.post(f"{base}/Long/holdings", json=body, timeout=30)
        assert answer.status_code == 201, answer.text
    for amount in (
        {"currency": "EUR", "amount": "1234567890.12"},
        {"currency": "JPY", "amount": "-1"},
    ):
        requests.post(f"{base}/Long/cash", json=amount, timeout=30)
    long = URL.replace("Bank", "Long")
    for path in ("/", "/portfolio/1", long, f"{long}?group=underlying", f"{long}/values"):
        page.goto(path)
        for width in (1600, 1280, 1000, 800, 768, 701, 360, 320):
            page.set_viewport_size({"width": width, "height": 800})
            # Nine long figures have no room on a tablet.
            fits(page, sideways=700 < width < 1280)
    page.set_viewport_size({"width": 768, "height": 800})
    page.goto(f"{long}?text={fund[:8]}")
    for bar in page.locator(".c-bar svg").all():
        assert bar.bounding_box()["width"] > 40
    page.set_viewport_size({"width": 360, "height": 800})
    # The name has its place beside the quantity: it stood there letter by letter.
    assert page.locator(".holdings small").bounding_box()["width"] > 80
    assert page.locator(".holdings tbody tr").bounding_box()["height"] < 160


def test_on_a_phone_figures_stand_in_two_columns(page, bank):
    page.goto(URL)
    for width in (360, 361, 375, 390, 413, 700):
        page.set_viewport_size({"width": width, "height": 740})
        boxes = [of.bounding_box() for of in page.locator(".figures > div:not(.large)").all()]
        assert len(boxes) == 4
        assert [boxes[0]["x"], boxes[1]["x"]] == [boxes[2]["x"], boxes[3]["x"]]
        assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"] == boxes[3]["y"]
    page.set_viewport_size({"width": 1280, "height": 740})
    places = page.locator(".figures > div").all()
    assert len({of.bounding_box()["y"] for of in places}) == 1


def test_the_button_that_chooses_a_file_looks_like_the_others(page, bank):
    looks = "(of, part) => { const s = getComputedStyle(of, part); return %s; }"
    looks %= "[s.backgroundColor, s.color, s.borderTopColor, s.borderTopLeftRadius, s.fontSize]"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{URL}/import")
        file = page.get_by_label("File").evaluate(looks, "::file-selector-button")
        assert file == page.get_by_role("link", name="Cancel").evaluate(looks)
        # Its lower edge was cut off.
        assert page.get_by_label("File").evaluate("of => of.scrollHeight <= of.clientHeight")


def test_what_is_said_beside_a_box_stands_below_itself_and_fields_stand_apart(page, bank):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/settings/tokens")
    lefts = """of => { const range = document.createRange();
      range.selectNodeContents(of.lastChild);
      const words = [...range.getClientRects()].slice(1).map((line) => line.left);
      return [of.querySelector("strong").getBoundingClientRect().left, ...words]; }"""
    first, *further = page.locator("label", has_text="change portfolios").evaluate(lefts)
    assert further
    assert all(abs(left - first) < 1 for left in further)
    apart = "(of) => of.getBoundingClientRect().top"
    heading = page.get_by_role("heading", name="Make a token").bounding_box()
    label = page.locator("label[for=f-name]").evaluate(apart)
    assert label - heading["y"] - heading["height"] > 5
    page.goto(f"{URL}/holdings/new")
    more = page.locator("form details").bounding_box()
    assert page.locator("label[for=f-notes]").evaluate(apart) - more["y"] - more["height"] > 5


def test_on_a_phone_rows_have_their_quantity_and_an_order(page, bank):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{URL}?text=S5&sort=-cost")
    order = page.get_by_role("combobox", name="Order")
    assert order.input_value() == "-cost"
    order.select_option("A to Z")
    page.wait_for_url("**sort=symbol**")
    row = page.locator(".holdings tbody tr").first
    row.get_by_role("link", name="S50").wait_for()
    assert row.get_by_text("51", exact=True).is_visible()
    # The underlying groups are no rows of their own with a quantity.
    page.goto(f"{URL}?group=underlying&text=ROOT")
    group = page.locator(".holdings .group").first
    assert not group.locator("td").first.is_visible()
    page.set_viewport_size({"width": 1280, "height": 740})
    assert not order.is_visible()


def test_the_table_is_filtered_and_sorted_in_the_url(page, bank):
    page.goto(URL)
    # Symbols stand out; the headings of their columns do not.
    for links, weight in ((".holdings thead a", "400"), (".holdings tbody th a", "650")):
        link = page.locator(links).first
        assert link.evaluate("of => getComputedStyle(of).fontWeight") == weight
    page.get_by_role("searchbox", name="Filter holdings").fill("s1")
    page.get_by_role("heading", name="Holdings · 10 found").wait_for()
    assert "text=s1" in page.url
    page.get_by_role("link", name="Quantity").click()
    page.get_by_role("columnheader", name="Quantity").and_(page.locator("[aria-sort]")).wait_for()
    assert "text=s1" in page.url
    page.reload()
    page.get_by_role("heading", name="Holdings · 10 found").wait_for()
    assert page.get_by_role("searchbox", name="Filter holdings").input_value() == "s1"
    page.go_back()
    # The page is read again then; a second step back on the way would cut that off.
    page.get_by_role("columnheader", name="Quantity").and_(
        page.locator(":not([aria-sort])")
    ).wait_for()
    page.wait_for_load_state()
    page.go_back()
    page.get_by_role("heading", name="Holdings · 61").wait_for()
    page.get_by_label("by underlying").check()
    page.get_by_text("31 positions").wait_for()
    assert "group=underlying" in page.url


def add_holding(page):
    page.get_by_role("link", name="Add holding").click()
    page.get_by_label("Symbol").fill("VWCE")
    page.get_by_label("Kind").select_option("etf")
    page.get_by_label("Quantity").fill("12.5")
    page.get_by_label("Average price").fill("98,10")
    page.get_by_role("button", name="Add").click()
    page.get_by_text("no thousands separators").wait_for()
    assert page.get_by_label("Symbol").input_value() == "VWCE"
    page.get_by_label("Average price").fill("98.10")
    page.locator("#f-price").fill("101")
    page.get_by_role("button", name="Add").click()
    page.get_by_text("VWCE was added.").wait_for()


def change_and_remove(page):
    page.goto(f"{URL}?text=vwce")
    page.get_by_role("link", name="VWCE").click()
    page.get_by_label("Quantity").fill("13")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("VWCE was saved.").wait_for()
    page.goto(f"{URL}?text=vwce")
    page.get_by_text("1,313.00").first.wait_for()
    page.get_by_role("link", name="VWCE").click()
    page.get_by_text("Remove…").click()
    page.get_by_role("button", name="Remove VWCE").click()
    page.get_by_text("VWCE is no longer held.").wait_for()


def test_a_holding_is_added_changed_and_removed(page, bank):
    page.goto(URL)
    add_holding(page)
    page.get_by_role("link", name="Add holding").click()
    page.get_by_label("Symbol").press_sequentially("VW")
    page.get_by_role("link", name="VWCE").click()
    page.wait_for_url("**instrument=*")
    assert page.get_by_label("Kind").input_value() == "etf"
    change_and_remove(page)


def test_all_of_it_without_javascript(chromium, bank, tmp_path):
    context = chromium.new_context(base_url=bank.app, java_script_enabled=False)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(URL)
    add_holding(page)
    change_and_remove(page)
    file = tmp_path / "more.csv"
    file.write_text("symbol,kind,currency,quantity\nNEW,etf,EUR,7\nBAD,etf,EUR,x\n", "utf-8")
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("“x” is not a number.").wait_for()
    page.get_by_role("button", name="Import 1 line, leave out 1").click()
    page.get_by_text("Imported: 1 added; 1 left out.").wait_for()
    page.get_by_role("link", name="Value").click()
    page.get_by_role("link", name="Next").click()
    page.get_by_text("page 2 of 2").wait_for()
    context.close()


def test_the_keyboard_alone_is_enough(page, bank):
    page.goto(URL)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate("document.activeElement.innerText || document.activeElement.name")
        )
        if seen[-1] == "Add holding":
            break
    page.keyboard.press("Enter")
    page.get_by_label("Symbol").wait_for()
    page.get_by_label("Symbol").focus()
    page.keyboard.type("KEY")
    page.get_by_label("Quantity").focus()
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    page.get_by_text("KEY was added.").wait_for()


def test_the_page_is_whole_at_twice_the_size_and_on_paper(page, bank):
    page.set_viewport_size({"width": 640, "height": 400})
    page.goto(URL)
    fits(page)
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="Holdings · 61").is_visible()
    assert not page.get_by_role("link", name="Add holding").is_visible()
