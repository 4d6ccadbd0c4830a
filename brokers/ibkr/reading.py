"""How one connection reads an account: by the pages, or at once where that is believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from brokers.contract import Context
from brokers.errors import BrokerError, Incomplete, RateLimited
from brokers.ibkr import agreement, errors, mapping
from brokers.ibkr.agreement import LARGE, Seen, Standing
from brokers.ibkr.client import CONTRACTS_PER_CALL, GatewayClient
from brokers.ibkr.state import GatewayState
from brokers.types import BrokerAccount, Ledger, Position

# The lines of the other list until they are compared, all of a contract in the same piece.
Pieces = Iterable[Sequence[mapping.Line]]
MOST_PAGES = 200
SETTLING = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One pass over the account.

    `at_once` is whether the positions are those of the single answer; `agrees` whether both lists
    said the same, None where they were not compared. `since` is how they stood before a trade that
    the pages alone have told.
    """

    before: Ledger
    after: Ledger
    positions: tuple[Position, ...]
    closed: frozenset[str]
    guessed: bool = False
    at_once: bool = False
    agrees: bool | None = None
    since: Standing | None = None

    @property
    def cash_moved(self) -> bool:
        """Whether the books changed during the pass, or even their currency."""
        if self.before.base_currency != self.after.base_currency:
            return True
        before, after = agreement.cash_of(self.before), agreement.cash_of(self.after)
        return bool(agreement.moved(before, after))


