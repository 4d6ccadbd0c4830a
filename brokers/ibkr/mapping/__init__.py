"""The vendor's rows in our words: the only room that knows the names of their fields.

Every field but the contract id and the quantity may be missing, null, a string or a number.
"""

from brokers.ibkr.mapping.accounts import account, accounts, is_account_id, maintenance_margin
from brokers.ibkr.mapping.entries import (
    Entry,
    counted,
    distinct,
    held,
    positions,
    quantities,
    understood,
    wait,
    with_terms,
)
from brokers.ibkr.mapping.instruments import Known, contracts
from brokers.ibkr.mapping.ledger import ledger
from brokers.ibkr.mapping.positions import Held, position
from brokers.ibkr.mapping.rows import checked_page, key, priced, quantity
from brokers.ibkr.mapping.uncached import Line, Waiting, listed, repositioned, uncached
from brokers.ibkr.mapping.values import Row, number

__all__ = [
    "Entry",
    "Held",
    "Known",
    "Line",
    "Row",
    "Waiting",
    "account",
    "accounts",
    "checked_page",
    "contracts",
    "counted",
    "distinct",
    "held",
    "is_account_id",
    "key",
    "ledger",
    "listed",
    "maintenance_margin",
    "number",
    "position",
    "positions",
    "priced",
    "quantities",
    "quantity",
    "repositioned",
    "uncached",
    "understood",
    "wait",
    "with_terms",
]
