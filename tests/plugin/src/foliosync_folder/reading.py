"""Reads the files: the account list, and a snapshot that is whole or an error."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.contract import Connection, Context
from brokers.errors import BrokerAccountMissing, GatewayUnreachable, Malformed, SessionStarting
from brokers.http import decode
from brokers.types import (
    BrokerAccount,
    Certificate,
    Instrument,
    Kind,
    Ledger,
    LedgerRow,
    Position,
    Snapshot,
)

KINDS = {kind.value: kind for kind in Kind}
ROW = {"id", "symbol", "currency", "quantity", "price"}


class FolderConnection(Connection):
    """One folder; reads it afresh each time."""

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._folder = Path(context.address)

    @property
    def certificate(self) -> Certificate | None:
        """A folder has none."""
        return None

    def accounts(self) -> tuple[BrokerAccount, ...]:
        """The accounts, by the names of their files."""
        if not self._folder.is_dir():
            raise GatewayUnreachable(
                f"The folder {self._folder} is not there.", "Plug in the disk it is on."
            )
        files = sorted(self._folder.glob("*.json"))
        if not files:
            raise SessionStarting(f"The folder {self._folder} is empty still.", "Fill it.")
        return tuple(self._account(file.stem, self._read(file)) for file in files)

    def snapshot(self, account_id: str) -> Snapshot:
        """The account in the file of this name."""
        account = next((of for of in self.accounts() if of.id == account_id), None)
        if account is None:
            raise BrokerAccountMissing(
                f"There is no file {account_id}.json in {self._folder}.", "Put it back."
            )
        content = self._read(self._folder / f"{account_id}.json")
        positions = tuple(self._position(row) for row in content["positions"])
        row = LedgerRow(
            currency=content["currency"],
            cash=self._number(content["cash"]),
            rate_to_base=Decimal(1),
        )
        return Snapshot(
            account=account,
            read_at=self._clock.now(),
            positions=positions,
            closed_keys=frozenset(),
            ledger=Ledger(base_currency=content["currency"], rows=(row,), total=row),
        )

    def _read(self, file: Path) -> dict[str, Any]:
        content = decode(file.read_bytes())
        wanted = {"name", "currency", "cash", "positions"}
        if not isinstance(content, dict) or not wanted <= content.keys():
            raise Malformed(f"{file.name} has not all of {', '.join(sorted(wanted))}.")
        return content

    def _account(self, name: str, content: dict[str, Any]) -> BrokerAccount:
        return BrokerAccount(id=name, name=content["name"], currency=content["currency"])

    def _position(self, row: Any) -> Position:
        if not isinstance(row, dict) or not row.keys() >= ROW:
            raise Malformed(f"A position has not all of {', '.join(sorted(ROW))}.")
        quantity, price = self._number(row["quantity"]), self._number(row["price"])
        size = self._number(row.get("multiplier", 1))
        cost = self._number(row["cost"]) if "cost" in row else None
        return Position(
            instrument=Instrument(
                key=str(row["id"]),
                symbol=str(row["symbol"]),
                kind=KINDS.get(str(row.get("kind")), Kind.OTHER),
                currency=str(row["currency"]),
                multiplier=size,
            ),
            quantity=quantity,
            average_price=None if not cost or not quantity else cost / (quantity * size),
            price=price,
            market_value=quantity * price * size,
            unrealized_pnl=None if cost is None else quantity * price * size - cost,
        )

    def _number(self, value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise Malformed(f"{value!r} is not a number.")
        return Decimal(value)
