"""What a broker tells us, in our own words: frozen, exact, and free of any vendor's vocabulary.

Money and quantities are `Decimal`, times are aware UTC, a short is a negative quantity, and `None`
always means "the broker did not say", never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

ONE = Decimal(1)


class Kind(StrEnum):
    """What sort of instrument a holding is; a kind we do not know is `OTHER`, never dropped."""

    STOCK = "stock"
    ETF = "etf"
    FUND = "fund"
    BOND = "bond"
    BILL = "bill"
    OPTION = "option"
    FUTURE = "future"
    FUTURE_OPTION = "future_option"
    WARRANT = "warrant"
    STRUCTURED = "structured"
    CFD = "cfd"
    FOREX = "forex"
    CRYPTO = "crypto"
    COMMODITY = "commodity"
    INDEX = "index"
    EVENT = "event"
    OTHER = "other"


class Right(StrEnum):
    """Which way an option points."""

    CALL = "call"
    PUT = "put"


class ValueClass(StrEnum):
    """The classes in which a broker's own books add up market values."""

    STOCKS = "stocks"
    OPTIONS = "options"
    FUTURES = "futures"
    FUTURES_PNL = "futures_pnl"
    FUTURE_OPTIONS = "future_options"
    COMMODITIES = "commodities"
    CORPORATE_BONDS = "corporate_bonds"
    GOVERNMENT_BONDS = "government_bonds"
    BILLS = "bills"
    WARRANTS = "warrants"
    STRUCTURED = "structured"
    FUNDS = "funds"
    MONEY_FUNDS = "money_funds"
    CRYPTO = "crypto"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    """One account as the broker lists it; `id` is the broker's own, `currency` its base."""

    id: str
    name: str
    currency: str | None
    type: str | None = None
    is_paper: bool = False
    is_open: bool = True


# Of these two there are thousands in a snapshot: a tenth of a dataclass's time, and less room.
class Instrument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What can be held; `key` is the broker's stable id and the only identity we rely on.

    `multiplier` turns quantity x price into value; it comes from data, and is 1 where unknown.
    `guessed` names the fields that the broker did not say this time.
    """

    key: str
    symbol: str
    kind: Kind
    currency: str
    name: str | None = None
    exchange: str | None = None
    multiplier: Decimal = ONE
    expiry: date | None = None
    strike: Decimal | None = None
    right: Right | None = None
    underlying: str | None = None
    underlying_key: str | None = None
    isin: str | None = None
    guessed: frozenset[str] = frozenset()


class Position(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A quantity of an instrument with the broker's own valuation, in the instrument's currency.

    `average_price` and `price` are per unit; `market_value` is signed like the quantity.
    """

    instrument: Instrument
    quantity: Decimal
    average_price: Decimal | None = None
    price: Decimal | None = None
    market_value: Decimal | None = None
    unrealized_pnl: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """The broker's books in one currency: cash, accruals, and market values class by class.

    `rate_to_base` is the value of one unit in the account's base currency. A rate that cannot be
    true (0, or 1 between different currencies) is `None`.
    """

    currency: str
    cash: Decimal
    settled_cash: Decimal | None = None
    accrued_interest: Decimal | None = None
    accrued_dividends: Decimal | None = None
    net_liquidation: Decimal | None = None
    rate_to_base: Decimal | None = None
    values: Mapping[ValueClass, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All currencies of an account and the broker's own total over them in `base_currency`."""

    base_currency: str
    rows: tuple[LedgerRow, ...]
    total: LedgerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole account at one moment, or it would not exist.

    `closed_keys` are instruments that the broker lists with quantity 0: positive proof that they
    are no longer held. `ledger_before` was read before the positions, `ledger` after them.
    """

    account: BrokerAccount
    read_at: datetime
    positions: tuple[Position, ...]
    closed_keys: frozenset[str]
    ledger: Ledger
    ledger_before: Ledger | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A second, independent look at which instruments are held, and how much of each.

    `refutes_snapshot` is for an adapter that took the last snapshot from the lesser of two sources
    and finds that the better one says otherwise: the account is then read anew, from the better
    one, and looked at a second time again.
    """

    read_at: datetime
    quantities: Mapping[str, Decimal]
    refutes_snapshot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """Who is signed in at the broker, as far as the broker says.

    `ends_at` is about when a person has to sign in again, whatever is done until then.
    """

    signed_in: bool
    trading_session: bool | None = None
    signed_in_elsewhere: bool | None = None
    user: str | None = None
    is_paper: bool | None = None
    expires_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def named(self) -> str | None:
        """The user's name, with whether it is a paper or a live one; None where it is not told."""
        kind = {True: " (paper)", False: " (live)", None: ""}[self.is_paper]
        return None if self.user is None else f"{self.user}{kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A server certificate as a person judges it; `fingerprint` is SHA-256 in hex.

    `is_verified` is whether an authority that this computer trusts vouches for it at its address.
    """

    pem: str
    fingerprint: str
    subject: str
    expires_at: datetime
    is_stock: bool = False
    is_verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One link of the chain to the broker: holds, broken, or (None) not tested or not needed."""

    name: str
    title: str
    ok: bool | None
    message: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a test of the connection found, down to the first broken link and its cure.

    `shown_certificate` is another one than the pinned one, for a person to compare.
    """

    connected: bool
    code: str
    message: str
    remedy: str | None
    session: SessionState | None
    checks: tuple[Check, ...]
    shown_certificate: Certificate | None = None
    retry_at: datetime | None = None