class Reader:
    """Reads accounts for one connection, which is one run."""

    def __init__(self, context: Context, client: GatewayClient, state: GatewayState) -> None:
        self._context = context
        self._client = client
        self._state = state
        self._looked: set[str] = set()
        self._at_once: dict[str, Sequence[Position]] = {}
        self._without: set[str] = set()
        self._disagreed: set[str] = set()

    def lists_disagree(self, account_id: str) -> bool:
        """Whether this connection has found the two lists of an account to differ."""
        return account_id in self._disagreed

    def account(self, account: BrokerAccount) -> Read:
        """The whole account; a second pass where something moved meanwhile."""
        due = agreement.to_compare(self._state.standing(account.id))
        read = self._pass(account, self._begin(account.id), compare=due)
        if read.cash_moved or read.agrees is False:
            self._forget(account.id, read.after)
            again = self._pass(account, None, compare=due)
            # Where the other list cannot be had any more, what it said stands.
            read = replace(again, agrees=read.agrees if again.agrees is None else again.agrees)
        if read.cash_moved:
            raise errors.bad("The account was changing while it was read.")
        self._remember(account.id, read)
        return read

    def second_look(self, account_id: str) -> tuple[Mapping[str, Decimal], bool]:
        """What is held by the list that `account` did not use, and whether that refutes it.

        Where the single answer cannot be had, it is the pages, read afresh.
        """
        first = self._at_once.get(account_id)
        lines = self._lines(account_id) if first is None else None
        if lines is not None:
            return mapping.listed(lines), False
        self._client.invalidate(account_id)
        self._context.clock.sleep(SETTLING)
        rows = (mapping.counted(row, account_id) for row in self._pages(account_id))
        held = mapping.quantities(mapping.distinct(rows))
        if first is None:
            return held, False
        said = {of.instrument.key: of.quantity for of in first}
        return held, said != {of: much for of, much in held.items() if much}

    def _begin(self, account_id: str) -> Seen | None:
        """Count a run, and give what the single answer may be believed by.

        Only the first look may be one at once. Who asks again doubts the first answer, which IBKR
        may repeat from its cache.
        """
        if account_id in self._looked:
            self._client.invalidate(account_id)
            return None
        self._looked.add(account_id)
        standing = self._state.standing(account_id)
        if standing is None or standing.runs == 0:
            return None
        self._state.keep_standing(account_id, agreement.after_one_more(standing))
        return standing.seen

    def _pass(self, account: BrokerAccount, trusted: Seen | None, *, compare: bool) -> Read:
        before = self._ledger(account)
        known = self._state.cash(account.id)
        if known is None:
            self._state.keep_cash(account.id, agreement.cash_of(before))
        elif agreement.has_traded(known, before):
            if trusted is not None:
                return self._after_trade(account, before, trusted)
            self._forget_if_possible(account.id, before)
        if trusted is None:
            return self._by_pages(account, before, None, compare=compare)
        lines = self._lines(account.id)
        held = None if lines is None else agreement.unchanged(lines, trusted)
        if lines is None or held is None:
            if lines is not None:
                # What was believed is so no more, and takes the room of what is read now.
                self._state.keep_standing(account.id, None)
            # The pages may come from a cache that does not know of the change yet.
            self._client.invalidate(account.id)
            pieces = None if lines is None else mapping.Waiting(lines)
            del lines, trusted
            return self._by_pages(account, before, pieces, compare=compare)
        self._tell(len(lines))
        after, (positions, closed) = self._ledger(account), held
        return Read(before=before, after=after, positions=positions, closed=closed, at_once=True)

    def _forget(self, account_id: str, ledger: Ledger) -> None:
        """Have the cached pages forgotten, which need not be done again for the same cash."""
        standing = self._state.standing(account_id)
        if standing is not None and standing.seen is not None:
            # It was seen with other cash: should this reading fail, the next one compares.
            self._state.keep_standing(account_id, None)
        self._client.invalidate(account_id)
        self._state.keep_cash(account_id, agreement.cash_of(ledger))

    def _forget_if_possible(self, account_id: str, ledger: Ledger) -> None:
        """The same where the pages alone are read, and no more than a precaution.

        They may come from a cache that does not know of the trade yet, and what is sold for little
        is within what the books allow for prices. If more than this call is out of order, the next
        one says so itself.
        """
        try:
            self._forget(account_id, ledger)
        except RateLimited:
            raise
        except BrokerError:
            return

    def _after_trade(self, account: BrokerAccount, before: Ledger, trusted: Seen) -> Read:
        """A pass by fresh pages alone: whatever the single answer said, they would be read."""
        standing = self._state.standing(account.id) or Standing(runs=0)
        self._forget(account.id, before)
        read = self._by_pages(account, before, None, compare=False)
        return replace(read, since=replace(standing, seen=trusted))

    def _by_pages(
        self,
        account: BrokerAccount,
        before: Ledger,
        pieces: Pieces | None,
        *,
        compare: bool,
    ) -> Read:
        """The rest of a pass by the pages, compared with the other list where that is due."""
        base = before.base_currency
        entries = self._entries(account.id, base)
        if pieces is None and compare and mapping.held(entries) > LARGE:
            read = {of.key: of.position for of in entries if of.position is not None}
            lines = self._lines(account.id, read)
            del read
            if lines is not None:
                # Where terms are read meanwhile, there is no room for all lines as they are.
                pieces = mapping.Waiting(lines) if mapping.wait(entries) else [lines]
            del lines
        after = self._ledger(account)
        positions, closed = mapping.positions(self._completed(entries, base))
        return Read(
            before=before,
            after=after,
            positions=positions,
            closed=closed,
            guessed=any("currency" in of.instrument.guessed for of in positions),
            agrees=None if pieces is None else self._compared(account.id, positions, pieces),
        )

    def _entries(self, account_id: str, base: str) -> list[mapping.Entry]:
        """The rows of all pages; each is made small on arrival, as there may be thousands."""
        known, now = self._state.instruments, self._now()
        rows = self._pages(account_id)
        return mapping.distinct(
            mapping.understood(row, account_id, base, known, now) for row in rows
        )

    def _compared(
        self, account_id: str, positions: Sequence[Position], pieces: Pieces
    ) -> bool | None:
        agrees = agreement.agree(positions, pieces)
        if agrees is None:
            self._do_without(account_id)
        return agrees

    def _remember(self, account_id: str, read: Read) -> None:
        """What this reading means for the next ones."""
        self._at_once.pop(account_id, None)
        if read.at_once:
            self._at_once[account_id] = read.positions
        elif read.agrees is False:
            self._disagreed.add(account_id)
            self._state.keep_standing(account_id, Standing())
        elif len(read.positions) <= LARGE:
            self._state.keep_standing(account_id, None)
        elif read.agrees:
            seen = agreement.seen(read.positions)
            self._state.keep_standing(account_id, Standing(seen=seen))
        elif read.since is not None:
            after = agreement.after_trade(read.since, read.positions)
            self._state.keep_standing(account_id, after)

    def _lines(
        self, account_id: str, beside: Mapping[str, Position] | None = None
    ) -> Sequence[mapping.Line] | None:
        """The list in a single answer; None where it cannot be had, for whatever reason.

        If more than this list is out of order, the next call says so itself.
        """
        if account_id in self._without:
            return None
        try:
            take = partial(mapping.uncached, account_id=account_id, beside=beside)
            lines: Sequence[mapping.Line] = self._client.positions_uncached(account_id, take)
        except RateLimited:
            self._do_without(account_id)
            raise
        except BrokerError:
            self._do_without(account_id)
            return None
        return lines

    def _do_without(self, account_id: str) -> None:
        self._without.add(account_id)
        self._state.keep_standing(account_id, Standing())

    def _ledger(self, account: BrokerAccount) -> Ledger:
        return mapping.ledger(self._client.ledger(account.id), account.id, account.currency)

    def _pages(self, account_id: str) -> Iterator[mapping.Row]:
        """The rows of one page after the other, until the empty one."""
        seen: set[tuple[str, ...]] = set()
        count = 0
        for number in range(MOST_PAGES):
            page = mapping.checked_page(self._client.positions(account_id, number), account_id)
            if not page:
                return
            marks = tuple(map(mapping.key, page))
            if marks in seen:
                raise Incomplete("The gateway answered with the same page of positions twice.")
            seen.add(marks)
            yield from page
            count += len(page)
            self._tell(count)
        raise Incomplete("The list of positions does not end.")

    def _tell(self, positions: int) -> None:
        if self._context.progress is not None:
            self._context.progress(positions)

    def _now(self) -> int:
        """The whole seconds by which terms grow old."""
        return int(self._context.clock.monotonic())

    def _completed(self, entries: list[mapping.Entry], base: str) -> list[mapping.Entry]:
        """The entries with the terms of the contracts that came without them."""
        places: dict[str, list[int]] = {}
        for place, entry in enumerate(entries):
            if entry.lean is not None:
                places.setdefault(entry.key, []).append(place)
        wanted, known = sorted(places), self._state.instruments
        for start in range(0, len(wanted), CONTRACTS_PER_CALL):
            batch = wanted[start : start + CONTRACTS_PER_CALL]
            read = mapping.contracts(self._client.contracts(batch))
            now = self._now()
            for of in batch:
                for place in places[of]:
                    terms = read.get(of, {})
                    entries[place] = mapping.with_terms(entries[place], terms, base, known, now)
        return entries
