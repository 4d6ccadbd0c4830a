"""The reference rates of the European Central Bank, by one button."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from portfolio.errors import RatesUnavailable

DAILY = (Path(__file__).parent.parent / "data" / "ecb" / "daily.xml").read_bytes()


@pytest.fixture
def bank(desk):
    sent = {"body": DAILY}

    def fetch():
        if sent["body"] is None:
            raise RatesUnavailable("The European Central Bank could not be reached.")
        return sent["body"]

    runtime = desk.app.extensions["foliosync"]
    desk.app.extensions["foliosync"] = replace(runtime, fetch_rates=fetch)
    return desk, sent


def test_one_button_brings_them_and_a_second_time_changes_nothing(bank):
    desk, _ = bank
    assert desk.program.post("/api/v1/rates/ecb").json == {"changed": 4}
    assert desk.program.post("/api/v1/rates/ecb").json == {"changed": 0}
    rates = desk.program.get("/api/v1/rates").json["items"]
    assert {(r["from"], r["to"], r["source"]) for r in rates} >= {("EUR", "USD", "ecb")}
    page = desk.program.post("/rates/ecb", headers={"Accept": "text/html"})
    assert page.location == "/rates"


@pytest.mark.parametrize("body", [None, b"<html/>", DAILY.replace(b"0.9580", b"x")])
def test_a_failure_changes_nothing_and_says_so(bank, body):
    desk, sent = bank
    desk.program.post("/api/v1/rates/ecb")
    before = desk.program.get("/api/v1/rates").json
    sent["body"] = body
    answer = desk.program.post("/api/v1/rates/ecb")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "rates_unavailable")
    page = desk.program.post("/rates/ecb", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "The stored rates are unchanged." in page.get_data(as_text=True)
    assert desk.program.get("/api/v1/rates").json == before
    sent["body"] = DAILY
    assert desk.program.post("/api/v1/rates/ecb").status_code == 200


def test_only_a_rate_by_hand_can_be_removed(bank):
    desk, _ = bank
    desk.program.post("/api/v1/rates/ecb")
    first = desk.program.get("/api/v1/rates").json["items"][0]["id"]
    assert desk.program.delete(f"/api/v1/rates/{first}").status_code == 409
    assert desk.program.delete("/api/v1/rates/999").status_code == 404
