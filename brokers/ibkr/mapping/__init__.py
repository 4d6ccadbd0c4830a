"""The vendor's rows in our words: the only room that knows the names of their fields.

Every field but the contract id and the quantity may be missing, null, a string or a number.
"""

from brokers.ibkr.mapping.accounts import account, accounts, is_account_id, maintenance_margin
from brokers.ibkr.mapping.instruments import Known, contracts, currency_of, instrument, recognised
from brokers.ibkr.mapping.ledger import ledger
from brokers.ibkr.mapping.positions import merged, position, positions
from brokers.ibkr.mapping.rows import (
    checked_page,
    distinct,
    is_lean,
    key,
    priced,
    quantities,
    quantity,
)
from brokers.ibkr.mapping.values import Row, number

__all__ = [
    "Known",
    "Row",
    "account",
    "accounts",
    "checked_page",
    "contracts",
    "currency_of",
    "distinct",
    "instrument",
    "is_account_id",
    "is_lean",
    "key",
    "ledger",
    "maintenance_margin",
    "merged",
    "number",
    "position",
    "positions",
    "priced",
    "quantities",
    "quantity",
    "recognised",
]
