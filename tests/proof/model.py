"""A small model of what an account must hold, independent of the program's own planning."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256

from brokers.ibkr.simulator.data import Account


def plain(value: Decimal) -> str:
    """A number without exponent and superfluous zeros."""
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def digest_of(account: Account) -> str:
    """The documented digest of what the broker holds: positions by contract, then cash."""
    held = sorted(
        (str(row.conid), plain(row.quantity), plain(row.average), row.currency)
        for row in account.held
        if row.quantity
    )
    cash = sorted((currency, plain(of.balance)) for currency, of in account.cash.items())
    lines = ["|".join(row) for row in held] + ["=".join(row) for row in cash]
    return sha256("\n".join(lines).encode()).hexdigest()
