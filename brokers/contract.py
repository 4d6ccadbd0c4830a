"""The contract between the application and a broker adapter; standard library only.

A broker is a `Manifest` (what it is and can do, as data) and a factory that makes `Connection`s.
Adapters return only `brokers.types` and raise only `brokers.errors`. They never schedule, store or
read the environment: everything they need comes in through a `Context`, and they wait only through
the clock they were given.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from brokers.addresses import https_address
from brokers.errors import BrokerAccountMissing, BrokerError, Malformed
from brokers.types import (
    BrokerAccount,
    Certificate,
    Check,
    Diagnosis,
    SessionState,
    Snapshot,
    Witness,
)

if TYPE_CHECKING:
    import requests

    from brokers.http import Answer

CONTRACT_VERSION = 1
ENTRY_POINT_GROUP = "foliosync.brokers"
CURRENCY = re.compile(r"[A-Z]{3}[A-Z0-9]{0,5}", re.ASCII)


class Capability(StrEnum):
    """What an adapter can do beyond listing accounts and reading a snapshot."""

    KEEPALIVE = "keepalive"
    WITNESS = "witness"
    MARGIN = "margin"
    RECORDING = "recording"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `calls` in `seconds` for one endpoint template, or for all of them ("*")."""

    endpoint: str
    calls: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretField:
    """A secret that an adapter needs to sign in; people enter it under its `label`."""

    name: str
    label: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A broker as data: who it is, what it can do, and how often it may be asked.

    `address_hint` tells people what an address looks like. `secrets` are what it needs to sign in,
    all of them; they come in by the context.
    """

    key: str
    name: str
    short_name: str
    identifier_scheme: str
    capabilities: frozenset[Capability]
    limits: tuple[Limit, ...] = ()

    address_hint: str = ""
    contract: int = CONTRACT_VERSION
    single_session: bool = False
    secrets: tuple[SecretField, ...] = ()


class Clock(Protocol):
    """The only source of time and the only way to wait."""

    def now(self) -> datetime:
        """The time of day, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Network(Protocol):
    """The way out of the process; tests hand in one that ends in a simulator."""

    def session(self, certificate: Certificate) -> requests.Session:
        """A session that speaks only to the holder of this certificate."""

    def certificate(self, host: str, port: int, timeout: float) -> Certificate:
        """The certificate that is shown at an address; nothing else is sent."""


class Recorder(Protocol):
    """Is told each answer of a broker, for a person who wants to report a trouble."""

    def note(self, method: str, path: str, answer: Answer) -> None:
        """One answer."""


class Scrubber(Protocol):
    """Takes out of answers who somebody is and what they own; the same by the same each time."""

    def answer(self, value: Any) -> Any:
        """A decoded answer, scrubbed."""

    def path(self, path: str) -> str:
        """A path, scrubbed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that an adapter may know: where to go, whom to trust, and until when to be silent.

    `certificate` is the pinned one, or None before the first contact. `silent_until` is the end of
    a penalty that an earlier process was given, and `last_calls` when it asked each endpoint that
    has a limit. `zone` is where the person who reads messages is. `before_call` is to be called
    before each call to the broker (a `Caller` does) and may end the run by an exception;
    `progress` is told how many positions have been read. `secrets` has a value for each that the
    manifest declares, and shows in no text of this object.
    """

    clock: Clock
    network: Network
    address: str
    login_address: str
    certificate: Certificate | None = None
    trusted_hosts: frozenset[str] = frozenset()
    silent_until: datetime | None = None
    last_calls: Mapping[str, datetime] = field(default_factory=dict)
    zone: tzinfo = UTC
    recorder: Recorder | None = None
    before_call: Callable[[], None] | None = None
    progress: Callable[[int], None] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class CapabilityMissing(NotImplementedError):
    """A call that the adapter's manifest does not declare."""


