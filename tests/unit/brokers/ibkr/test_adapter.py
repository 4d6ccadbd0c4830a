from __future__ import annotations

import json
import ssl
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import requests

from brokers.contract import Context
from brokers.errors import (
    AddressNotAllowed,
    BadAnswer,
    BrokerAccountMissing,
    BrokerMaintenance,
    CertificateChanged,
    CertificateUntrusted,
    GatewaySilent,
    GatewayUnreachable,
    Incomplete,
    NotAGateway,
    NotAuthenticated,
    PositionsNotReleased,
    RateLimited,
)
from brokers.ibkr import InteractiveBrokers
from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.reply import Reply
from brokers.testing.clock import FakeClock
from brokers.testing.network import CERTIFICATE, WsgiNetwork
from brokers.tls import grouped

MAIN = "U1234567"


class Desk:
    def __init__(self):
        self.clock = FakeClock()
        self.simulator = Simulator(self.clock)
        self.network = WsgiNetwork(self.simulator)
        self.broker = InteractiveBrokers()

    def connect(self, **changes):
        self.clock.turn(6)
        values = {"address": "https://localhost:5000", "login_address": "https://localhost:5000"}
        context = {"clock": self.clock, "network": self.network, **values, **changes}
        return self.broker.connect(Context(**context))


@pytest.fixture
def desk():
    made = Desk()
    yield made
    assert made.simulator.trips == []


def test_it_says_who_is_signed_in_and_that_nobody_is(desk):
    connection = desk.connect()
    assert connection.session is None
    connection.keep_alive()
    assert (connection.session.signed_in, connection.session.user) == (True, "demo42")
    desk.simulator.sign_out()
    connection = desk.connect()
    with pytest.raises(NotAuthenticated):
        connection.keep_alive()
    assert connection.session is None


def test_pages_are_read_to_the_empty_one(desk):
    snapshot = desk.connect().snapshot(MAIN)
    asked = [r.path for r in desk.simulator.requests if "/positions/" in r.path]
    assert [path.rsplit("/", 1)[1] for path in asked] == ["0", "1", "2", "3"]
    assert len(snapshot.positions) == 230


def test_a_snapshot_needs_no_more_calls_than_declared(desk):
    desk.connect().snapshot(MAIN)
    pages, unknown = 4, 2
    assert len(desk.simulator.requests) <= pages + 6 + unknown


def test_the_ledger_is_the_later_one_and_closes_with_the_positions(desk):
    snapshot = desk.connect().snapshot(MAIN)
    total = Decimal(0)
    rates = {row.currency: row.rate_to_base for row in snapshot.ledger.rows}
    for row in snapshot.ledger.rows:
        extras = (row.accrued_interest or 0) + (row.accrued_dividends or 0)
        total += (row.cash + extras) * row.rate_to_base
    for position in snapshot.positions:
        if position.instrument.kind != "future":
            total += position.market_value * rates[position.instrument.currency]
    assert total == snapshot.ledger.total.net_liquidation


FAULTS = [
    ("/ledger", {"status": 500}, BrokerMaintenance),
    ("/positions/1", {"status": 503, "body": b"<html>"}, BrokerMaintenance),
    ("/positions/1", {"body": b""}, BadAnswer),
    ("/positions/1", {"body": b"null"}, BadAnswer),
    ("/positions/1", {"body": b'{"error":"x"}'}, BadAnswer),
    ("/positions/1", {"body": b"<html>login</html>", "content_type": "text/html"}, BadAnswer),
    ("/positions/1", {"body": b'[{"conid":1}]'}, BadAnswer),
    ("/positions/1", {"body": b'[{"conid":1,"position":1,"acctId":"U9"}]'}, BadAnswer),
    ("/positions/1", {"status": 401}, PositionsNotReleased),
    ("/ledger", {"body": b'{"USD":{"cashbalance":1}}'}, BadAnswer),
    ("/portfolio/accounts", {"body": b'{"error":"no session"}'}, NotAuthenticated),
    ("/tickle", {"status": 401}, NotAuthenticated),
    ("/tickle", {"status": 302}, NotAuthenticated),
    ("/tickle", {"status": 404, "body": b"Access Denied"}, AddressNotAllowed),
    ("/tickle", {"body": b"[]"}, BadAnswer),
]


