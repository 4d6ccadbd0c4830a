"""What links accounts to brokers and lets them go again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from brokers.contract import Connection as BrokerConnection
from brokers.errors import BrokerAccountMissing, CertificateChanged, CertificateUntrusted
from brokers.types import Certificate
from portfolio.accounts.models import CONNECTED, MANUAL, Account, CashBalance, Holding
from portfolio.accounts.names import clean_text
from portfolio.accounts.queries import portfolios as accounts
from portfolio.accounts.services import twins
from portfolio.accounts.services.portfolios import date_quotes, release
from portfolio.accounts.services.totals import renew, touch
from portfolio.clock import Moment
from portfolio.connections.gateways import (
    FIRST_BROKER,
    Outside,
    Route,
    find_gateway,
    forget_trouble,
    in_use,
    reaching,
    route_of,
    still_there,
)
from portfolio.connections.models import Connection, Gateway
from portfolio.db.session import unit_of_work
from portfolio.errors import Conflict, NotConnected, NotFound
from portfolio.sync import lease
from portfolio.sync.models import INTERRUPTED, IS_RUNNING, SyncRun
from portfolio.sync.services import drop_kept, lease_name
from portfolio.users.people import one_at_a_time

# What an accepted certificate settles.
CERTIFICATE_CODES = (CertificateChanged.code, CertificateUntrusted.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An account by its address, on behalf of its owner."""

    owner_id: int
    portfolio_id: int
    name: str

    def find(self, session: Session) -> Account:
        """The account, or `NotFound`."""
        return accounts.find_account(session, self.owner_id, self.portfolio_id, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """What a person chose when connecting an account.

    `replace_holdings` and `replace_cash` name rows kept by hand that the first sync closes; where
    they are None, `manual_holdings` says which.
    """

    account_id: str
    username: str | None = None
    manual_holdings: str = "replace_duplicates"
    replace_holdings: Sequence[int] | None = None
    replace_cash: Sequence[int] | None = None
    sync_enabled: bool = True
    gateway_id: int | None = None
    broker: str = FIRST_BROKER


def clean_username(typed: str | None) -> str | None:
    """A secondary user name as it is noted; None where there is none, or `Invalid`."""
    return clean_text(typed, "username", 100)


def connection_of(session: Session, account: Account) -> Connection | None:
    """The connection of an account, or None where it is kept by hand."""
    return session.scalar(select(Connection).where(Connection.account_id == account.id))


def connect(place: Place, wanted: LinkRequest, outside: Outside) -> bool:
    """Link an account to a broker account; True where the link is new.

    The same request again changes nothing, and one with another user name notes that one; the
    same broker account through another gateway moves the connection. The broker is asked first,
    and nothing is stored unless it answers with the account in its list.
    """
    if wanted.broker not in outside.brokers.brokers:
        raise NotFound("broker")
    with unit_of_work() as session:
        route, held = prepare(session, place, wanted)
        if held is not None and held == route.id:
            _name(connection_of(session, place.find(session)), wanted)
            return False
    with reaching(route, pin=True, outside=outside) as broker:
        must_be_listed(broker, wanted.account_id)
    try:
        with unit_of_work() as session:
            if not outside.shared_gateways:
                _refuse_foreign(session, place.owner_id, route.broker, wanted.account_id)
            moment = Moment.at(outside.clock.now(), outside.zone)
            return _link(session, place, wanted, route, moment, is_new=held is None)
    except IntegrityError as error:
        raise _linked_elsewhere(wanted.account_id) from error


def must_be_listed(broker: BrokerConnection, broker_account: str) -> None:
    """Raise `BrokerAccountMissing` where an account is not one of the signed-in user."""
    if broker_account not in {account.id for account in broker.accounts()}:
        raise BrokerAccountMissing.of(broker_account, broker.session)


def prepare(session: Session, place: Place, wanted: LinkRequest) -> tuple[Route, int | None]:
    """The gateway to ask, and the gateway of an equal link that exists already."""
    account = place.find(session)
    existing = connection_of(session, account)
    gateway_id = wanted.gateway_id
    if existing is not None:
        _refuse_another(existing, wanted)
        gateway_id = gateway_id or existing.gateway_id
    gateway = find_gateway(session, place.owner_id, gateway_id, wanted.broker)
    _refuse_second_link(session, account, gateway, wanted.account_id)
    return route_of(gateway), existing.gateway_id if existing else None


def _refuse_another(existing: Connection, wanted: LinkRequest) -> None:
    if (existing.broker, existing.broker_account) != (wanted.broker, wanted.account_id):
        raise Conflict(
            f"“{existing.account.name}” is already connected to {existing.broker_account}.",
            "Disconnect it first; existing holdings are kept.",
        )


def _refuse_second_link(
    session: Session, account: Account, gateway: Gateway, broker_account: str
) -> None:
    other = session.scalar(
        select(Connection.id).where(
            Connection.owner_id == gateway.owner_id,
            Connection.broker == gateway.broker,
            Connection.broker_account == broker_account,
            Connection.account_id != account.id,
        )
    )
    if other is not None:
        raise _linked_elsewhere(broker_account)


def _refuse_foreign(session: Session, owner_id: int, broker: str, broker_account: str) -> None:
    """Refuse what another user has linked; asked once the broker has listed it, not before."""
    one_at_a_time(session)
    others = Connection.owner_id != owner_id, Connection.broker == broker
    query = select(Connection.id).where(*others, Connection.broker_account == broker_account)
    if session.scalar(query.limit(1)) is not None:
        raise in_use(broker_account)


def _moved_meanwhile() -> Conflict:
    """The refusal of what was found out at a place where the gateway is no more."""
    return Conflict(
        "The gateway was moved or removed meanwhile; nothing was changed.",
        "Look at its address on Settings, and try again.",
    )


def _linked_elsewhere(broker_account: str) -> Conflict:
    return Conflict(
        f"{broker_account} is already connected to another account.",
        "Disconnect it there first, or choose another one.",
    )


def _link(
    session: Session,
    place: Place,
    wanted: LinkRequest,
    route: Route,
    moment: Moment,
    *,
    is_new: bool,
) -> bool:
    account = place.find(session)
    existing = connection_of(session, account)
    if still_there(session, route) is None:
        raise _moved_meanwhile()
    if existing is None and not is_new:
        # Who disconnects it while it is sent through another gateway wants it disconnected.
        raise NotConnected(account.name)
    if existing is not None:
        # Somebody else may have been quicker.
        _refuse_another(existing, wanted)
        existing.gateway_id = route.id
        _name(existing, wanted)
        # What the former gateway needed a person for is not a matter of this one.
        account.attention_code = None
        return False
    holdings, cash = _replaced(session, account, wanted)
    explicit = wanted.replace_holdings is not None or wanted.replace_cash is not None
    session.add(
        Connection(
            owner_id=place.owner_id,
            account_id=account.id,
            gateway_id=route.id,
            broker=route.broker,
            broker_account=wanted.account_id,
            username=wanted.username,
            manual_holdings="chosen" if explicit else wanted.manual_holdings,
            replaced_holdings=holdings,
            replaced_cash=cash,
            sync_enabled=wanted.sync_enabled,
            created_at=moment.now,
        )
    )
    account.mode, account.attention_code, account.synced_at = CONNECTED, None, None
    # What this account has of the broker's is the copy that counts from now on.
    twins.mark(session, place.owner_id)
    # Its totals, and today's value, are of what is kept by hand only, or unknown.
    renew(session, account, moment)
    return True


def _name(existing: Connection | None, wanted: LinkRequest) -> None:
    """Note the user name of a connection; who says none keeps the one that is noted."""
    if existing is not None and wanted.username:
        existing.username = wanted.username


def _replaced(
    session: Session, account: Account, wanted: LinkRequest
) -> tuple[list[int], list[int]]:
    """The rows kept by hand that the first sync may close: those named, or all as a choice."""
    held = select(Holding.id).where(
        Holding.account_id == account.id, Holding.source == MANUAL, Holding.closed_at.is_(None)
    )
    cash = select(CashBalance.id).where(
        CashBalance.account_id == account.id, CashBalance.source == MANUAL
    )
    holdings, balances = list(session.scalars(held)), list(session.scalars(cash))
    if wanted.replace_holdings is not None or wanted.replace_cash is not None:
        named, spent = wanted.replace_holdings or (), wanted.replace_cash or ()
        return [of for of in holdings if of in named], [of for of in balances if of in spent]
    return ([], []) if wanted.manual_holdings == "keep" else (holdings, balances)


def disconnect(place: Place, *, close_holdings: bool, moment: Moment) -> None:
    """Unlink an account; its holdings stay, or those of the broker become no longer held."""
    with unit_of_work() as session:
        account = place.find(session)
        connection = connection_of(session, account)
        if connection is None:
            raise NotConnected(account.name)
        _stop_running(session, account, moment.now)
        source = connection.broker, connection.broker_account
        date_quotes(session, account, *source)
        if close_holdings:
            release(session, account, *source, now=moment.now)
        lease.revoke(session, lease_name(connection.id))
        drop_kept(session, account.id)
        session.delete(connection)
        account.mode, account.attention_code = MANUAL, None
        # Nobody states a total beside ours any more.
        touch(session, account, moment).broker_net_liquidation = None


def _stop_running(session: Session, account: Account, now: datetime) -> None:
    """A run under way finds its row taken and writes nothing."""
    running = SyncRun.account_id == account.id, IS_RUNNING
    ended = {"status": INTERRUPTED, "reason": "disconnected", "finished_at": now}
    session.execute(update(SyncRun).where(*running).values(**ended))


def accept_certificate(
    owner_id: int, gateway_id: int, fingerprint: str, outside: Outside
) -> Certificate:
    """Pin the certificate that a gateway shows now, provided it is the one a person looked at.

    Accounts connected through it that waited for this wait no longer. Raises the broker's errors.
    """
    with unit_of_work() as session:
        route = route_of(find_gateway(session, owner_id, gateway_id))
    shown = outside.connect(route).acceptable()
    if shown is None:
        raise Conflict(f"{route.address} shows no certificate.", "There is nothing to accept.")
    if shown.fingerprint != fingerprint.replace(":", "").replace(" ", "").lower():
        raise Conflict(
            "The gateway shows another certificate than the one you accepted.",
            "Test the connection again and compare the fingerprints.",
        )
    with unit_of_work() as session:
        gateway = still_there(session, route)
        if gateway is None:
            raise _moved_meanwhile()
        gateway.certificate_pem, gateway.certificate_fingerprint = shown.pem, shown.fingerprint
        if gateway.state in CERTIFICATE_CODES:
            forget_trouble(gateway)
        through = select(Connection.account_id).where(Connection.gateway_id == gateway.id)
        waiting = Account.id.in_(through), Account.attention_code.in_(CERTIFICATE_CODES)
        session.execute(update(Account).where(*waiting).values(attention_code=None))
    return shown
