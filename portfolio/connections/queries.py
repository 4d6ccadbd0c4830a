"""What is read of gateways and connections: choices, links, and whether a person must act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from brokers.addresses import split_address
from brokers.errors import BrokerError, NeedsUser
from brokers.registry import Registry
from brokers.tls import is_loopback
from brokers.types import BrokerAccount
from portfolio.accounts.models import Account, Portfolio
from portfolio.accounts.resources import Link
from portfolio.connections.models import Connection, Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedTo:
    """The account of this owner that a broker account is linked to."""

    portfolio_id: int
    account_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableAccount:
    """A broker account that can be chosen, with what it is linked to already."""

    id: str
    name: str
    currency: str | None
    type: str | None
    is_paper: bool
    is_open: bool
    gateway_id: int
    connected_to: ConnectedTo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayView:
    """A gateway as a resource; `accounts` are those connected through it."""

    id: int
    broker: str
    url: str
    login_url: str
    certificate_fingerprint: str | None
    silent_until: datetime | None
    accounts: tuple[str, ...]

    @property
    def waits_for_acceptance(self) -> bool:
        """Whether a person has to accept its certificate: none is pinned, and it is not here."""
        try:
            host, _ = split_address(self.url)
        except ValueError:
            return False
        return self.certificate_fingerprint is None and not is_loopback(host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A broker that an account can be connected to, and the gateways that lead there."""

    key: str
    name: str
    gateways: tuple[GatewayView, ...]


def links(session: Session, account_ids: Sequence[int]) -> Mapping[int, Link]:
    """The connections of some accounts, by account id."""
    rows = session.scalars(select(Connection).where(Connection.account_id.in_(account_ids)))
    return {row.account_id: link(row) for row in rows}


def link(row: Connection) -> Link:
    """The connection as its account shows it."""
    return Link(
        id=row.id,
        broker=row.broker,
        broker_account=row.broker_account,
        gateway_id=row.gateway_id,
        username=row.username,
        sync_enabled=row.sync_enabled,
        paused=row.paused,
    )


def gateways(session: Session, owner_id: int) -> list[GatewayView]:
    """The owner's gateways, the first one first."""
    rows = session.scalars(
        select(Gateway).where(Gateway.owner_id == owner_id).order_by(Gateway.id)
    ).all()
    return _views(session, rows)


def linked_through(session: Session, gateway_id: int) -> list[str]:
    """The broker accounts that are connected through a gateway."""
    query = select(Connection.broker_account).where(Connection.gateway_id == gateway_id)
    return list(session.scalars(query.order_by(Connection.broker_account)))


def one_gateway(session: Session, row: Gateway) -> GatewayView:
    """A gateway with the accounts that are connected through it."""
    (view,) = _views(session, [row])
    return view


def _views(session: Session, rows: Sequence[Gateway]) -> list[GatewayView]:
    names: dict[int, list[str]] = {row.id: [] for row in rows}
    used = select(Connection.gateway_id, Account.name).join(Connection.account)
    for gateway_id, name in session.execute(
        used.where(Connection.gateway_id.in_(names)).order_by(Account.name)
    ):
        names[gateway_id].append(name)
    return [gateway_view(row, names[row.id]) for row in rows]


def ways(session: Session, owner_id: int, brokers: Registry) -> list[Way]:
    """The brokers with a gateway and an adapter that loaded, in the order of their gateways."""
    found: dict[str, list[GatewayView]] = {}
    for gateway in gateways(session, owner_id):
        found.setdefault(gateway.broker, []).append(gateway)
    return [
        Way(key=key, name=brokers.get(key).manifest.short_name, gateways=tuple(through))
        for key, through in found.items()
        if key in brokers.brokers
    ]


def gateway_view(row: Gateway, accounts: Sequence[str]) -> GatewayView:
    """A gateway as a resource."""
    return GatewayView(
        id=row.id,
        broker=row.broker,
        url=row.address,
        login_url=row.login_address,
        certificate_fingerprint=row.certificate_fingerprint,
        silent_until=row.silent_until,
        accounts=tuple(accounts),
    )


def available(
    session: Session, owner_id: int, gateway_id: int, listed: Sequence[BrokerAccount]
) -> tuple[AvailableAccount, ...]:
    """The accounts that a broker listed, each with what it is linked to."""
    taken = connected_to(session, owner_id)
    return tuple(
        AvailableAccount(
            id=of.id,
            name=of.name,
            currency=of.currency,
            type=of.type,
            is_paper=of.is_paper,
            is_open=of.is_open,
            gateway_id=gateway_id,
            connected_to=taken.get(of.id),
        )
        for of in listed
    )


def connected_to(session: Session, owner_id: int) -> dict[str, ConnectedTo]:
    """The accounts of an owner that are connected, by the broker account of each."""
    query = (
        select(Connection.broker_account, Portfolio.id, Account.name)
        .join(Account, Account.id == Connection.account_id)
        .join(Portfolio, Portfolio.id == Account.portfolio_id)
        .where(Connection.owner_id == owner_id)
    )
    return {
        broker_account: ConnectedTo(portfolio_id=portfolio_id, account_name=name)
        for broker_account, portfolio_id, name in session.execute(query)
    }


def needs_user(code: str) -> bool:
    """Whether an error code of a broker waits for a person."""
    return code in _codes(NeedsUser)


def broker_codes() -> dict[str, bool]:
    """Every error code of a broker, and whether it waits for a person."""
    return {code: code in _codes(NeedsUser) for code in _codes(BrokerError)}


def _codes(of: type[BrokerError]) -> frozenset[str]:
    below = [code for child in of.__subclasses__() for code in _codes(child)]
    return frozenset([of.code, *below])
