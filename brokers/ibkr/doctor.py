"""Walks the chain from the port to the positions, and stops at the first broken link."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from brokers import trust
from brokers.contract import Context
from brokers.errors import (
    AddressNotAllowed,
    BadAnswer,
    BrokerAccountMissing,
    BrokerError,
    CertificateChanged,
    CertificateUntrusted,
    NotAGateway,
    NotAuthenticated,
    RateLimited,
)
from brokers.ibkr import errors, mapping
from brokers.ibkr.client import GatewayClient
from brokers.ibkr.state import GatewayState
from brokers.types import Certificate, Check, Diagnosis, SessionState

TITLES = {
    "reachable": "Reachable",
    "certificate": "Certificate",
    "gateway": "Gateway",
    "address": "Address allowed",
    "upstream": "IBKR answers",
    "signed_in": "Signed in",
    "accounts": "Accounts",
    "positions": "Positions",
}
WAITS = "waits for the line above"
NOT_TESTED = "not tested"
# What these answer shows that the links before the broken one hold; other failures show nothing.
ANSWERS = (AddressNotAllowed, NotAuthenticated)


@dataclass
class _Findings:
    """What the walk has learnt so far."""

    expected: list[str]
    session: SessionState | None = None
    mark: str = ""
    account: str = ""
    priced: tuple[int, int] | None = None


def examine(
    client: GatewayClient, context: Context, state: GatewayState, expected: Collection[str]
) -> Diagnosis:
    """What a test of the connection finds; pins nothing and changes nothing.

    `expected` are accounts that must be in the list.
    """
    findings = _Findings(expected=sorted(expected))
    walk = _Walk(client, context, state, findings)
    checks: list[Check] = []
    broken: BrokerError | None = None
    for name, step in walk.steps():
        if any(check.name == name for check in checks):
            continue
        if broken is not None:
            checks.append(Check(name=name, title=TITLES[name], ok=None, message=WAITS))
            continue
        try:
            checks.append(Check(name=name, title=TITLES[name], ok=True, message=step()))
        except BrokerError as error:
            broken = error
            at = _link(error, name)
            checks = _place(checks, name, at, error)
    checks += [_prices(findings.priced), _trading(findings.session)]
    return _verdict(tuple(checks), broken, findings.session)


def _link(error: BrokerError, name: str) -> str:
    """Which link an error belongs to; a later call may be the one that finds it."""
    if isinstance(error, (CertificateChanged, CertificateUntrusted)):
        return "certificate"
    if isinstance(error, AddressNotAllowed):
        return "address"
    if isinstance(error, NotAGateway) and name in {"reachable", "certificate"}:
        return "gateway"
    if isinstance(error, RateLimited):
        return name if list(TITLES).index(name) > list(TITLES).index("upstream") else "upstream"
    if isinstance(error, NotAuthenticated) and name == "upstream":
        return "signed_in"
    return name


def _place(checks: list[Check], name: str, at: str, error: BrokerError) -> list[Check]:
    """The checks so far with the broken link at its place."""
    order = list(TITLES)
    broken = Check(name=at, title=TITLES[at], ok=False, message=error.message, remedy=error.remedy)
    before = [check for check in checks if order.index(check.name) < order.index(at)]
    between = order[order.index(name) : order.index(at)]
    reached = [_passed(of, error) for of in between]
    after = order[order.index(at) + 1 : order.index(name) + 1]
    waiting = [Check(name=of, title=TITLES[of], ok=None, message=WAITS) for of in after]
    return [*before, *reached, broken, *waiting]


def _passed(name: str, error: BrokerError) -> Check:
    """A link that was passed over on the way to the broken one."""
    answered = isinstance(error, NotAGateway) and name == "reachable"
    if answered or isinstance(error, ANSWERS):
        return Check(name=name, title=TITLES[name], ok=True, message="yes")
    return Check(name=name, title=TITLES[name], ok=None, message=NOT_TESTED)


def _prices(priced: tuple[int, int] | None) -> Check:
    """Prices are optional: a missing one is told, and breaks nothing."""
    if priced is None:
        return Check(name="prices", title="Prices", ok=None, message=WAITS)
    known, all_rows = priced
    if known == all_rows:
        return Check(name="prices", title="Prices", ok=True, message="come with the positions")
    return Check(
        name="prices",
        title="Prices",
        ok=None,
        message=f"No market data available for {all_rows - known} of {all_rows} holdings.",
        remedy="Check your market data subscriptions in IBKR Client Portal; they are optional and "
        "not needed for holdings.",
    )


def _trading(session: SessionState | None) -> Check:
    used = session.signed_in_elsewhere if session else None
    message = "not needed; used by another program" if used else "not needed"
    return Check(name="trading_session", title="Trading session", ok=None, message=message)


def _verdict(
    checks: tuple[Check, ...],
    broken: BrokerError | None,
    session: SessionState | None,
) -> Diagnosis:
    if session is None and isinstance(broken, NotAuthenticated):
        session = SessionState(signed_in=False)
    return Diagnosis(
        connected=broken is None,
        code="ready" if broken is None else broken.code,
        message="Connected to Interactive Brokers" if broken is None else broken.message,
        remedy=None if broken is None else broken.remedy,
        session=session,
        checks=checks,
        shown_certificate=broken.shown
        if isinstance(broken, (CertificateChanged, CertificateUntrusted))
        else None,
        retry_at=None if broken is None else broken.retry_at,
    )


class _Walk:
    """The steps, each a sentence or a `BrokerError`."""

    def __init__(
        self, client: GatewayClient, context: Context, state: GatewayState, findings: _Findings
    ) -> None:
        self._client = client
        self._context = context
        self._state = state
        self._findings = findings
        self._seen: Certificate | None = None
        self._tickled: Any = None

    def steps(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        """The links in order."""
        return (
            ("reachable", self._reachable),
            ("certificate", self._certificate),
            ("gateway", self._gateway),
            ("address", self._address),
            ("upstream", self._upstream),
            ("signed_in", self._signed_in),
            ("accounts", self._accounts),
            ("positions", self._positions),
        )

    def _reachable(self) -> str:
        self._client.check_silence()
        self._seen = self._client.look()
        return f"something answers at {self._context.address}"

    def _certificate(self) -> str:
        pinned = self._context.certificate
        if pinned is not None and self._seen is not None:
            refusal = trust.replaced(self._context, pinned, self._seen)
            if refusal is not None:
                raise refusal
        certificate = self._client.open()
        if certificate.is_stock:
            return "the public one that ships with the gateway; fine on this computer only"
        if pinned is not None:
            return "the one you know"
        return "verified" if certificate.is_verified else "seen for the first time"

    def _gateway(self) -> str:
        self._client.check_gateway()
        return "a Client Portal Gateway"

    def _address(self) -> str:
        return "this computer may use it"

    def _upstream(self) -> str:
        try:
            self._tickled = self._client.tickle()
        except BadAnswer as error:
            raise NotAGateway(error.message, error.remedy) from error
        return "through the gateway"

    def _signed_in(self) -> str:
        tickle = self._client.understood(self._tickled)
        state = tickle.state
        self._findings.session, self._findings.mark = state, tickle.mark
        return f"as {state.named}" if state.named else "yes"

    def _accounts(self) -> str:
        listed = self._state.accounts(self._findings.mark)
        if listed is None:
            listed = mapping.accounts(self._client.accounts())
            self._state.keep_accounts(self._findings.mark, listed)
        ids = [account.id for account in listed]
        for wanted in self._findings.expected:
            if wanted not in ids:
                raise BrokerAccountMissing.of(wanted, self._findings.session)
        self._findings.account = next(iter(self._findings.expected), ids[0])
        return f"{len(listed)} to choose from"

    def _positions(self) -> str:
        account = self._findings.account
        try:
            rows = mapping.checked_page(self._client.positions(account, 0), account)
        except NotAuthenticated:
            raise errors.positions_not_released() from None
        self._findings.priced = mapping.priced(rows)
        return "can be read"
