"""The vendor's rows in our words: the only room that knows the names of their fields.

Every field but the contract id and the quantity may be missing, null, a string or a number.
"""

from brokers.ibkr.mapping.accounts import account, accounts, is_account_id, maintenance_margin
from brokers.ibkr.mapping.instruments import Known, contracts, currency_of, instrument, recognised
from brokers.ibkr.mapping.ledger import ledger
from brokers.ibkr.mapping.positions import Held, position, positions
from brokers.ibkr.mapping.rows import (
    checked_page,
    distinct,
    held,
    is_lean,
    key,
    priced,
    quantities,
    quantity,
)
from brokers.ibkr.mapping.uncached import Line, listed, repositioned, uncached
from brokers.ibkr.mapping.values import Row, number

__all__ = [
    "Held",
    "Known",
    "Line",
    "Row",
    "account",
    "accounts",
    "checked_page",
    "contracts",
    "currency_of",
    "distinct",
    "held",
    "instrument",
    "is_account_id",
    "is_lean",
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
    "recognised",
    "repositioned",
    "uncached",
]
