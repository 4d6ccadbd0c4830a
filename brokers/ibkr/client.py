"""A short method per endpoint: sends, checks that an answer is one, returns it decoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import requests

from brokers import trust
from brokers.addresses import split_address
from brokers.contract import Context
from brokers.errors import (
    BadAnswer,
    BrokerError,
    BrokerMaintenance,
    GatewaySilent,
    NotAuthenticated,
    RateLimited,
)
from brokers.failures import was_closed
from brokers.http import Answer, Caller, Endpoint, Take, decode
from brokers.ibkr import endpoints, errors
from brokers.ibkr.errors import Situation
from brokers.ibkr.session import (
    Tickle,
    after_error,
    after_tickle,
    read_tickle,
    remembered,
    with_user,
)
from brokers.ibkr.state import GatewayState
from brokers.types import Certificate

LOGIN_PATH = "/sso/Login"
CONTRACTS_PER_CALL = 200
# Whose odd answers stop nobody: the next call tells whether more is out of order.
DISPENSABLE = (endpoints.VALIDATE, endpoints.POSITIONS_2)
# Two calls that hang are over after the total deadline; who waits longer is not helped.
LONGEST_QUEUE = 30


class GatewayClient:
    """One gateway; the certificate is looked at before the first byte of a request is sent."""

    def __init__(self, context: Context, state: GatewayState) -> None:
        self._context = context
        self._state = state
        self._callers: dict[str, Caller] = {}
        self._seen: Certificate | None = None
        self.certificate: Certificate | None = None

    def tickle(self) -> Any:
        """Who is signed in; keeps the session alive."""
        return self._json(endpoints.TICKLE)

    def session(self) -> Tickle:
        """Who is signed in, understood and remembered; raises `NotAuthenticated`."""
        return self.understood(self.tickle())

    def understood(self, answer: Any) -> Tickle:
        """The session that a tickle tells of, with its user; raises `NotAuthenticated`."""
        try:
            found = self._named(read_tickle(answer, self.situation))
        except BrokerError as error:
            self._state.learn(partial(after_error, error=error, now=self._now()))
            raise
        self._state.learn(partial(after_tickle, found=found, now=self._now()))
        return found

    def _named(self, found: Tickle) -> Tickle:
        """The session with its user's name, asked for once, and never waited for."""
        known = remembered(found, self._state.facts)
        if known is not None or self._state.pacer.delay(endpoints.VALIDATE.template) > 0:
            return known or found
        try:
            return with_user(found, self.validate())
        except (BadAnswer, BrokerMaintenance, NotAuthenticated):
            return found

    def check_gateway(self) -> None:
        """Raise `NotAGateway` or `AddressNotAllowed` unless a gateway answers."""
        answer = self._send(endpoints.ROOT, {}, {}, base="")
        if answer.status == 429:
            self._data(answer)
        if answer.status in {403, 404} and b"Access Denied" in answer.body[:200]:
            raise errors.address_not_allowed()
        if answer.status != 302 or LOGIN_PATH not in (answer.location or ""):
            raise errors.not_a_gateway(self._context.address)

    def check_silence(self) -> None:
        """Raise `RateLimited` while IBKR wants silence."""
        until = self._state.pacer.silent_until
        if until is not None:
            raise errors.rate_limited(until, self.situation)

    def validate(self) -> Any:
        """The name of the signed-in user."""
        return self._json(endpoints.VALIDATE)

    def accounts(self) -> Any:
        """The accounts of the signed-in user."""
        return self._json(endpoints.ACCOUNTS)

    def positions(self, account: str, page: int) -> Any:
        """One page of positions; an empty list is the end."""
        values = {"account": account, "page": str(page)}
        return self._json(endpoints.POSITIONS, values, {"waitForSecDef": "true"})

    def ledger(self, account: str) -> Any:
        """Cash and class values, currency by currency."""
        return self._json(endpoints.LEDGER, {"account": account})

    def summary(self, account: str) -> Any:
        """Margins and other totals."""
        return self._json(endpoints.SUMMARY, {"account": account})

    def invalidate(self, account: str) -> None:
        """Ask IBKR to forget its cached positions."""
        self._json(endpoints.INVALIDATE, {"account": account})

    def positions_uncached(self, account: str, take: Take) -> Any:
        """What `take` makes of all positions in one answer, not from a cache."""
        return self._json(endpoints.POSITIONS_2, {"account": account}, take=take)

    def contracts(self, keys: Sequence[str]) -> Any:
        """The terms of up to 200 contracts; unknown ones are left out."""
        query = {"conids": ",".join(keys[:CONTRACTS_PER_CALL])}
        return self._json(endpoints.CONTRACTS, {}, query)

    def open(self) -> Certificate:
        """Look at the certificate and decide whether to trust it; sends nothing."""
        if self.certificate is None:
            self.certificate = self._looked(lambda: trust.trusted(self._context, self._seen))
        return self.certificate

    def look(self) -> Certificate:
        """The certificate that is shown now, whether or not it is trusted; sends nothing."""
        self._seen = self._looked(lambda: trust.shown(self._context))
        return self._seen

    def acceptable(self) -> Certificate:
        """The certificate that is shown now, where a person may accept it; sends nothing."""
        return self._looked(lambda: trust.acceptable(self._context))

    def _looked(self, look: Callable[[], Certificate]) -> Certificate:
        try:
            return look()
        except (OSError, ValueError) as error:
            raise self._error_of(error) from error

    @property
    def situation(self) -> Situation:
        """Where and when we are, for whoever explains a failure."""
        of = self._context
        return Situation(
            address=of.address,
            login_address=of.login_address,
            now=of.clock.now(),
            zone=of.zone,
            region=self._state.facts.region,
        )

    def _json(
        self,
        endpoint: Endpoint,
        values: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        take: Take | None = None,
    ) -> Any:
        try:
            answer = self._send(
                endpoint, values or {}, query or {}, base=endpoints.BASE, take=take
            )
            if answer.taken is not None:
                return answer.taken
            value = self._told(answer, endpoint)
            return value if take is None else take(value)
        except BrokerError as error:
            self._state.learn(partial(after_error, error=error, now=self._now()))
            raise

    def _told(self, answer: Answer, endpoint: Endpoint) -> Any:
        """What an answer says; an odd one is perhaps not that of a gateway at all."""
        try:
            return self._data(answer)
        except BadAnswer:
            # Another program may have got the port between any two calls.
            if endpoint not in DISPENSABLE:
                self.check_gateway()
            raise

    def _data(self, answer: Answer) -> Any:
        """What an answer says, or the error that it is."""
        at = self.situation
        failure = errors.from_status(answer, at)
        if failure is None:
            value = self._decoded(answer)
            failure = errors.from_body(value, answer.body, at)
        if failure is None:
            return value
        if isinstance(failure, RateLimited):
            self._state.pacer.close_until(failure.retry_at)
        raise failure

    def _decoded(self, answer: Answer) -> Any:
        if not answer.body.strip():
            raise errors.bad("The gateway answered with nothing.")
        try:
            return decode(answer.body)
        except BrokerError:
            message = "The gateway answered with something else than data."
            raise errors.bad(message, answer.body) from None

    def _send(
        self,
        endpoint: Endpoint,
        values: Mapping[str, str],
        query: Mapping[str, str],
        *,
        base: str,
        take: Take | None = None,
    ) -> Answer:
        endpoint.path(values)
        caller = self._caller(base)
        self._wait_for_circuit(endpoint)
        if not self._state.seats.acquire(timeout=LONGEST_QUEUE):
            raise errors.silent(self._context.address)
        try:
            answer = self._answered(partial(caller.send, endpoint, values, query, take), endpoint)
        except RateLimited as error:
            until = error.retry_at or self._now()
            raise errors.rate_limited(until, self.situation) from error
        except (requests.RequestException, OSError) as error:
            raise self._explained(error) from error
        finally:
            self._state.seats.release()
        self._state.circuit.succeeded()
        return answer

    def _wait_for_circuit(self, endpoint: Endpoint) -> None:
        until = self._state.circuit.closed_until(probe=endpoint is endpoints.TICKLE)
        # What the gateway answers by itself says nothing about the way behind it.
        if until is not None and endpoint is not endpoints.ROOT:
            raise errors.silent(self._context.address, until)

    def _answered(self, call: Callable[[], Answer], endpoint: Endpoint) -> Answer:
        """One call; a GET that fell on a connection closed meanwhile is sent once more."""
        try:
            return call()
        except requests.ConnectionError as error:
            if endpoint.method != "GET" or not was_closed(error):
                raise
            return call()

    def _caller(self, base: str) -> Caller:
        if base not in self._callers:
            host, port = split_address(self._context.address)
            shown = f"[{host}]" if ":" in host else host
            session = self._context.network.session(self.open())
            address = f"https://{shown}:{port}{base}"
            of = self._context
            self._callers[base] = Caller(
                address,
                session,
                self._state.pacer,
                of.clock,
                recorder=of.recorder,
                before=of.before_call,
            )
        return self._callers[base]

    def _explained(self, error: Exception) -> BrokerError:
        """A refused handshake may mean another certificate: look at the one that is shown."""
        if isinstance(error, requests.exceptions.SSLError) and self.certificate is not None:
            try:
                refusal = trust.refused_handshake(self._context, self.certificate)
            except (OSError, ValueError) as failure:
                return self._error_of(failure)
            if refusal is not None:
                return refusal
        explained = self._error_of(error)
        if isinstance(explained, GatewaySilent):
            self._state.circuit.timed_out()
        return explained

    def _error_of(self, error: Exception) -> BrokerError:
        known = (self.certificate or self._context.certificate) is not None
        return errors.from_exception(error, self._context.address, known=known)

    def _now(self) -> datetime:
        return self._context.clock.now()
