"""The suite that every adapter must pass: subclass it and provide the fixtures.

    class TestMine(BrokerContract):
        @pytest.fixture
        def world(self) -> World: ...

It needs pytest, which an adapter's author has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.contract import CONTRACT_VERSION, Broker, Capability, CapabilityMissing, Connection
from brokers.errors import BrokerError, NeedsUser
from brokers.types import Snapshot


@dataclass(frozen=True, kw_only=True)
class World:
    """A broker as the suite meets it.

    `account_id` names an account with more than one page of positions and a short; `empty_id` one
    without any. `sign_out` and `sign_in` do what a person does; `secrets` must never be printed.
    """

    broker: Broker
    connect: Callable[[], Connection]
    account_id: str
    empty_id: str
    sign_out: Callable[[], None]
    sign_in: Callable[[], None]
    secrets: tuple[str, ...] = ()


class BrokerContract:
    """What the application relies on."""

    def test_the_manifest_is_of_this_contract(self, world: World) -> None:
        """The manifest names the version this suite is for."""
        assert world.broker.manifest.contract == CONTRACT_VERSION
        assert world.broker.manifest.key == world.broker.manifest.key.lower()

    def test_it_lists_accounts(self, world: World) -> None:
        """Account ids are unique and the list is not empty."""
        ids = [account.id for account in world.connect().accounts()]
        assert world.account_id in ids
        assert len(ids) == len(set(ids))

    def test_a_snapshot_is_whole_and_exact(self, world: World) -> None:
        """Keys are unique, nothing is a float, times are aware, shorts are negative."""
        snapshot = world.connect().snapshot(world.account_id)
        keys = [position.instrument.key for position in snapshot.positions]
        assert len(keys) == len(set(keys)) > 100
        assert all(position.quantity != 0 for position in snapshot.positions)
        assert any(position.quantity < 0 for position in snapshot.positions)
        for value in leaves(snapshot):
            assert not isinstance(value, float)
            if isinstance(value, Decimal):
                assert value.is_finite()
            if isinstance(value, datetime):
                assert value.utcoffset() is not None

    def test_the_same_account_reads_the_same_again(self, world: World) -> None:
        """Position fields do not depend on what the broker had cached."""
        first = world.connect().snapshot(world.account_id)
        second = world.connect().snapshot(world.account_id)
        assert _by_key(first) == _by_key(second)

    def test_an_empty_account_is_empty_and_no_error(self, world: World) -> None:
        """No positions is an answer."""
        assert world.connect().snapshot(world.empty_id).positions == ()

    def test_signed_out_needs_the_user_and_heals(self, world: World) -> None:
        """Nobody signed in is an error that names a remedy; signing in is enough."""
        world.sign_out()
        with pytest.raises(NeedsUser) as caught:
            world.connect().snapshot(world.account_id)
        assert caught.value.code == "not_authenticated"
        assert caught.value.remedy
        world.sign_in()
        assert world.connect().snapshot(world.account_id).positions

    def test_an_unknown_account_is_an_error(self, world: World) -> None:
        """Another account's id never brings data."""
        with pytest.raises(BrokerError):
            world.connect().snapshot("U0000001")

    @pytest.mark.parametrize("capability", list(Capability))
    def test_declared_is_what_it_can_do(self, world: World, capability: Capability) -> None:
        """A declared capability works; one that is not declared says so."""
        connection = world.connect()
        calls: dict[Capability, Callable[[], object]] = {
            Capability.DIAGNOSIS: connection.diagnose,
            Capability.KEEPALIVE: connection.keep_alive,
            Capability.WITNESS: lambda: connection.witness(world.account_id),
            Capability.MARGIN: lambda: connection.maintenance_margin(world.account_id),
            Capability.RECORDING: lambda: world.broker.scrubber(lambda _: 0),
        }
        if capability in world.broker.manifest.capabilities:
            calls[capability]()
        else:
            with pytest.raises(CapabilityMissing):
                calls[capability]()

    def test_the_witness_agrees_with_the_snapshot(self, world: World) -> None:
        """Both reads see the same quantities."""
        if Capability.WITNESS not in world.broker.manifest.capabilities:
            pytest.skip("has no witness")
        connection = world.connect()
        held = {
            position.instrument.key: position.quantity
            for position in connection.snapshot(world.account_id).positions
        }
        assert dict(connection.witness(world.account_id).quantities) == held

    def test_nothing_prints_a_secret(self, world: World) -> None:
        """No secret is in a `repr`."""
        connection = world.connect()
        printed = repr(connection) + repr(world.broker) + repr(vars(connection))
        assert not any(secret in printed for secret in world.secrets)


def _by_key(snapshot: Snapshot) -> dict[str, object]:
    return {position.instrument.key: position for position in snapshot.positions}


def leaves(value: Any) -> Iterator[Any]:
    """Every value inside a tree of dataclasses, mappings and sequences."""
    if is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(name)
            yield from leaves(inner)
    elif isinstance(value, tuple | list | frozenset):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value
