from __future__ import annotations

from dataclasses import replace

import pytest

from brokers.contract import Connection, Context
from brokers.ibkr import InteractiveBrokers
from brokers.ibkr.simulator import Simulator
from brokers.testing.clock import FakeClock
from brokers.testing.contract import BrokerContract, World
from brokers.testing.network import WsgiNetwork


class TestInteractiveBrokers(BrokerContract):
    @pytest.fixture
    def world(self) -> World:
        clock = FakeClock()
        simulator = Simulator(clock)
        kids = simulator.state.accounts["U7654321"]
        kids.held.clear()
        broker = InteractiveBrokers()
        context = Context(
            clock=clock,
            network=WsgiNetwork(simulator),
            address="https://localhost:5000",
            login_address="https://localhost:5000",
        )

        def connect() -> Connection:
            clock.turn(6)
            return broker.connect(replace(context))

        return World(
            broker=broker,
            connect=connect,
            account_id="U1234567",
            empty_id="U7654321",
            sign_out=simulator.sign_out,
            sign_in=simulator.sign_in,
        )
