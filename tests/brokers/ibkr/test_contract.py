from __future__ import annotations

from functools import partial

import pytest

from brokers import errors
from brokers.contract import Connection, Context
from brokers.ibkr import InteractiveBrokers
from brokers.ibkr.simulator import Simulator
from brokers.testing.clock import FakeClock
from brokers.testing.contract import BrokerContract, World
from brokers.testing.network import CERTIFICATE, WsgiNetwork

NEAR, FAR = "https://localhost:5000", "https://gateway.lan:5000"
SCENARIOS = {
    errors.PositionsNotReleased: "positions-not-released",
    errors.GatewayUnreachable: "gateway-down",
    errors.GatewaySilent: "silence",
    errors.SessionStarting: "starting",
    errors.RateLimited: "rate-limited",
    errors.BrokerMaintenance: "maintenance",
    errors.Incomplete: "repeated-page",
    errors.Malformed: "html-answer",
    errors.Foreign: "foreign-row",
    errors.NotAuthenticated: "signed-out",
    errors.NotAGateway: "another-program",
    errors.AddressNotAllowed: "address-refused",
    errors.CertificateChanged: "certificate-changed",
    errors.BrokerAccountMissing: "another-user",
}


class TestInteractiveBrokers(BrokerContract):
    @pytest.fixture
    def world(self) -> World:
        clock = FakeClock()
        simulator = Simulator(clock)
        simulator.state.accounts["U7654321"].held.clear()
        main = simulator.state.accounts["U1234567"]
        broker = InteractiveBrokers()
        address = [NEAR]

        def connect() -> Connection:
            clock.turn(6)
            return broker.connect(
                Context(
                    clock=clock,
                    network=WsgiNetwork(simulator),
                    address=address[0],
                    login_address=NEAR,
                    certificate=CERTIFICATE,
                )
            )

        def calm() -> None:
            simulator.play("calm")
            address[:] = [NEAR]
            clock.turn(1000)

        causes = {of: partial(simulator.play, name) for of, name in SCENARIOS.items()}
        return World(
            broker=broker,
            connect=connect,
            account_id="U1234567",
            holdings={str(row.conid): row.quantity for row in main.held},
            cash={of: line.balance for of, line in main.cash.items()},
            multipliers={
                str(row.conid): row.multiplier for row in main.held if row.multiplier != 1
            },
            empty_id="U7654321",
            stranger_id="U0000001",
            troubles={
                **causes,
                errors.CertificateUntrusted: partial(address.__setitem__, 0, FAR),
            },
            calm=calm,
            secrets=(CERTIFICATE.pem,),
        )
