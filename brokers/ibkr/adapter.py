"""The account list, the snapshot, and the witness: whole, or an error."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.contract import Connection, Context
from brokers.errors import BadAnswer, Incomplete, NotAuthenticated
from brokers.ibkr import errors, mapping
from brokers.ibkr.client import CONTRACTS_PER_CALL, GatewayClient
from brokers.ibkr.doctor import examine
from brokers.ibkr.session import Tickle
from brokers.ibkr.state import GatewayState
from brokers.types import (
    BrokerAccount,
    Certificate,
    Diagnosis,
    Ledger,
    Position,
    SessionState,
    Snapshot,
    Witness,
)

MOST_PAGES = 200
SETTLING = 5
# The ledger is single precision: beyond a cent, its fields are off by a millionth of their size.
CENTS, RELATIVE = Decimal("0.02"), Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """One pass over the account."""

    before: Ledger
    after: Ledger
    positions: tuple[Position, ...]
    closed: frozenset[str]
    guessed: bool


class GatewayConnection(Connection):
    """IBKR through one Client Portal Gateway."""

    def __init__(self, context: Context, state: GatewayState) -> None:
        self._context = context
        self._state = state
        self._client = GatewayClient(context, state)
        self._read: set[str] = set()

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
        return self._state.facts.session

    def keep_alive(self) -> None:
        """Tell IBKR that the session is in use."""
        self._tickle()

    def accounts(self) -> tuple[BrokerAccount, ...]:
        """The accounts of the signed-in user, at most five seconds old and of this session."""
        return self._accounts(self._tickle())

    def diagnose(self, expected: Collection[str] = ()) -> Diagnosis:
        """Walk the chain to IBKR and name the first broken link."""
        return examine(self._client, self._context, self._state, expected)

    def snapshot(self, account_id: str) -> Snapshot:
        """The whole account, with the ledger before and after the positions."""
        tickle = self._tickle()
        account = self._listed(account_id, tickle)
        try:
            self._forget_cache(account_id)
            read = self._settled(account)
        except NotAuthenticated:
            # Signed out meanwhile, or signed in without the right to read positions yet.
            self._tickle()
            raise errors.positions_not_released() from None
        self._tickle()
        return Snapshot(
            account=account,
            read_at=self._context.clock.now(),
            positions=read.positions,
            closed_keys=read.closed,
            ledger=read.after,
            ledger_before=read.before,
            warnings=self._warnings(tickle, read),
        )

    def _forget_cache(self, account_id: str) -> None:
        """Before a second look: who asks again doubts the first answer, which IBKR may repeat."""
        if account_id in self._read:
            self._client.invalidate(account_id)
        self._read.add(account_id)

    def witness(self, account_id: str) -> Witness:
        """What is held by the uncached list; where that fails, by the pages read afresh."""
        self._listed(account_id, self._tickle())
        try:
            held = mapping.quantities(self._client.positions_uncached(account_id))
        except BadAnswer:
            self._client.invalidate(account_id)
            self._context.clock.sleep(SETTLING)
            held = mapping.quantities(mapping.distinct(self._pages(account_id), account_id))
        return Witness(read_at=self._context.clock.now(), quantities=held)

    def maintenance_margin(self, account_id: str) -> Decimal:
        """What IBKR holds against open risk, in base currency."""
        self._listed(account_id, self._tickle())
        return mapping.maintenance_margin(self._client.summary(account_id))

    def _tickle(self) -> Tickle:
        return self._client.session()

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
        raise errors.account_missing(account_id, tickle.state)

    def _settled(self, account: BrokerAccount) -> _Read:
        """One pass; a second one where a trade moved the cash meanwhile."""
        for _ in range(2):
            read = self._pass(account)
            if _cash_stood_still(read.before, read.after):
                return read
            self._client.invalidate(account.id)
        raise errors.bad("The account was changing while it was read.")

    def _pass(self, account: BrokerAccount) -> _Read:
        before = self._ledger(account)
        rows = mapping.distinct(self._pages(account.id), account.id)
        after = self._ledger(account)
        lean = [row for row in rows if mapping.is_lean(row)]
        terms = self._contracts(lean)
        positions, closed = mapping.positions(
            rows, terms, after.base_currency, self._state.instruments
        )
        guessed = any(mapping.currency_of(r, terms.get(mapping.key(r), {})) is None for r in lean)
        return _Read(
            before=before, after=after, positions=positions, closed=closed, guessed=guessed
        )

    def _ledger(self, account: BrokerAccount) -> Ledger:
        return mapping.ledger(self._client.ledger(account.id), account.id, account.currency)

    def _pages(self, account_id: str) -> list[mapping.Row]:
        rows: list[mapping.Row] = []
        seen: set[tuple[str, ...]] = set()
        for number in range(MOST_PAGES):
            page = mapping.checked_page(self._client.positions(account_id, number), account_id)
            if not page:
                return rows
            marks = tuple(mapping.key(row) for row in page)
            if marks in seen:
                raise Incomplete("The gateway answered with the same page of positions twice.")
            seen.add(marks)
            rows += page
            if self._context.progress is not None:
                self._context.progress(len(rows))
        raise Incomplete("The list of positions does not end.")

    def _contracts(self, lean: list[mapping.Row]) -> Mapping[str, mapping.Row]:
        """The terms of the contracts that came without them."""
        wanted = sorted({mapping.key(row) for row in lean})
        known = {of: terms for of in wanted if (terms := self._state.contract(of)) is not None}
        unknown = [of for of in wanted if of not in known]
        for start in range(0, len(unknown), CONTRACTS_PER_CALL):
            batch = unknown[start : start + CONTRACTS_PER_CALL]
            read = mapping.contracts(self._client.contracts(batch))
            self._state.keep_contracts(read)
            known |= read
        return known

    def _warnings(self, tickle: Tickle, read: _Read) -> tuple[str, ...]:
        certificate: Any = self._client.certificate
        found = {
            "signed_in_elsewhere": tickle.state.signed_in_elsewhere,
            "no_market_data": any(position.price is None for position in read.positions),
            "currency_guessed": read.guessed,
            "certificate_stock": certificate is not None and certificate.is_stock,
        }
        return tuple(name for name, applies in found.items() if applies)


def _cash_stood_still(before: Ledger, after: Ledger) -> bool:
    earlier = {row.currency: row.cash for row in before.rows}
    later = {row.currency: row.cash for row in after.rows}
    return all(
        abs(earlier.get(currency, Decimal(0)) - later.get(currency, Decimal(0)))
        <= CENTS + RELATIVE * abs(later.get(currency, Decimal(0)))
        for currency in earlier.keys() | later.keys()
    )