@pytest.mark.parametrize(("path", "answer", "expected"), FAULTS)
def test_a_failure_at_any_call_is_an_error_and_heals(desk, path, answer, expected):
    desk.simulator.fail_next(path, **answer)
    with pytest.raises(expected) as caught:
        desk.connect().snapshot(MAIN)
    assert caught.value.message
    assert caught.value.remedy or isinstance(caught.value, Incomplete | BadAnswer)
    assert len(desk.connect().snapshot(MAIN).positions) == 230


def test_a_repeated_page_is_incomplete(desk):
    rows = [{"conid": 900000 + i, "position": 1, "acctId": MAIN} for i in range(100)]
    desk.simulator.fail_next("/positions/", body=json.dumps(rows).encode(), times=2)
    with pytest.raises(Incomplete):
        desk.connect().snapshot(MAIN)


def test_cash_that_moves_is_read_again_and_then_refused(desk):
    moving = {"USD": {"cashbalance": 1}, "BASE": {"cashbalance": 1, "netliquidationvalue": 1}}
    desk.simulator.fail_next("/ledger", body=json.dumps(moving).encode())
    assert len(desk.connect().snapshot(MAIN).positions) == 230
    assert any(r.path.endswith("/invalidate") for r in desk.simulator.requests)
    desk.simulator.play("moving-cash")
    with pytest.raises(BadAnswer, match="was changing"):
        desk.connect().snapshot(MAIN)
    desk.simulator.play("calm")
    assert len(desk.connect().snapshot(MAIN).positions) == 230


def test_a_second_look_does_not_read_the_same_cache_again(desk):
    connection = desk.connect()
    connection.snapshot(MAIN)
    assert not any(r.path.endswith("/invalidate") for r in desk.simulator.requests)
    connection.snapshot(MAIN)
    assert any(r.path.endswith("/invalidate") for r in desk.simulator.requests)


def test_too_many_requests_close_the_gateway_for_fifteen_minutes(desk):
    desk.simulator.fail_next("/ledger", status=429)
    with pytest.raises(RateLimited) as caught:
        desk.connect().snapshot(MAIN)
    assert caught.value.retry_at - desk.clock.now() >= timedelta(minutes=14)
    sent = len(desk.simulator.requests)
    with pytest.raises(RateLimited):
        desk.connect().accounts()
    assert len(desk.simulator.requests) == sent
    desk.clock.turn(15 * 60)
    assert desk.connect().accounts()


def test_a_penalty_of_an_earlier_process_is_kept(desk):
    until = desk.clock.now() + timedelta(minutes=10)
    with pytest.raises(RateLimited):
        desk.connect(silent_until=until).accounts()
    assert len(desk.simulator.requests) == 0


NETWORK = [
    (requests.ConnectTimeout(), GatewaySilent),
    (requests.ReadTimeout(), GatewaySilent),
    (requests.ConnectionError(ConnectionRefusedError(111, "refused")), GatewayUnreachable),
    (requests.exceptions.SSLError("wrong version number"), NotAGateway),
    (requests.ConnectionError(ConnectionResetError()), GatewaySilent),
    (requests.exceptions.SSLError(ssl.SSLEOFError()), GatewaySilent),
]


@pytest.mark.parametrize(("failure", "expected"), NETWORK)
def test_no_answer_is_told_apart_and_heals(desk, failure, expected):
    desk.network.failure = failure
    with pytest.raises(expected):
        desk.connect(certificate=CERTIFICATE).accounts()
    desk.network.failure = None
    assert desk.connect().accounts()


def test_who_ends_each_greeting_is_no_gateway_until_one_was_known_there(desk):
    desk.network.failure = ssl.SSLEOFError()
    with pytest.raises(NotAGateway):
        desk.connect().accounts()
    with pytest.raises(GatewaySilent, match="closes the connection"):
        desk.connect(certificate=CERTIFICATE).accounts()
    found = desk.connect(certificate=CERTIFICATE).diagnose()
    assert (found.code, found.checks[0].ok) == ("gateway_silent", False)
    desk.network.failure = None
    assert desk.connect(certificate=CERTIFICATE).accounts()


