"""The suite that every adapter must pass: subclass it and provide one fixture.

    class TestMine(BrokerContract):
        @pytest.fixture
        def world(self) -> World: ...

It needs pytest, which an adapter's author has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest
from msgspec import structs

from brokers.contract import (
    CONTRACT_VERSION,
    Broker,
    Capability,
    CapabilityMissing,
    Connection,
    believable,
)
from brokers.errors import (
    BrokerAccountMissing,
    BrokerError,
    CredentialsMissing,
    NeedsUser,
    NotAuthenticated,
    Refused,
)
from brokers.types import Snapshot


@dataclass(frozen=True, kw_only=True)
class World:
    """A broker as the suite meets it.

    `holdings` is the truth about `account_id`: the quantity of each instrument by its key, with a
    short among them (unless the broker is `long_only`), and more than one page where the broker
    has pages; `cash` its money by currency; `multipliers` those that are not 1; `closed` what is
    listed with quantity 0. `empty_id` names an account without positions, `stranger_id` one of the
    right shape that is not in the list. `troubles` says how to bring about each error, `never` why
    one cannot happen at this broker; `calm` ends all troubles, and turns the clock past a penalty.
    `secrets` must never be printed.
    """

    broker: Broker
    connect: Callable[[], Connection]
    account_id: str
    holdings: Mapping[str, Decimal]
    cash: Mapping[str, Decimal]
    empty_id: str
    stranger_id: str
    troubles: Mapping[type[BrokerError], Callable[[], object]]
    calm: Callable[[], object]
    never: Mapping[type[BrokerError], str] = field(default_factory=dict)
    multipliers: Mapping[str, Decimal] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    long_only: bool = False
    secrets: tuple[str, ...] = ()


def failures(of: type[BrokerError] = BrokerError) -> Iterator[type[BrokerError]]:
    """Every single failure that an adapter can meet: the leaves of the tree of errors."""
    below = of.__subclasses__()
    if not below and of not in (Refused, CredentialsMissing):
        yield of
    for child in below:
        yield from failures(child)


class BrokerContract:
    """What the application relies on."""

    def test_the_manifest_is_of_this_contract(self, world: World) -> None:
        """The manifest names the version this suite is for."""
        manifest = world.broker.manifest
        assert manifest.contract == CONTRACT_VERSION
        assert manifest.key == manifest.key.lower()
        assert manifest.key.isidentifier()
        assert manifest.capabilities <= set(Capability)

    def test_it_lists_accounts(self, world: World) -> None:
        """Account ids are unique and the list is not empty."""
        ids = [account.id for account in world.connect().accounts()]
        assert {world.account_id, world.empty_id} <= set(ids)
        assert len(ids) == len(set(ids))

    def test_a_snapshot_is_whole(self, world: World) -> None:
        """All holdings to the last page, each once, shorts negative; nothing else."""
        snapshot = world.connect().snapshot(world.account_id)
        assert snapshot.account.id == world.account_id
        assert _quantities(snapshot) == world.holdings
        assert world.long_only or min(world.holdings.values()) < 0
        assert snapshot.closed_keys == world.closed
        believable(snapshot)

    def test_a_snapshot_has_the_cash_and_the_terms(self, world: World) -> None:
        """Every currency to the last digit, and what turns a price into a value."""
        snapshot = world.connect().snapshot(world.account_id)
        assert {row.currency: row.cash for row in snapshot.ledger.rows} == world.cash
        instruments = [position.instrument for position in snapshot.positions]
        sizes = {of.key: of.multiplier for of in instruments if of.multiplier != 1}
        assert sizes == world.multipliers

    def test_a_snapshot_is_exact(self, world: World) -> None:
        """Nothing is a float, numbers are finite, times aware, texts not empty."""
        snapshot = world.connect().snapshot(world.account_id)
        for value in leaves(snapshot):
            assert not isinstance(value, float)
            assert value != ""
            if isinstance(value, Decimal):
                assert value.is_finite()
            if isinstance(value, datetime):
                assert value.utcoffset() is not None
        for position in snapshot.positions:
            assert position.average_price != 0

    def test_the_same_account_reads_the_same_again(self, world: World) -> None:
        """What is held does not depend on what the broker had cached."""
        first = world.connect().snapshot(world.account_id)
        second = world.connect().snapshot(world.account_id)
        assert _by_key(first) == _by_key(second)

    def test_an_empty_account_is_empty_and_no_error(self, world: World) -> None:
        """No positions is an answer."""
        assert world.connect().snapshot(world.empty_id).positions == ()

    @pytest.mark.parametrize("failure", list(failures()), ids=lambda of: of.__name__)
    def test_each_failure_is_told_apart_and_heals(
        self, world: World, failure: type[BrokerError]
    ) -> None:
        """The right class, a remedy where a person must act, and no trace afterwards."""
        if failure in world.never:
            assert failure not in world.troubles
            assert world.never[failure].strip()
            return
        assert failure in world.troubles, f"name {failure.__name__} in `troubles` or in `never`"
        world.troubles[failure]()
        with pytest.raises(BrokerError) as caught:
            world.connect().snapshot(world.account_id)
        assert type(caught.value) is failure, repr(caught.value)
        assert caught.value.message
        assert caught.value.remedy
        assert caught.value.needs_user == issubclass(failure, NeedsUser)
        world.calm()
        assert _quantities(world.connect().snapshot(world.account_id)) == world.holdings

    def test_signed_out_is_the_same_for_every_call(self, world: World) -> None:
        """Nobody signed in: no call answers with something else than that."""
        if NotAuthenticated in world.never:
            return
        world.troubles[NotAuthenticated]()
        connection = world.connect()
        calls: list[Callable[[], object]] = [connection.accounts]
        calls.append(partial(connection.snapshot, world.account_id))
        contacting = world.broker.manifest.capabilities - {Capability.RECORDING}
        calls += [call for of, call in _calls(world, connection).items() if of in contacting]
        for call in calls:
            with pytest.raises(NotAuthenticated):
                call()
        found = connection.diagnose()
        assert (found.connected, found.code) == (False, NotAuthenticated.code)
        world.calm()
        assert world.connect().diagnose().connected

    def test_a_stranger_s_account_is_missing(self, world: World) -> None:
        """Another account's id never brings data."""
        with pytest.raises(BrokerAccountMissing):
            world.connect().snapshot(world.stranger_id)

    def test_the_doctor_misses_a_linked_account(self, world: World) -> None:
        """A linked account that is not listed is a broken link; one that is listed is none."""
        assert world.connect().diagnose([world.account_id]).connected
        found = world.connect().diagnose([world.account_id, world.stranger_id])
        assert (found.connected, found.code) == (False, BrokerAccountMissing.code)
        assert found.remedy

    @pytest.mark.parametrize("capability", list(Capability))
    def test_declared_is_what_it_can_do(self, world: World, capability: Capability) -> None:
        """A declared capability works; one that is not declared says so."""
        calls = _calls(world, world.connect())
        if capability in world.broker.manifest.capabilities:
            calls[capability]()
        else:
            with pytest.raises(CapabilityMissing):
                calls[capability]()

    def test_the_witness_agrees_with_the_snapshot(self, world: World) -> None:
        """Both reads see the same quantities, where there are two."""
        if Capability.WITNESS in world.broker.manifest.capabilities:
            witness = world.connect().witness(world.account_id)
            assert dict(witness.quantities) == world.holdings
            assert witness.read_at.utcoffset() is not None

    def test_a_wrong_address_is_refused_with_a_reason(self, world: World) -> None:
        """What people type is checked before anything is stored."""
        for typed in ("", "\0", "x" * 5000):
            with pytest.raises(ValueError, match=r"\w"):
                world.broker.address(typed)

    def test_nothing_prints_a_secret(self, world: World) -> None:
        """No secret is in a `repr`."""
        connection = world.connect()
        printed = repr(connection) + repr(world.broker) + repr(getattr(connection, "__dict__", {}))
        assert not any(secret in printed for secret in world.secrets)


def _calls(world: World, connection: Connection) -> dict[Capability, Callable[[], object]]:
    return {
        Capability.KEEPALIVE: connection.keep_alive,
        Capability.WITNESS: partial(connection.witness, world.account_id),
        Capability.MARGIN: partial(connection.maintenance_margin, world.account_id),
        Capability.RECORDING: partial(world.broker.scrubber, lambda _: 0),
    }


def _quantities(snapshot: Snapshot) -> dict[str, Decimal]:
    return {position.instrument.key: position.quantity for position in snapshot.positions}


def _by_key(snapshot: Snapshot) -> dict[str, object]:
    return {position.instrument.key: position for position in snapshot.positions}


def leaves(value: Any) -> Iterator[Any]:
    """Every value inside a tree of dataclasses, structs, mappings and sequences."""
    if isinstance(value, msgspec.Struct):
        yield from leaves(structs.asdict(value))
    elif is_dataclass(value):
        for each in fields(value):
            yield from leaves(getattr(value, each.name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves(name)
            yield from leaves(inner)
    elif isinstance(value, tuple | list | frozenset):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value
