"""What is read from a certificate and from a host's name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from brokers import tls
from brokers.ibkr.simulator.certificate import ensure_certificate


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_this_computer_is_known_by_its_address(host):
    assert tls.is_loopback(host)


@pytest.mark.parametrize("host", ["192.168.1.2", "localhost.example", "example.org", "::2", ""])
def test_no_other_computer_is(host):
    assert not tls.is_loopback(host)


def shown(tmp_path):
    text = ensure_certificate(tmp_path / "c.pem").read_text()
    return tls.certificate_from_pem(text[text.index("-----BEGIN CERTIFICATE") :])


def test_a_person_is_told_whose_certificate_it_is_and_how_long_it_lasts(tmp_path):
    found = shown(tmp_path)
    assert found.subject.startswith("CN=")
    assert found.expires_at > datetime.now(UTC)
    assert (found.is_stock, found.is_verified) == (False, False)


def test_the_certificate_that_every_gateway_ships_with_is_recognised(tmp_path, monkeypatch):
    assert tls.grouped(tls.STOCK_FINGERPRINT) == (
        "13:DA:F8:9A:07:12:B9:62:C3:EC:AA:5E:DE:34:41:00:AE:E0:D3:B5:DE:C5:A7:9A:BD:76:02:A8:12:ED"
        ":A3:BE"
    )
    assert tls.STOCK_FINGERPRINT.islower()
    own = shown(tmp_path)
    assert own.fingerprint == own.fingerprint.lower()
    monkeypatch.setattr(tls, "STOCK_FINGERPRINT", own.fingerprint)
    assert shown(tmp_path).is_stock