def test_another_certificate_stops_everything_before_a_byte_is_sent(desk):
    pinned = replace(CERTIFICATE, fingerprint="cd" * 32)
    with pytest.raises(CertificateChanged) as caught:
        desk.connect(certificate=pinned).accounts()
    assert "CD:CD" in caught.value.message
    assert grouped(CERTIFICATE.fingerprint) in caught.value.message
    assert len(desk.simulator.requests) == 0
    assert desk.connect(certificate=CERTIFICATE).accounts()


@pytest.mark.parametrize("address", ["https://gateway.lan:5000", "https://192.168.1.5:5000"])
def test_off_loopback_an_unpinned_certificate_is_not_trusted(desk, address):
    with pytest.raises(CertificateUntrusted):
        desk.connect(address=address).accounts()
    assert len(desk.simulator.requests) == 0


def test_off_loopback_a_verified_certificate_is_trusted_for_a_named_host_and_never_pinned(desk):
    far = {"address": "https://gateway.lan:5000", "trusted_hosts": frozenset({"gateway.lan"})}
    with pytest.raises(CertificateUntrusted, match="nobody has accepted it"):
        desk.connect(**far).accounts()
    desk.network.shown = replace(CERTIFICATE, is_verified=True)
    assert desk.connect(**far).accounts()
    with pytest.raises(CertificateUntrusted, match="not this computer"):
        desk.connect(address=far["address"]).accounts()


def test_the_stock_certificate_is_fine_here_and_refused_elsewhere(desk):
    stock = desk.network.shown = replace(CERTIFICATE, is_stock=True)
    assert desk.connect().snapshot(MAIN).warnings == ("certificate_stock",)
    far = {"address": "https://gateway.lan:5000", "trusted_hosts": frozenset({"gateway.lan"})}
    with pytest.raises(CertificateUntrusted, match="private key is public"):
        desk.connect(**far, certificate=stock).accounts()


def test_what_speaks_another_protocol_is_reachable_and_no_gateway(desk):
    desk.network.failure = ssl.SSLError(1, "wrong version number")
    found = desk.connect(certificate=CERTIFICATE).diagnose()
    links = {check.name: check.ok for check in found.checks}
    assert found.code == "not_a_gateway"
    assert (links["reachable"], links["certificate"], links["gateway"]) == (True, None, False)


@pytest.mark.parametrize("path", ["/tickle", "/accounts", "/ledger", "/positions/1", "/secdef"])
def test_another_program_is_no_gateway_whichever_call_meets_it(desk, path):
    """Where the session was known already, the first sync blamed a bad answer of the gateway."""
    assert desk.connect().accounts()

    def took_the_port(asked, reply):
        if asked.endswith(path) and path not in met:
            met.append(path)
            desk.simulator.play("another-program")
            return Reply(200, b"<html>", "text/html")
        return reply

    met = []
    desk.clock.turn(60)
    desk.simulator.state.rewrites.append(took_the_port)
    with pytest.raises(NotAGateway):
        desk.connect().snapshot(MAIN)
    assert met == [path]
    desk.simulator.play("calm")
    assert len(desk.connect().snapshot(MAIN).positions) == 230


@pytest.mark.parametrize("port", [5000, 5001])
def test_the_airplay_receiver_is_blamed_for_its_own_port_only(desk, port):
    desk.network.failure = requests.exceptions.SSLError("wrong version number")
    with pytest.raises(NotAGateway) as caught:
        desk.connect(address=f"https://localhost:{port}", certificate=CERTIFICATE).accounts()
    assert ("AirPlay" in caught.value.remedy) == (port == 5000)
    assert "listenPort" in caught.value.remedy


def test_the_user_is_asked_for_once_a_session_and_never_in_the_way(desk):
    desk.simulator.fail_next("/sso/validate", status=401)
    assert desk.connect().accounts()
    desk.clock.turn(61)
    for _ in range(3):
        assert desk.connect().accounts()
    asked = [r for r in desk.simulator.requests if r.path.endswith("/sso/validate")]
    assert len(asked) == 2
    desk.simulator.sign_in()
    desk.clock.turn(61)
    assert desk.connect().accounts()
    asked = [r for r in desk.simulator.requests if r.path.endswith("/sso/validate")]
    assert len(asked) == 3


