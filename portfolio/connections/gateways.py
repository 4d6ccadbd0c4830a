"""The way to a broker through a stored gateway: pins, penalties, and the broker's own errors."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from brokers.addresses import place
from brokers.contract import Broker, Clock, Context, Network, Recorder, SecretField, diagnosis_of
from brokers.contract import Connection as BrokerConnection
from brokers.errors import BrokerError, CredentialsMissing, RateLimited
from brokers.registry import Registry, UnknownBroker
from brokers.tls import certificate_from_pem
from brokers.types import Certificate, Diagnosis
from portfolio.connections.models import Connection, Gateway
from portfolio.connections.secrets import forget_secrets
from portfolio.connections.watch import Watch
from portfolio.db.session import read_only, unit_of_work
from portfolio.db.unsaid import FAILURES, Unsaid
from portfolio.errors import Conflict, Invalid, NotFound, SetupProblem
from portfolio.users.people import one_at_a_time
from portfolio.users.queries import first_user

# The adapter that the documented routes are for, and the gateway that a setting makes.
FIRST_BROKER = "ibkr"
OpenSecrets = Callable[[int, Sequence[SecretField]], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A gateway as plain data, so that no database object is alive while we wait for it."""

    id: int
    broker: str
    address: str
    login_address: str
    certificate_pem: str | None
    silent_until: datetime | None
    last_calls: Mapping[str, datetime]


def random_id() -> str:
    """An id that nobody else has."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is needed to reach brokers: the adapters, the network, time, and whom to trust.

    `fixed_by` says, as the beginning of a sentence, what holds the first gateway at its address.
    `unsaid` is what contacts could not store yet. `open_secrets` reads what an adapter declares
    that it needs, for the gateway of an id. `shared_gateways` is whether several users may use
    one gateway or one account at a broker.
    """

    brokers: Registry
    network: Network
    clock: Clock
    trusted_hosts: frozenset[str] = frozenset()
    zone: tzinfo = UTC
    recorder: Recorder | None = None
    new_id: Callable[[], str] = random_id
    fixed_by: str | None = None
    shared_gateways: bool = False
    unsaid: Unsaid = field(default_factory=Unsaid)
    open_secrets: OpenSecrets = field(default=lambda _gateway, _fields: {}, repr=False)

    def broker(self, key: str) -> Broker:
        """The adapter of a key; `Conflict` where it is not installed any more."""
        try:
            return self.brokers.get(key)
        except UnknownBroker as error:
            raise Conflict(
                f"The adapter for the broker “{key}” is not there ({error.args[0]}).",
                "Install its package again, then restart Foliosync.",
            ) from None

    def connect(self, route: Route, watch: Watch | None = None) -> BrokerConnection:
        """A connection through a gateway; contacts nobody yet.

        `CredentialsMissing` where the adapter needs a secret that was not entered.
        """
        pem, broker = route.certificate_pem, self.broker(route.broker)
        needed = broker.manifest.secrets
        context = Context(
            clock=self.clock,
            network=self.network,
            address=route.address,
            login_address=route.login_address,
            certificate=certificate_from_pem(pem) if pem else None,
            trusted_hosts=self.trusted_hosts,
            silent_until=route.silent_until,
            last_calls=route.last_calls,
            zone=self.zone,
            recorder=self.recorder,
            before_call=watch.before_call if watch else None,
            progress=watch.progress if watch else None,
            secrets=self.open_secrets(route.id, needed) if needed else {},
        )
        return broker.connect(context)


def find_gateway(
    session: Session, owner_id: int, gateway_id: int | None, broker: str | None = None
) -> Gateway:
    """The owner's gateway of this id (default: the first of the broker), or `NotFound`."""
    query = select(Gateway).where(Gateway.owner_id == owner_id).order_by(Gateway.id)
    if broker is not None:
        query = query.where(Gateway.broker == broker)
    if gateway_id is not None:
        query = query.where(Gateway.id == gateway_id)
    gateway = session.scalars(query).first()
    if gateway is None:
        raise NotFound("gateway")
    return gateway


def route_of(gateway: Gateway) -> Route:
    """The gateway as plain data."""
    return Route(
        id=gateway.id,
        broker=gateway.broker,
        address=gateway.address,
        login_address=gateway.login_address,
        certificate_pem=gateway.certificate_pem,
        silent_until=gateway.silent_until,
        last_calls={of: datetime.fromisoformat(at) for of, at in gateway.last_calls.items()},
    )


