"""The account list, and what an account is charged for its risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from brokers.ibkr import errors
from brokers.ibkr.mapping.values import number, text
from brokers.types import BrokerAccount


def account(row: Any) -> BrokerAccount:
    """One row of the account list."""
    if not isinstance(row, Mapping) or not row.get("accountId", row.get("id")):
        raise errors.bad("A row of the account list has no id.")
    name = row.get("accountAlias") or row.get("displayName") or row.get("accountTitle")
    key = str(row.get("accountId") or row.get("id"))
    return BrokerAccount(
        id=key,
        name=text(name) or key,
        currency=text(row.get("currency")),
        type=text(row.get("type")),
        is_paper=key.startswith("D") or row.get("type") == "DEMO",
        is_open=row.get("clearingStatus") in (None, "", "O"),
    )


def accounts(answer: Any) -> tuple[BrokerAccount, ...]:
    """The account list; an empty one means that the session is not ready."""
    if not isinstance(answer, Sequence) or isinstance(answer, str):
        raise errors.bad("The account list is not a list.")
    if not answer:
        raise errors.session_starting()
    return tuple(account(row) for row in answer)


def maintenance_margin(answer: Any) -> Decimal:
    """What IBKR holds against open risk, in base currency."""
    entry = answer.get("maintmarginreq") if isinstance(answer, Mapping) else None
    amount = number(entry.get("amount"), "amount") if isinstance(entry, Mapping) else None
    if amount is None:
        raise errors.bad("The summary has no maintenance margin.")
    return amount