def test_an_account_that_is_not_listed_never_leaves(desk):
    with pytest.raises(BrokerAccountMissing):
        desk.connect().snapshot("U5555555")
    assert not any("U5555555" in r.path for r in desk.simulator.requests)


def test_the_witness_falls_back_to_fresh_pages(desk):
    desk.simulator.fail_next("/portfolio2/", status=404, body=b"{}")
    assert len(desk.connect().witness(MAIN).quantities) == 230
    assert any(r.path.endswith("/invalidate") for r in desk.simulator.requests)


def test_an_odd_row_of_the_account_list_hides_no_other_and_is_never_offered(desk):
    rows = [{"id": "U1 234"}, {"id": MAIN, "accountAlias": "Ma\u202ein\x00 "}, {"x": 1}, 7]
    rows += [{"id": MAIN}, {"id": "../U1234567"}, {"accountId": None}]
    body = json.dumps(rows).encode()
    desk.simulator.fail_next("/portfolio/accounts", body=body)
    (only,) = desk.connect().accounts()
    assert (only.id, only.name) == (MAIN, "Main")
    desk.simulator.fail_next("/portfolio/accounts", body=json.dumps(rows[2:4]).encode())
    with pytest.raises(BadAnswer):
        desk.connect().accounts()
    assert len(desk.connect().accounts()) == 2


def test_an_account_that_cannot_be_asked_for_is_a_bad_answer_with_a_remedy(desk):
    with pytest.raises(BadAnswer, match="no account id") as caught:
        desk.connect().snapshot("U1 234")
    assert caught.value.remedy
    assert desk.connect().snapshot(MAIN)


def test_a_missing_account_says_who_is_signed_in_also_within_the_minute(desk):
    broken = desk.connect().diagnose([MAIN])
    assert broken.connected
    desk.simulator.play("another-user")
    # Who that is may be asked a minute after the last time.
    desk.clock.turn(60)
    for _ in range(2):
        broken = desk.connect().diagnose([MAIN])
        assert (broken.connected, broken.code) == (False, "broker_account_missing")
        assert "spouse7 (live)" in broken.message
        assert [check.name for check in broken.checks if check.ok is False] == ["accounts"]
    with pytest.raises(BrokerAccountMissing, match="spouse7"):
        desk.connect().snapshot(MAIN)
    desk.simulator.play("calm")
    desk.clock.turn(60)
    whole = desk.connect().diagnose([MAIN])
    assert (whole.connected, whole.session.user) == (True, "demo42")


def test_the_user_is_known_again_after_a_call_that_failed(desk):
    assert desk.connect().diagnose().session.user == "demo42"
    desk.simulator.fail_next("/tickle", status=503)
    assert not desk.connect().diagnose().connected
    assert desk.connect().diagnose().session.user == "demo42"
    asked = [r for r in desk.simulator.requests if r.path.endswith("/sso/validate")]
    assert len(asked) == 1


def test_the_doctor_stops_at_the_broken_link(desk):
    desk.simulator.sign_out()
    found = desk.connect().diagnose()
    assert (found.connected, found.code) == (False, "not_authenticated")
    states = {check.name: check.ok for check in found.checks}
    assert states["upstream"] is True
    assert states["signed_in"] is False
    assert states["accounts"] is None
    desk.simulator.sign_in()
    healthy = desk.connect().diagnose()
    assert healthy.connected
    assert healthy.session.user == "demo42"


@pytest.mark.parametrize(
    ("path", "answer", "broken"),
    [
        ("/", {"status": 404, "body": b"Access Denied"}, "address"),
        ("/", {"status": 200, "body": b"hello"}, "gateway"),
        ("/", {"status": 429}, "upstream"),
        ("/tickle", {"status": 503}, "upstream"),
        ("/portfolio/accounts", {"body": b"[]"}, "accounts"),
    ],
)
def test_the_doctor_names_each_link(desk, path, answer, broken):
    desk.simulator.fail_next(path, **answer)
    found = desk.connect().diagnose()
    assert [check.name for check in found.checks if check.ok is False] == [broken]
    assert found.remedy
