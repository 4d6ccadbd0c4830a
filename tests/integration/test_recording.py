"""A recording tells nothing about anybody, and replays as the same account or the same trouble."""

from __future__ import annotations

import re
from decimal import Decimal
from random import Random

import pytest

from brokers.contract import Context
from brokers.errors import AddressNotAllowed, BadAnswer, BrokerMaintenance, NotAuthenticated
from brokers.http import decode
from brokers.ibkr import InteractiveBrokers
from brokers.ibkr.scrub import GatewayScrubber
from brokers.testing.clock import FakeClock
from brokers.testing.network import WsgiNetwork
from brokers.testing.replay import Replay
from portfolio.doctor import examine


def replayed(file):
    clock = FakeClock()
    address = "https://localhost:5000"
    context = Context(
        clock=clock,
        network=WsgiNetwork(Replay(file)),
        address=address,
        login_address=address,
    )
    return InteractiveBrokers().connect(context)


def texts(value):
    """Every text and number in a JSON value, as it is written."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    else:
        yield str(value)


def test_nothing_that_says_who_or_how_much_is_left(desk, tmp_path):
    file = tmp_path / "recording.json"
    desk.turn()
    # A known draw: by chance, one of four random letters is somebody's ticker now and then.
    examine(desk.app, ("ibkr", None), file, Random(7).randrange)
    found = set(texts(decode(file.read_bytes())))
    words = {word for text in found for word in re.findall(r"\w+", text)}
    for account in desk.simulator.state.accounts.values():
        assert account.id not in words
        assert account.title not in found
        for row in account.held:
            assert str(row.conid) not in found
            assert row.name not in found
            if len(row.ticker) > 3:
                assert row.ticker not in words
        amounts = [row.value for row in account.held] + [
            of.balance for of in account.cash.values()
        ]
        shown = {Decimal(text) for text in found if re.fullmatch(r"-?\d+(\.\d+)?", text)}
        assert not shown & {amount for amount in amounts if amount}
    assert "demo42" not in words


@pytest.mark.parametrize("text", ["A", "F", "42", "AMGN", "U1234567"])
def test_a_text_is_never_scrubbed_into_itself(text):
    for seed in range(200):
        assert GatewayScrubber(Random(seed).randrange).answer({"ticker": text})["ticker"] != text


def test_a_recording_replays_as_the_same_accounts_and_still_adds_up(desk, tmp_path):
    file = tmp_path / "recording.json"
    desk.turn()
    examine(desk.app, ("ibkr", None), file)
    broker = replayed(file)
    listed = broker.accounts()
    truth = list(desk.simulator.state.accounts.values())
    assert len(listed) == len(truth)
    for account, of in zip(listed, truth, strict=True):
        snapshot = broker.snapshot(account.id)
        assert len(snapshot.positions) == len(of.held)
        rates = {row.currency: row.rate_to_base for row in snapshot.ledger.rows}
        total = sum(
            (row.cash + (row.accrued_interest or 0) + (row.accrued_dividends or 0))
            * row.rate_to_base
            for row in snapshot.ledger.rows
        )
        total += sum(
            position.market_value * rates[position.instrument.currency]
            for position in snapshot.positions
            if position.instrument.kind != "future"
        )
        assert abs(total - snapshot.ledger.total.net_liquidation) < Decimal("0.000001")


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        ("signed-out", NotAuthenticated),
        ("signed-out-by-redirect", NotAuthenticated),
        ("signed-out-politely", NotAuthenticated),
        ("address-refused", AddressNotAllowed),
        ("maintenance", BrokerMaintenance),
        ("html-answer", BadAnswer),
        ("repeated-page", BadAnswer),
    ],
)
def test_a_trouble_replays_as_the_same_trouble(desk, tmp_path, trouble, expected):
    file = tmp_path / "recording.json"
    desk.simulator.play(trouble)
    desk.turn()
    examine(desk.app, ("ibkr", None), file)
    with pytest.raises(expected):
        read_first(replayed(file))


def read_first(broker):
    return broker.snapshot(broker.accounts()[0].id)


def test_pace_is_kept_over_processes(desk):
    """Two programs that ask for the user's name within a minute would be locked out."""
    client = desk.program
    assert client.get("/ibkr/test-connection").json["session"]["user"] == "demo42"
    desk.turn()
    # Another process knows only what is stored.
    desk.app.extensions["foliosync"].outside.brokers.get("ibkr").__init__()
    again = client.get("/ibkr/test-connection").json
    assert again["connected"]
    assert again["session"]["user"] is None
    desk.turn(60)
    assert client.get("/ibkr/test-connection").json["session"]["user"] == "demo42"
