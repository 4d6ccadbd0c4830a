"""A certificate that a person has to accept: where it is shown, what accepting settles."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from brokers.errors import CertificateUntrusted
from brokers.testing.network import OTHER_CERTIFICATE
from brokers.tls import grouped
from tests.integration.conftest import make_desk

HTML = {"Accept": "text/html"}
GATEWAYS, ACCEPT = "/api/v1/gateways", "/api/v1/gateways/1/certificate"
FAR = "https://gateway.lan:5000"


@pytest.fixture
def far(tmp_path):
    """An application whose gateway is on another computer that its operator vouches for."""
    yield from make_desk(
        {
            "FOLIOSYNC_DATA_DIR": str(tmp_path),
            "FOLIOSYNC_IBKR_GATEWAY_URL": FAR,
            "FOLIOSYNC_TRUSTED_GATEWAY_HOSTS": "Gateway.LAN",
        }
    )


def checks(desk):
    found = desk.program.get("/ibkr/test-connection").json
    return found, {check["name"]: check["ok"] for check in found["checks"]}


def test_a_gateway_elsewhere_is_shown_compared_accepted_and_then_works(far):
    url = far.account()
    refused = far.connect(url)
    assert refused.json["error"]["code"] == "certificate_untrusted"
    assert "accept it" in refused.json["error"]["remedy"]
    print_ = far.network.shown.fingerprint
    found, links = checks(far)
    assert (found["code"], links["reachable"], links["certificate"]) == (
        *("certificate_untrusted", True, False),
    )
    assert grouped(print_) in found["message"]
    assert len(far.simulator.requests) == 0
    far.program.post(GATEWAYS, json={"url": "https://localhost:5001"})
    settings = far.program.get("/settings", headers=HTML).get_data(as_text=True)
    assert settings.count("Look at its certificate and accept it") == 1
    test = "/ibkr/test-connection?gateway_id=1&back=/settings"
    page = far.program.get(test, headers=HTML).get_data(as_text=True)
    assert grouped(print_) in page
    assert "Accept this certificate" in page
    assert f'action="{ACCEPT}?back=/settings"' in page
    form = {"fingerprint": print_}
    done = far.program.post(f"{ACCEPT}?back=/settings", data=form, headers=HTML)
    assert (done.status_code, done.location) == (303, "/settings")
    shown = far.program.get("/settings", headers=HTML).get_data(as_text=True)
    assert grouped(print_) in shown
    assert far.connect(url).status_code == 201
    assert checks(far)[0]["connected"]


@pytest.mark.parametrize("trouble", ["expired", "stock"])
def test_what_accepting_would_not_help_is_neither_offered_nor_accepted(far, trouble):
    if trouble == "expired":
        far.simulator.play("certificate-expired")
    else:
        far.network.shown = replace(far.network.shown, is_stock=True)
    page = far.program.get("/ibkr/test-connection", headers=HTML).get_data(as_text=True)
    assert "cannot be trusted" in page
    assert "<button>Accept" not in page
    body = {"fingerprint": far.network.shown.fingerprint}
    answer = far.program.post(ACCEPT, json=body)
    assert (answer.status_code, answer.json["error"]["code"]) == (
        *(409, CertificateUntrusted.code),
    )
    assert far.program.get(GATEWAYS).json["items"][0]["certificate_fingerprint"] is None


def test_a_host_that_nobody_vouches_for_is_not_contacted_and_not_called_reachable(desk):
    desk.program.patch(f"{GATEWAYS}/1", json={"url": FAR})
    desk.network.failure = ConnectionRefusedError()
    found, links = checks(desk)
    assert found["code"] == "certificate_untrusted"
    assert (links["reachable"], links["certificate"]) == (None, False)
    answer = desk.program.post(ACCEPT, json={"fingerprint": "ab" * 32})
    assert answer.json["error"]["code"] == "certificate_untrusted"
    desk.network.failure = None
    desk.program.patch(f"{GATEWAYS}/1", json={"url": "https://localhost:5000"})
    assert checks(desk)[0]["connected"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ConnectionRefusedError(), 503, "gateway_unreachable"),
        (socket.gaierror(-2, "Name or service not known"), 503, "gateway_unreachable"),
        (TimeoutError(), 503, "gateway_silent"),
        (ConnectionResetError(), 409, "not_a_gateway"),
    ],
)
def test_accepting_where_none_is_shown_says_why_and_heals(desk, failure, status, code):
    body = {"fingerprint": desk.network.shown.fingerprint}
    desk.network.failure = failure
    answer = desk.program.post(ACCEPT, json=body)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert answer.json["error"]["remedy"]
    desk.network.failure = None
    assert desk.program.post(ACCEPT, json=body).status_code == 200


@pytest.mark.parametrize("headers", [HTML, {"HX-Request": "true"}])
def test_who_wants_to_connect_is_led_to_the_new_certificate_and_back(desk, headers):
    url = desk.account()
    desk.connect(desk.account("B"))
    desk.simulator.play("certificate-changed")
    form = {"choices": "ibkr", "gateway_id": "1"}
    page = desk.program.post(f"{url}/edit", data=form, headers=headers).get_data(as_text=True)
    test = f"/ibkr/test-connection?gateway_id=1&amp;back={url}/edit"
    assert f'<a href="{test}">Look at the certificate</a>' in page
    shown = desk.program.get(test.replace("&amp;", "&"), headers=HTML).get_data(as_text=True)
    assert "Accept the new certificate" in shown
    form = {"fingerprint": OTHER_CERTIFICATE.fingerprint}
    done = desk.program.post(f"{ACCEPT}?back={url}/edit", data=form, headers=HTML)
    assert (done.status_code, done.location) == (303, f"{url}/edit")
    form = {"choices": "ibkr", "gateway_id": "1"}
    page = desk.program.post(f"{url}/edit", data=form, headers=headers).get_data(as_text=True)
    assert "Connect Account" in page


def test_an_expired_certificate_on_this_computer_has_a_remedy_that_fits_it(desk):
    url = desk.account()
    desk.simulator.play("certificate-expired")
    remedy = desk.connect(url).json["error"]["remedy"]
    assert "Use a gateway on this computer" not in remedy
    assert "new key store" in remedy
    form = {"choices": "ibkr", "gateway_id": "1"}
    page = desk.program.post(f"{url}/edit", data=form, headers=HTML).get_data(as_text=True)
    assert "<code>foliosync gateway certificate</code> makes one" in page
    # Nobody may accept it, so there is nothing to look at.
    assert "Look at the certificate" not in page


def test_accepting_settles_what_the_account_waited_for_and_leads_back(desk):
    url = desk.connected()
    desk.simulator.play("certificate-changed")
    assert desk.sync(url).json["error"]["code"] == "certificate_changed"
    waiting = desk.program.get(url, headers=HTML).get_data(as_text=True)
    test = f"/ibkr/test-connection?gateway_id=1&amp;back={url}"
    assert test in waiting
    page = desk.program.get(test.replace("&amp;", "&"), headers=HTML).get_data(as_text=True)
    assert "Accept the new certificate" in page
    form = {"fingerprint": OTHER_CERTIFICATE.fingerprint}
    done = desk.program.post(f"{ACCEPT}?back={url}", data=form, headers=HTML)
    assert (done.status_code, done.location) == (303, url)
    account = desk.program.get(f"/api/v1{url.replace('/portfolio', '/portfolios')}").json
    assert account["attention_code"] is None
    for path in (url, "/connections"):
        settled = desk.program.get(path, headers=HTML).get_data(as_text=True)
        assert "another certificate" not in settled
    # How it is now, the next contact tells.
    assert "Not asked yet." in settled
    assert desk.sync(url).json["run"]["status"] == "succeeded"


def test_accepting_settles_nothing_else(desk):
    url = desk.connected()
    desk.simulator.sign_out()
    desk.sync(url)
    body = {"fingerprint": desk.network.shown.fingerprint}
    assert desk.program.post(ACCEPT, json=body).status_code == 200
    account = desk.program.get(f"/api/v1{url.replace('/portfolio', '/portfolios')}").json
    assert account["attention_code"] == "not_authenticated"


def test_with_a_pinned_certificate_a_gateway_that_is_down_is_not_called_reachable(desk):
    desk.connected()
    desk.simulator.play("gateway-down")
    found, links = checks(desk)
    assert (found["code"], links["reachable"], links["certificate"]) == (
        *("gateway_unreachable", False, None),
    )
    desk.simulator.play("calm")
    desk.turn(61)
    assert checks(desk)[0]["connected"]


def test_in_a_penalty_nothing_is_tested_and_nothing_else_is_blamed(desk):
    url = desk.connected()
    desk.simulator.fail_next("/ledger", status=429)
    desk.sync(url)
    sent = len(desk.simulator.requests)
    found, links = checks(desk)
    assert found["code"] == "rate_limited"
    assert [name for name, ok in links.items() if ok is False] == ["upstream"]
    assert True not in links.values()
    assert len(desk.simulator.requests) == sent
    card = desk.program.get(url, headers=HTML).get_data(as_text=True)
    assert "waiting until 14:15" in card
    assert card.casefold().count("tried again") == 1
    assert '<span class="code">rate_limited</span>' in card
    desk.turn(16 * 60)
    assert checks(desk)[0]["connected"]
