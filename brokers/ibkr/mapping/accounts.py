"""The account list, and what an account is charged for its risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from brokers.ibkr import errors
from brokers.ibkr.endpoints import ACCOUNT
from brokers.ibkr.mapping.values import number, text
from brokers.types import BrokerAccount


def is_account_id(key: str) -> bool:
    """Whether IBKR can be asked for an account of this id."""
    return ACCOUNT.fullmatch(key) is not None


def account(row: Any) -> BrokerAccount | None:
    """One row of the account list; None where it has no id that IBKR can be asked for."""
    if not isinstance(row, Mapping):
        return None
    key = str(row.get("accountId") or row.get("id"))
    if not is_account_id(key):
        return None
    name = row.get("accountAlias") or row.get("displayName") or row.get("accountTitle")
    return BrokerAccount(
        id=key,
        name=text(name) or key,
        currency=text(row.get("currency")),
        type=text(row.get("type")),
        is_paper=key.startswith("D") or row.get("type") == "DEMO",
        is_open=row.get("clearingStatus") in (None, "", "O"),
    )


def accounts(answer: Any) -> tuple[BrokerAccount, ...]:
    """The account list; an empty one means that the session is not ready.

    An odd row is left out, so that it neither hides the others nor can be connected.
    """
    if not isinstance(answer, Sequence) or isinstance(answer, str):
        raise errors.bad("The account list is not a list.")
    if not answer:
        raise errors.session_starting()
    known = [of for row in answer if (of := account(row)) is not None]
    if not known:
        raise errors.bad("No row of the account list has an id that can be asked for.")
    return tuple({of.id: of for of in reversed(known)}.values())[::-1]


def maintenance_margin(answer: Any) -> Decimal:
    """What IBKR holds against open risk, in base currency."""
    entry = answer.get("maintmarginreq") if isinstance(answer, Mapping) else None
    amount = number(entry.get("amount"), "amount") if isinstance(entry, Mapping) else None
    if amount is None:
        raise errors.bad("The summary has no maintenance margin.")
    return amount
