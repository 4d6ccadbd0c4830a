"""Where messages to addresses of people may go."""

from __future__ import annotations

import socket

import pytest

from portfolio import notify_child
from portfolio.notify_child import guard, refused

GATEWAYS = [("10.0.0.7", 5001), ("gateway.example", 443)]
PUBLIC = "93.184.216.34"


@pytest.fixture(autouse=True)
def computer(monkeypatch):
    """This computer has no address but those that all have, and one name leads somewhere."""
    monkeypatch.setattr(notify_child, "_is_ours", lambda ip: str(ip) == "192.168.1.9")

    def resolve(host, _port):
        if host != "gateway.example":
            raise socket.gaierror
        return [(socket.AF_INET, 1, 6, "", (PUBLIC, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize(
    "host",
    "127.0.0.1 127.8.9.1 0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.1 ::1 :: fe80::1 fe80::1%eth0"
    " ff02::1 ::ffff:127.0.0.1 ::ffff:169.254.0.1 192.168.1.9 ::ffff:192.168.1.9 localhost"
    " name.example".split(),
)
def test_this_computer_and_what_is_nobodys_are_closed(host):
    assert refused(host, 8080)


@pytest.mark.parametrize("host", ["192.168.1.5", "10.1.2.3", "fd00::5", PUBLIC, "2606:4700::1"])
def test_a_household_and_the_world_are_open(host):
    assert not refused(host, 8080, GATEWAYS)


@pytest.mark.parametrize(
    ("host", "port", "closed"),
    [
        ("10.0.0.7", 5001, True),
        ("10.0.0.7", 8080, False),
        # It could be another address of the gateway's computer.
        ("192.168.1.5", 5001, True),
        (PUBLIC, 5001, True),
        ("192.168.1.5", 443, True),
        (PUBLIC, 443, True),
        ("93.184.216.35", 443, False),
    ],
)
def test_a_gateway_is_closed_by_whatever_address(host, port, closed):
    assert refused(host, port, GATEWAYS) is closed


def test_a_gateway_whose_name_leads_nowhere_closes_no_other_host():
    assert not refused(PUBLIC, 443, [("gone.example", 443)])


@pytest.mark.parametrize("event", ["socket.connect", "socket.sendto", "socket.sendmsg"])
@pytest.mark.parametrize("where", [("127.0.0.1", 80), ("::1", 80, 0, 0), "/run/some.sock", None])
def test_the_guard_stops_each_way_out(event, where):
    with pytest.raises(PermissionError):
        guard([])(event, (None, where))


def test_the_guard_lets_the_rest_pass():
    guard([])("socket.connect", (None, (PUBLIC, 443)))
    guard([])("socket.bind", (None, ("127.0.0.1", 80)))


def test_what_a_socket_can_be_bound_to_is_ours(monkeypatch):
    monkeypatch.undo()
    assert notify_child._is_ours(notify_child.ip_address("127.0.0.1"))
    assert not notify_child._is_ours(notify_child.ip_address("192.0.2.1"))
