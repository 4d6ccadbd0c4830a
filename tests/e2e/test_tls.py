"""The pin on real TLS sockets."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import traceback
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from brokers import http
from brokers.contract import Context
from brokers.errors import (
    CertificateChanged,
    CertificateUntrusted,
    GatewaySilent,
    GatewayUnreachable,
    NotAGateway,
)
from brokers.http import DeadlineSocket, RealNetwork, public_session
from brokers.ibkr import InteractiveBrokers
from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.certificate import ensure_certificate
from brokers.ibkr.simulator.server import serve
from portfolio.clock import SystemClock

CLOCK = SystemClock()


def connect(address, certificate=None):
    context = Context(
        clock=CLOCK,
        network=RealNetwork(CLOCK),
        address=address,
        login_address=address,
        certificate=certificate,
    )
    return InteractiveBrokers().connect(context)


@pytest.fixture
def gateway():
    simulator = Simulator(CLOCK, limits=False)
    with serve(simulator) as server:
        yield simulator, server


def test_the_first_certificate_is_trusted_on_loopback_and_then_pinned(gateway):
    simulator, server = gateway
    first = connect(server.url)
    assert len(first.accounts()) == 2
    with serve(simulator) as other:
        asked = len(simulator.requests)
        with pytest.raises(CertificateChanged):
            connect(other.url, first.certificate).accounts()
        assert len(simulator.requests) == asked
    assert connect(server.url, first.certificate).accounts()


def test_no_caller_can_switch_the_pin_off(gateway):
    simulator, server = gateway
    certificate = RealNetwork(CLOCK).certificate("127.0.0.1", server.port, 5)
    with serve(simulator) as other:
        asked = len(simulator.requests)
        session = RealNetwork(CLOCK).session(certificate)
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"{other.url}/v1/api/tickle", verify=False, timeout=5)
        assert len(simulator.requests) == asked
        session.close()


def test_a_pinned_connection_loads_no_authorities(gateway):
    _, server = gateway
    certificate = RealNetwork(CLOCK).certificate("127.0.0.1", server.port, 5)
    with closing(RealNetwork(CLOCK).session(certificate)) as session:
        assert session.post(f"{server.url}/v1/api/tickle", timeout=5).status_code == 200
        pools = session.get_adapter(server.url).poolmanager
        assert pools.connection_pool_kw["ssl_context"].cert_store_stats()["x509"] == 1


def test_an_expired_certificate_that_is_not_the_stock_one_is_refused(tmp_path):
    file = ensure_certificate(tmp_path / "old.pem", expired=True)
    with (
        serve(Simulator(CLOCK), certificate_file=file) as server,
        pytest.raises(CertificateUntrusted),
    ):
        connect(server.url).accounts()


def test_a_certificate_is_kept_over_a_restart(tmp_path):
    simulator = Simulator(CLOCK, limits=False)
    with serve(simulator, certificate_file=tmp_path / "c.pem") as server:
        first = connect(server.url)
        first.accounts()
    with serve(simulator, certificate_file=tmp_path / "c.pem") as server:
        assert connect(server.url, first.certificate).accounts()


def test_nothing_listens(free_port):
    with pytest.raises(GatewayUnreachable):
        connect(f"https://127.0.0.1:{free_port}").accounts()


@pytest.fixture
def plain_server():
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(100)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


def test_something_else_listens(plain_server):
    with pytest.raises(NotAGateway):
        connect(plain_server).accounts()


def test_a_pinned_certificate_may_be_expired(tmp_path):
    file = ensure_certificate(tmp_path / "old.pem", expired=True)
    with serve(Simulator(CLOCK), certificate_file=file) as server:
        certificate = RealNetwork(CLOCK).certificate("127.0.0.1", server.port, 5)
        assert certificate.expires_at < datetime.now(UTC)
        session = RealNetwork(CLOCK).session(certificate)
        answer = session.post(f"{server.url}/v1/api/tickle", timeout=5)
        assert answer.status_code == 200
        session.close()


def test_nothing_is_sent_twice_by_itself(gateway):
    _, server = gateway
    certificate = RealNetwork(CLOCK).certificate("127.0.0.1", server.port, 5)
    for session in (RealNetwork(CLOCK).session(certificate), public_session()):
        assert session.get_adapter(server.url).max_retries.total == 0
        session.close()


def test_looking_at_a_certificate_takes_no_longer_than_it_may(gateway, monkeypatch):
    _, server = gateway
    asked, connect_ = [], socket.create_connection

    def noted(address, timeout=None):
        asked.append((address, timeout))
        return connect_(address, timeout)

    monkeypatch.setattr(socket, "create_connection", noted)
    RealNetwork(CLOCK).certificate("127.0.0.1", server.port, 3)
    assert asked == [(("127.0.0.1", server.port), 3)] * 2


def test_a_public_host_needs_an_authority_that_vouches_for_it(tmp_path, monkeypatch):
    key, certificate = own_authority(tmp_path)
    (tmp_path / "both.pem").write_bytes(key + certificate)
    (tmp_path / "authority.pem").write_bytes(certificate)
    simulator = Simulator(CLOCK, limits=False)
    with serve(simulator, certificate_file=tmp_path / "both.pem") as server:
        url = f"{server.url}/v1/api/tickle"
        with closing(public_session()) as session, pytest.raises(requests.exceptions.SSLError):
            session.post(url, timeout=5)
        assert len(simulator.requests) == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        with closing(public_session()) as session:
            assert session.post(url, timeout=5).status_code == 200


class Trickle:
    """Sends a byte now and then, for ever."""

    def __init__(self):
        self.stop = threading.Event()

    def __call__(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        self.stop.wait(30)
        return [b"{}"]


def test_a_hung_answer_ends_at_the_total_deadline(monkeypatch):
    monkeypatch.setattr(http, "DEADLINE", 0.5)
    app = Trickle()
    with serve(app) as server:
        with pytest.raises(GatewaySilent):
            connect(server.url).accounts()
        app.stop.set()


def test_parallel_readers_are_all_served(gateway):
    _, server = gateway
    certificate = RealNetwork(CLOCK).certificate("127.0.0.1", server.port, 5)
    found = []

    def read():
        found.append(len(connect(server.url, certificate).accounts()))

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [2] * 20


def test_a_certificate_that_an_authority_vouches_for_is_told(tmp_path, monkeypatch):
    key, certificate = own_authority(tmp_path)
    (tmp_path / "both.pem").write_bytes(key + certificate)
    with serve(Simulator(CLOCK), certificate_file=tmp_path / "both.pem") as server:
        at = ("127.0.0.1", server.port, 5)
        assert not RealNetwork(CLOCK).certificate(*at).is_verified
        authority = tmp_path / "authority.pem"
        authority.write_bytes(certificate)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert RealNetwork(CLOCK).certificate(*at).is_verified


def own_authority(folder):
    """A certificate for 127.0.0.1 that is its own authority, as an operator may install one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Home")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    built = built.public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(
        now + timedelta(days=9)
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    built = built.add_extension(names, critical=False)
    signed = built.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private, signed.public_bytes(serialization.Encoding.PEM)


def test_a_peer_that_leaves_before_the_greeting_leaves_no_socket_behind():
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    accepted.close()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.sslsocket_class = DeadlineSocket
    with pytest.raises(ConnectionResetError) as caught:
        context.wrap_socket(client)
    sockets = [
        each
        for frame, _ in traceback.walk_tb(caught.value.__traceback__)
        for each in frame.f_locals.values()
        if isinstance(each, DeadlineSocket)
    ]
    assert sockets
    assert [each.fileno() for each in sockets if each.fileno() >= 0] == []
    server.close()