def ensure_first_gateway(
    session: Session, owner_id: int, addresses: tuple[str, str], outside: Outside
) -> None:
    """The first gateway, where there is none; a setting that fixes it wins over what is stored."""
    fixed = outside.fixed_by is not None
    query = select(Gateway).where(Gateway.owner_id == owner_id).order_by(Gateway.id)
    if fixed:
        # The setting is for this broker only: a folder of files must not become its gateway.
        query = query.where(Gateway.broker == FIRST_BROKER)
    gateway = session.scalars(query).first()
    if gateway is not None and not fixed:
        return
    gateway = gateway or Gateway(
        owner_id=owner_id, broker=FIRST_BROKER, created_at=outside.clock.now()
    )
    try:
        _refuse_taken(session, gateway, addresses[0], outside)
    except Conflict:
        if not fixed:
            # The usual address is somebody else's by now: there is nothing to begin with.
            return
        raise SetupProblem(
            f"FOLIOSYNC_IBKR_GATEWAY_URL is {addresses[0]}, where another gateway is already: "
            "start without the setting, and remove that one on Settings first."
        ) from None
    _move(session, gateway, *addresses)
    session.add(gateway)
    session.flush()


def fixed_gateway(session: Session, owner_id: int, outside: Outside) -> int | None:
    """The id of the owner's gateway that a setting holds at its address, or None."""
    if outside.fixed_by is None or owner_id != first_user(session):
        return None
    query = select(Gateway.id).where(Gateway.owner_id == owner_id, Gateway.broker == FIRST_BROKER)
    return session.scalar(query.order_by(Gateway.id).limit(1))


def _refuse_fixed(session: Session, gateway: Gateway, outside: Outside) -> None:
    fixed = fixed_gateway(session, gateway.owner_id, outside)
    if fixed is not None and gateway.id == fixed:
        raise Conflict(
            f"{outside.fixed_by}; it cannot be changed here.",
            "Change that and start Foliosync again, or add another gateway.",
        )


def _refuse_taken(session: Session, gateway: Gateway, address: str, outside: Outside) -> None:
    """Refuse a place where another gateway is, however that is spelled."""
    one_at_a_time(session)
    others = session.scalars(select(Gateway).where(Gateway.id != (gateway.id or 0)))
    there = [other for other in others if place(other.address) == place(address)]
    own = next((other for other in there if other.owner_id == gateway.owner_id), None)
    if own is not None:
        raise Conflict(f"There is already a gateway at {own.address}.", "Use that one.")
    if there and not outside.shared_gateways:
        raise in_use("This gateway")


def in_use(what: str) -> Conflict:
    """The refusal of what another user has; it tells nothing about that user."""
    return Conflict(
        f"{what} is already in use here.",
        "Use one of your own. Whoever runs this server can allow shared ones: "
        "FOLIOSYNC_SHARED_GATEWAYS.",
    )


def _move(session: Session, gateway: Gateway, address: str, login_address: str) -> None:
    if place(gateway.address or "") != place(address):
        # Another place is another program: its certificate is a new first contact, and what was
        # entered for the former one is not sent to it.
        if gateway.id is not None:
            forget_secrets(session, gateway)
        gateway.certificate_pem = gateway.certificate_fingerprint = None
        gateway.silent_until = gateway.contacted_at = None
        gateway.session = gateway.said = None
        forget_trouble(gateway)
    gateway.address, gateway.login_address = address, login_address


def still_there(session: Session, route: Route) -> Gateway | None:
    """The gateway of a route; None where it was removed, or moved elsewhere, since it was read.

    What one program has shown and said is not to be believed of another one. It is locked: who
    asks is about to write what follows.
    """
    found = session.get(Gateway, route.id, with_for_update=True)
    stays = found is not None and place(found.address) == place(route.address)
    return found if stays else None


def forget_trouble(gateway: Gateway) -> None:
    """Let the next contact, which is due now, tell how a gateway is."""
    gateway.state, gateway.state_since, gateway.failures = "unknown", None, 0
    gateway.message = gateway.remedy = gateway.next_contact_at = None


def add_gateway(
    session: Session, owner_id: int, values: Mapping[str, str], outside: Outside
) -> Gateway:
    """A new way to a broker; `broker` defaults to the first one there is."""
    broker = values.get("broker") or FIRST_BROKER
    if broker not in outside.brokers.brokers:
        raise Invalid({"broker": f"No adapter “{broker[:40]}” is installed."})
    made = Gateway(owner_id=owner_id, broker=broker, created_at=outside.clock.now())
    return change_gateway(session, made, values, outside)


def change_gateway(
    session: Session, gateway: Gateway, values: Mapping[str, str], outside: Outside
) -> Gateway:
    """Another address for a gateway; `login_url` defaults to `url`.

    `Conflict` where a setting holds it, or where another gateway is at that place.
    """
    _refuse_fixed(session, gateway, outside)
    broker = outside.broker(gateway.broker)
    address = _checked(broker, values.get("url") or gateway.address or "", "url")
    login = values.get("login_url") or (gateway.login_address if "url" not in values else "")
    _refuse_taken(session, gateway, address, outside)
    _move(session, gateway, address, _checked(broker, login or address, "login_url"))
    session.add(gateway)
    session.flush()
    return gateway


