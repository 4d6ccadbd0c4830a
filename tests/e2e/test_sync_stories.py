"""What a person lives through with syncs, in a real browser against real processes."""

from __future__ import annotations

import re

import pytest
import requests

from tests.e2e.conftest import accessible
from tests.e2e.test_five_steps import connect, make_account

pytestmark = pytest.mark.browser
MAIN = "U1234567"


def linked(page, house):
    make_account(page)
    connect(page, house)
    page.get_by_role("heading", name="Holdings · 230").wait_for()


def sync(page):
    page.get_by_role("button", name="Sync", exact=True).click()


def card(page):
    return page.locator("#connection-card")


def synced(page):
    """The sync that was under way is over, and its total agrees."""
    card(page).get_by_text("(holdings and cash)").wait_for()
    page.get_by_text("agrees with IBKR").wait_for()


def open_account(page):
    page.goto("/portfolio/1/accounts/IBKR%20Main")


def test_a_doubtful_answer_is_looked_at_applied_and_taken_back(page, house):
    linked(page, house)
    house.control("play", scenario="empty-positions")
    sync(page)
    page.get_by_role("link", name="Look at the sync").wait_for()
    assert page.get_by_role("heading", name="Holdings · 230").is_visible()
    accessible(page)
    page.get_by_role("link", name="Look at the sync").click()
    page.get_by_role("heading", name="What it would have done").wait_for()
    accessible(page)
    page.get_by_role("button", name="Apply anyway").click()
    page.get_by_text("Nothing is held here now").wait_for()
    page.get_by_role("link", name="History").click()
    page.get_by_text("applied anyway, decided by owner").wait_for()
    accessible(page)
    page.locator(".list a").first.click()
    page.get_by_role("button", name="Undo this sync").click()
    page.get_by_role("heading", name="Holdings · 230").wait_for()
    page.get_by_text("automatic sync paused").wait_for()
    accessible(page)
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Resume").wait_for(state="detached")
    house.control("play", scenario="calm")
    sync(page)
    synced(page)


def test_a_sale_and_a_liquidation_go_through_by_themselves(page, house):
    linked(page, house)
    house.control("sell", account=MAIN, symbol="AAPL")
    sync(page)
    page.get_by_text("1 no longer held").wait_for()
    page.get_by_role("link", name="History").click()
    page.locator(".list a").first.click()
    row = page.get_by_role("row").filter(has_text="AAPL")
    assert "no longer held" in row.inner_text()
    open_account(page)
    house.control("play", scenario="liquidated")
    sync(page)
    page.get_by_text("Nothing is held here now").wait_for()
    accessible(page)


def test_a_penalty_is_waited_for_and_the_page_says_until_when(page, house):
    linked(page, house)
    house.control("play", scenario="rate-limited")
    sync(page)
    card(page).get_by_text(re.compile("waiting until")).wait_for()
    asked = house.facts()["requests"]
    sync(page)
    page.wait_for_load_state("networkidle")
    assert house.facts()["requests"] == asked
    page.get_by_role("link", name="Connections").click()
    page.get_by_text("asked for silence").first.wait_for()
    accessible(page)


def test_another_certificate_stops_all_until_it_is_accepted(page, house):
    linked(page, house)
    house.control("play", scenario="certificate-changed")
    sync(page)
    card(page).get_by_text("another certificate").first.wait_for()
    page.get_by_role("link", name="Look at the certificate").click()
    accessible(page)
    page.get_by_role("button", name=re.compile("Accept")).click()
    open_account(page)
    sync(page)
    synced(page)


def keep_by_hand(house):
    account = f"{house.app}/api/v1/portfolios/1/accounts/IBKR%20Main"
    body = {"symbol": "SPY", "kind": "etf", "currency": "USD", "quantity": "3", "price": "9"}
    done = requests.post(f"{account}/holdings", json={**body, "notes": "for Ada"}, timeout=10)
    assert done.status_code == 201
    cash = {"currency": "USD", "amount": "5"}
    assert requests.post(f"{account}/cash", json=cash, timeout=10).status_code == 201


def test_what_was_kept_by_hand_is_replaced_or_pointed_out(page, house):
    make_account(page)
    keep_by_hand(house)
    page.reload()
    connect(page, house)
    page.get_by_role("heading", name="What the first sync will do").wait_for()
    accessible(page)
    assert page.get_by_label("Replace 3 SPY, keep my notes").is_checked()
    page.get_by_label("Replace 5 USD cash").uncheck()
    page.get_by_role("button", name="Connect Account").click()
    page.get_by_role("heading", name="Possibly counted twice").wait_for()
    accessible(page)
    page.get_by_role("button", name=re.compile("Both count.*USD cash")).click()
    page.get_by_text("Both count from now on.").wait_for()
    assert page.get_by_role("heading", name="Possibly counted twice").count() == 0
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_text("Disconnect…").click()
    page.get_by_label("Close them: no longer held").check()
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_text("Nothing is held here.").wait_for()


def test_two_tabs_show_one_sync(page, house):
    linked(page, house)
    second = page.context.new_page()
    open_account(second)
    house.control("play", scenario="slow")
    sync(page)
    card(page).get_by_text("syncing").wait_for()
    second.reload()
    card(second).get_by_text("syncing").wait_for()
    account = f"{house.app}/portfolio/1/accounts/IBKR%20Main"
    same = requests.post(f"{account}/sync", timeout=60)
    assert same.status_code == 202
    house.control("play", scenario="calm")
    for tab in (page, second):
        synced(tab)
    runs = requests.get(f"{house.app}/api/v1/portfolios/1/accounts/IBKR%20Main/runs", timeout=10)
    assert [run["status"] for run in runs.json()["items"]] == ["succeeded", "succeeded"]


def test_undo_by_the_keyboard_and_without_javascript(chromium, page, house):
    linked(page, house)
    house.control("sell", account=MAIN, symbol="AAPL")
    sync(page)
    page.get_by_text("1 no longer held").wait_for()
    page.get_by_role("link", name="History").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Syncs").wait_for()
    page.locator(".list a").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo this sync").focus()
    page.keyboard.press("Enter")
    page.get_by_text("automatic sync paused").wait_for()
    plain = chromium.new_context(base_url=house.app, java_script_enabled=False)
    other = plain.new_page()
    open_account(other)
    other.get_by_role("button", name="Resume").click()
    other.get_by_text("Automatic sync goes on.").wait_for()
    open_account(other)
    sync(other)
    other.get_by_role("heading", name="Holdings · 229").wait_for()
    plain.close()
