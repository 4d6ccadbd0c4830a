"""The account list, the snapshot, and the witness: whole, or an error."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.contract import Connection, Context
from brokers.errors import BrokerAccountMissing, NotAuthenticated
from brokers.ibkr import errors, mapping
from brokers.ibkr.calendar import session_end
from brokers.ibkr.client import GatewayClient
from brokers.ibkr.doctor import examine
from brokers.ibkr.reading import Read, Reader
from brokers.ibkr.session import Tickle
from brokers.ibkr.state import GatewayState
from brokers.types import (
    BrokerAccount,
    Certificate,
    Diagnosis,
    SessionState,
    Snapshot,
    Witness,
)


class GatewayConnection(Connection):
    """IBKR through one Client Portal Gateway."""

    def __init__(self, context: Context, state: GatewayState) -> None:
        self._context = context
        self._state = state
        self._client = GatewayClient(context, state)
        self._reader = Reader(context, self._client, state)

    @property
    def certificate(self) -> Certificate | None:
        """The certificate in use; None before any contact."""
        return self._client.certificate

    @property
    def last_calls(self) -> Mapping[str, datetime]:
        """When each endpoint with a limit was last asked."""
        return self._state.pacer.last_calls()

    def acceptable(self) -> Certificate:
        """The certificate that is shown now, where a person may accept it."""
        return self._client.acceptable()

    @property
    def session(self) -> SessionState | None:
        """Who is signed in at the gateway, as the last call told."""
        facts = self._state.facts
        if facts.session is None or facts.user is None:
            # The region comes with the name: without it, it is that of an earlier session.
            return facts.session
        ends_at = session_end(self._context.clock.now(), facts.region)
        return replace(facts.session, ends_at=ends_at)

    def keep_alive(self) -> None:
        """Tell IBKR that the session is in use."""
        self._client.session()

    def accounts(self) -> tuple[BrokerAccount, ...]:
        """The accounts of the signed-in user, at most five seconds old and of this session."""
        return self._accounts(self._client.session())

    def diagnose(self, expected: Collection[str] = ()) -> Diagnosis:
        """Walk the chain to IBKR and name the first broken link."""
        return examine(self._client, self._context, self._state, expected)

    def snapshot(self, account_id: str) -> Snapshot:
        """The whole account, with the ledger before and after the positions."""
        tickle = self._signed_in()
        account = self._listed(account_id, tickle)
        try:
            read = self._reader.account(account)
        except NotAuthenticated:
            # Signed out meanwhile, or signed in without the right to read positions yet.
            self._client.session()
            raise errors.positions_not_released() from None
        self._client.session()
        return Snapshot(
            account=account,
            read_at=self._context.clock.now(),
            positions=read.positions,
            closed_keys=read.closed,
            ledger=read.after,
            ledger_before=read.before,
            warnings=self._warnings(tickle, account_id, read),
        )

    def witness(self, account_id: str) -> Witness:
        """What is held by the other one of IBKR's two lists; by pages read afresh without it."""
        self._listed(account_id, self._signed_in())
        held, refutes = self._reader.second_look(account_id)
        return Witness(
            read_at=self._context.clock.now(), quantities=held, refutes_snapshot=refutes
        )

    def maintenance_margin(self, account_id: str) -> Decimal:
        """What IBKR holds against open risk, in base currency."""
        self._listed(account_id, self._signed_in())
        return mapping.maintenance_margin(self._client.summary(account_id))

    def _signed_in(self) -> Tickle:
        """Who is signed in, as a tickle told within the last second; asked anew before that."""
        return self._state.session() or self._client.session()

    def _accounts(self, tickle: Tickle) -> tuple[BrokerAccount, ...]:
        known = self._state.accounts(tickle.mark)
        if known is None:
            known = mapping.accounts(self._client.accounts())
            self._state.keep_accounts(tickle.mark, known)
        return known

    def _listed(self, account_id: str, tickle: Tickle) -> BrokerAccount:
        if not mapping.is_account_id(account_id):
            # The list leaves such rows out: who is signed in is not to blame.
            raise errors.bad(f"“{account_id}” is no account id that IBKR can be asked for.")
        for account in self._accounts(tickle):
            if account.id == account_id:
                return account
        raise BrokerAccountMissing.of(account_id, tickle.state)

    def _warnings(self, tickle: Tickle, account_id: str, read: Read) -> tuple[str, ...]:
        certificate: Any = self._client.certificate
        found = {
            "signed_in_elsewhere": tickle.state.signed_in_elsewhere,
            "no_market_data": any(position.price is None for position in read.positions),
            "currency_guessed": read.guessed,
            "lists_disagree": self._reader.lists_disagree(account_id),
            "certificate_stock": certificate is not None and certificate.is_stock,
        }
        return tuple(name for name, applies in found.items() if applies)