class Connection(ABC):
    """One signed-in way to a broker; short-lived, used by one thread at a time."""

    @property
    @abstractmethod
    def certificate(self) -> Certificate | None:
        """The certificate in use, for a caller to pin a first one; None before any contact."""

    @property
    def last_calls(self) -> Mapping[str, datetime]:
        """When each endpoint with a limit was last asked; the caller keeps it."""
        return {}

    def acceptable(self) -> Certificate | None:
        """The certificate that is shown now, for a person to accept; None where there is none.

        Contacts the address and sends nothing; raises `CertificateUntrusted` where accepting it
        would not help.
        """
        return None

    @property
    def session(self) -> SessionState | None:
        """Who is signed in, as the last call told; None where the broker does not say."""
        return None

    @abstractmethod
    def accounts(self) -> tuple[BrokerAccount, ...]:
        """The accounts of the signed-in user, never empty."""

    @abstractmethod
    def snapshot(self, account_id: str) -> Snapshot:
        """The whole account, or a `BrokerError`; never a part of it."""

    def diagnose(self, expected: Collection[str] = ()) -> Diagnosis:
        """Walk the chain to the broker and name the first broken link; one link by default.

        `expected` are ids of linked accounts: one that is not listed is a `BrokerAccountMissing`.
        """
        try:
            listed = [account.id for account in self.accounts()]
            for missing in sorted(set(expected).difference(listed)):
                raise BrokerAccountMissing.of(missing, self.session)
        except BrokerError as error:
            return diagnosis_of(error)
        reached = Check(
            name="accounts", title="Accounts", ok=True, message=f"{len(listed)} to choose from"
        )
        return Diagnosis(
            connected=True,
            code="ready",
            message="Connected",
            remedy=None,
            session=None,
            checks=(reached,),
        )

    def keep_alive(self) -> None:
        """Tell the broker that the session is in use (`KEEPALIVE`)."""
        raise CapabilityMissing(Capability.KEEPALIVE)

    def witness(self, account_id: str) -> Witness:
        """A second look at what is held, independent of the last snapshot (`WITNESS`).

        Where it shows that the snapshot must be read anew, it says so (`refutes_snapshot`); the
        next snapshot then comes from the better source, and the witness after it from another.
        """
        raise CapabilityMissing(Capability.WITNESS)

    def maintenance_margin(self, account_id: str) -> Decimal | None:
        """What the broker holds against open risk, in base currency (`MARGIN`)."""
        raise CapabilityMissing(Capability.MARGIN)


def diagnosis_of(error: BrokerError) -> Diagnosis:
    """A broken link as the whole finding, for adapters that cannot tell more."""
    broken = Check(
        name="accounts", title="Accounts", ok=False, message=error.message, remedy=error.remedy
    )
    return Diagnosis(
        connected=False,
        code=error.code,
        message=error.message,
        remedy=error.remedy,
        session=None,
        checks=(broken,),
        retry_at=error.retry_at,
    )


class Broker(ABC):
    """A broker: its manifest, and a factory of connections."""

    manifest: Manifest

    @abstractmethod
    def connect(self, context: Context) -> Connection:
        """A connection through this context; contacts nobody yet."""

    def address(self, typed: str) -> str:
        """The address as it is kept, in its one spelling; `ValueError` with a reason.

        Two spellings of one place that are both kept would be two gateways: each with a pin and a
        penalty of its own.
        """
        return https_address(typed)

    def scrubber(self, draw: Callable[[int], int]) -> Scrubber:
        """Makes recordings of this broker safe to send (`RECORDING`); `draw(n)` gives 0 to n-1."""
        raise CapabilityMissing(Capability.RECORDING)


def believable(snapshot: Snapshot) -> None:
    """Refuse (`Malformed`) a snapshot that no account can look like, whatever the adapter says."""
    keys = [position.instrument.key for position in snapshot.positions]
    lines = [row.currency for row in snapshot.ledger.rows]
    instruments = [position.instrument for position in snapshot.positions]
    problems = (
        (len(set(keys)) != len(keys), "an instrument twice"),
        (len(set(lines)) != len(lines), "the cash of a currency twice"),
        (any(not position.quantity for position in snapshot.positions), "a position of 0"),
        (not snapshot.closed_keys.isdisjoint(keys), "a position that is held and closed"),
        (any(not of.key or not of.symbol for of in instruments), "an instrument without a name"),
        (any(of.multiplier <= 0 for of in instruments), "a multiplier that is not above 0"),
        (
            not all(map(CURRENCY.fullmatch, [*lines, *(of.currency for of in instruments)])),
            "a currency that is none",
        ),
        (snapshot.read_at.tzinfo is None, "a time without a zone"),
    )
    for found, what in problems:
        if found:
            raise Malformed(f"The broker's answer shows {what}.")
