"""The guide's five steps in a real browser, against real processes."""

from __future__ import annotations

import pytest
import requests

from tests.e2e.conftest import accessible, fits

pytestmark = pytest.mark.browser


def make_account(page):
    page.goto("/")
    page.get_by_role("link", name="Create a portfolio").click()
    page.get_by_label("Name").fill("Retirement")
    page.get_by_role("button", name="Create portfolio").click()
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Name").fill("IBKR Main")
    page.get_by_role("button", name="Create account").click()


def connect(page, house):
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_role("heading", name="External Connections").wait_for()
    page.get_by_role("button", name="Connect to IBKR").click()
    page.get_by_text("Not authenticated with IBKR").wait_for()
    house.control("sign-in")
    page.get_by_role("button", name="Connect to IBKR").click()
    page.get_by_label("IBKR account").select_option("U1234567")
    page.get_by_label("Secondary username").fill("jdoe-api")
    page.get_by_role("button", name="Connect Account").click()


def test_the_five_steps_then_a_sale_then_disconnect(page, house):
    page.goto("/")
    accessible(page)
    make_account(page)
    connect(page, house)
    page.get_by_role("heading", name="Holdings · 230").wait_for()
    accessible(page)
    page.get_by_role("link", name="Next").click()
    page.get_by_text("page 2 of 5").wait_for()

    house.control("sell", account="U1234567", symbol="VWCE")
    page.get_by_role("button", name="Sync").click()
    page.get_by_role("heading", name="Holdings · 229").wait_for()
    page.get_by_text("1 no longer held").wait_for()

    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Secondary username").fill("jdoe-2")
    page.get_by_role("button", name="Save username").click()
    page.get_by_text("· jdoe-2").wait_for()
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("Connected to Interactive Brokers").wait_for()
    accessible(page)
    page.get_by_text("Disconnect…").click()
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_text("Kept by hand", exact=True).wait_for()
    assert page.get_by_role("heading", name="Holdings · 229").is_visible()


def test_the_five_steps_without_javascript(chromium, house):
    context = chromium.new_context(base_url=house.app, java_script_enabled=False)
    context.set_default_timeout(30_000)
    page = context.new_page()
    make_account(page)
    connect(page, house)
    page.get_by_role("heading", name="Holdings · 230").wait_for()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("Connected to Interactive Brokers").wait_for()
    page.go_back()
    page.get_by_text("Disconnect…").click()
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_text("Kept by hand", exact=True).wait_for()
    context.close()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_chosen_gateway_is_the_one_that_is_tested(chromium, house, javascript):
    context = chromium.new_context(base_url=house.app, java_script_enabled=javascript)
    context.set_default_timeout(30_000)
    page = context.new_page()
    make_account(page)
    nowhere = "https://localhost:9"
    requests.post(f"{house.app}/api/v1/gateways", json={"url": nowhere}, timeout=10)
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Gateway", exact=True).select_option(nowhere)
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text(f"nothing listens at {nowhere}").first.wait_for()
    context.close()


def test_a_narrow_screen_never_scrolls_sideways(page, house):
    page.set_viewport_size({"width": 360, "height": 740})
    make_account(page)
    connect(page, house)
    page.get_by_role("heading", name="Holdings · 230").wait_for()
    for width in (320, 700, 768, 800, 900, 1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        fits(page)
    menu = page.get_by_role("navigation", name="Main").get_by_role("link").all()
    assert len({link.bounding_box()["y"] for link in menu}) == 1
    accessible(page)
    for link in ("History", "Edit"):
        page.get_by_role("link", name=link, exact=True).first.click()
        page.wait_for_load_state()
        mark, name = page.locator(".strip > .mark").first, page.locator(".strip strong").first
        places = [of.bounding_box() for of in (mark, name)]
        middles = [place["y"] + place["height"] / 2 for place in places]
        assert abs(middles[0] - middles[1]) < 4, link
        page.go_back()


def test_a_lost_sign_in_is_said_and_the_holdings_stay(page, house):
    make_account(page)
    connect(page, house)
    page.get_by_role("heading", name="Holdings · 230").wait_for()
    house.control("sign-out")
    page.get_by_role("button", name="Sync").click()
    page.get_by_text("Not authenticated with IBKR").wait_for()
    page.get_by_role("link", name="Sign in at the gateway").wait_for()
    assert page.get_by_role("heading", name="Holdings · 230").is_visible()
    accessible(page)
