"""The documented routes, as a program uses them, against real processes."""

from __future__ import annotations

import socket
from contextlib import closing
from urllib.parse import urlsplit

import requests

from tests.e2e.conftest import wait_until


def test_the_story_over_json(house):
    def call(method, path, status, **more):
        answer = requests.request(method, f"{house.app}{path}", timeout=90, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    call("POST", "/api/v1/portfolios", 201, json={"name": "P", "base_currency": "USD"})
    account = {"name": "IBKR Main", "currency": "USD"}
    call("POST", "/api/v1/portfolios/1/accounts", 201, json=account)
    url = "/portfolio/1/accounts/IBKR%20Main"

    found = call("GET", "/ibkr/test-connection", 200)
    assert (found["connected"], found["code"]) == (False, "not_authenticated")
    error = call("GET", "/ibkr/accounts", 409)["error"]
    assert error["message"].startswith("Not authenticated with IBKR")

    house.control("sign-in")
    assert call("GET", "/ibkr/test-connection", 200)["connected"]
    listed = call("GET", "/ibkr/accounts", 200)["accounts"]
    assert [each["id"] for each in listed] == ["U1234567", "U7654321"]
    linked = call("POST", f"{url}/connect/ibkr", 201, json={"account_id": "U1234567"})
    assert linked["mode"] == "connected"
    run = call("POST", f"{url}/sync", 200)["run"]
    assert (run["status"], run["added"]) == ("succeeded", 235)

    house.control("sell", account="U1234567", symbol="VWCE")
    later = call("POST", f"{url}/sync", 202, headers={"Prefer": "respond-async"})["run"]

    def finished():
        return call("GET", f"/api/v1/runs/{later['id']}", 200)["status"] != "running"

    wait_until(finished)
    assert call("GET", f"/api/v1/runs/{later['id']}", 200)["closed"] == 1

    assert call("POST", f"{url}/disconnect", 200)["mode"] == "manual"
    holdings = call("GET", "/api/v1/portfolios/1/accounts/IBKR%20Main/holdings?limit=500", 200)
    assert len(holdings["holdings"]) == 229
    assert call("POST", f"{url}/sync", 409)["error"]["code"] == "not_connected"


def test_what_no_route_takes_is_refused_before_it_is_kept(house):
    def begun(path, size):
        """What is answered to a form of which nothing but its size was sent."""
        asked = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n"
        at = host, urlsplit(house.app).port
        with closing(socket.create_connection(at, timeout=20)) as sent:
            sent.sendall(asked.encode())
            return sent.recv(100)

    host = urlsplit(house.app).hostname
    assert begun("/login", 16_000_000).startswith(b"HTTP/1.1 413 ")
    # What is a little too large is read, and hears what to do.
    body = b"name=".ljust(8_000_001, b"x")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{house.app}/portfolio/new", data=body, headers=form, timeout=90)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    made = requests.post(f"{house.app}/portfolio/new", data={"name": "P", "base_currency": "USD"})
    assert (made.status_code, made.url) == (200, f"{house.app}/portfolio/1")