def _checked(broker: Broker, typed: str, field: str) -> str:
    try:
        return broker.address(typed)
    except ValueError as error:
        raise Invalid({field: str(error)}) from None


def remove_gateway(session: Session, gateway: Gateway, outside: Outside) -> None:
    """Forget a gateway; `Conflict` where a setting makes it, or while an account needs it."""
    _refuse_fixed(session, gateway, outside)
    user = select(Connection).where(Connection.gateway_id == gateway.id)
    connection = session.scalars(user.options(joinedload(Connection.account))).first()
    if connection is not None:
        raise Conflict(
            f"“{connection.account.name}” is connected through this gateway.",
            "Connect it through another gateway, or disconnect it first.",
        )
    session.delete(gateway)


@contextmanager
def reaching(
    route: Route, *, pin: bool = False, outside: Outside, watch: Watch | None = None
) -> Iterator[BrokerConnection]:
    """A connection that nobody else has meanwhile, in any process; raises `StorageBusy`.

    Its pace, its penalty, and on request its first certificate, are remembered.
    """
    watch = watch or Watch(outside.clock, unsaid=outside.unsaid)
    number = _program(route) if outside.shared_gateways else route.id
    with watch.holding(f"gateway:{number}", outside.new_id()):
        with unit_of_work() as session:
            found = session.get(Gateway, route.id)
            # Whoever had it before has left its pace and perhaps a penalty.
            route = route_of(found) if found is not None else route
            if outside.shared_gateways:
                route = _as_all_left_it(session, route)
        with _remembering(route, pin=pin, outside=outside, watch=watch) as broker:
            yield broker


def _program(route: Route) -> int:
    """One number for all gateways at one place: users who share a program take turns."""
    with read_only() as session:
        return min((each.id for each in _at(session, route.address)), default=route.id)


def _at(session: Session, address: str) -> list[Gateway]:
    rows = session.scalars(select(Gateway).order_by(Gateway.id))
    return [each for each in rows if place(each.address) == place(address)]


def _as_all_left_it(session: Session, route: Route) -> Route:
    """A route with the pace and the penalty of all who share its program."""
    for other in map(route_of, _at(session, route.address)):
        silent = max(filter(None, (route.silent_until, other.silent_until)), default=None)
        calls = dict(route.last_calls)
        for of, at in other.last_calls.items():
            calls[of] = max(at, calls.get(of, at))
        route = replace(route, silent_until=silent, last_calls=calls)
    return route


@contextmanager
def _remembering(
    route: Route, *, pin: bool, outside: Outside, watch: Watch
) -> Iterator[BrokerConnection]:
    broker = outside.connect(route, watch)
    penalty: datetime | None = None
    first: Certificate | None = None
    try:
        yield broker
        # What failed may be another program; what is verified may be renewed at any time.
        shown = broker.certificate if pin and route.certificate_pem is None else None
        first = None if shown is None or shown.is_verified else shown
    except RateLimited as error:
        penalty = error.retry_at
        raise
    finally:
        if penalty or first or broker.last_calls != route.last_calls:
            seen = partial(_remember, route, penalty, first, broker.last_calls)
            # What the broker said comes first; at worst this is stored before the next contact.
            with suppress(*FAILURES):
                outside.unsaid.say(seen)


def diagnose(route: Route, outside: Outside, expected: Sequence[str]) -> Diagnosis:
    """A test of the connection, in which the `expected` accounts must be listed.

    It never raises what it finds, so that a penalty it was given is taken from the finding.
    """
    try:
        with reaching(route, outside=outside) as broker:
            found = broker.diagnose(expected)
    except CredentialsMissing as error:
        return diagnosis_of(error)
    if found.code == RateLimited.code and found.retry_at is not None:
        _remember(route, found.retry_at, None, broker.last_calls)
    return found


def _remember(
    route: Route,
    penalty: datetime | None,
    first: Certificate | None,
    last_calls: Mapping[str, datetime],
) -> None:
    with unit_of_work() as session:
        gateway = still_there(session, route)
        if gateway is None:
            return
        gateway.last_calls = {of: at.isoformat() for of, at in last_calls.items()}
        if penalty is not None:
            gateway.silent_until = max(penalty, gateway.silent_until or penalty)
        if first is not None and gateway.certificate_pem is None:
            gateway.certificate_pem = first.pem
            gateway.certificate_fingerprint = first.fingerprint


def as_error(error: BrokerError) -> dict[str, object]:
    """A broker's error as it is stored; the sample of a bad answer stays with the run."""
    return {
        "code": error.code,
        "message": error.message,
        "remedy": error.remedy,
        "fields": {},
        "retry_at": error.retry_at.isoformat() if error.retry_at else None,
        "sample": error.sample,
    }
