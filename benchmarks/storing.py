"""Storing what was read: the plan, the gates and the one transaction, without a gateway."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from zoneinfo import ZoneInfo

from flask import Flask

from benchmarks.accounts import application, new_account
from benchmarks.figures import Figure, Row
from benchmarks.measuring import cpu
from benchmarks.options import chosen
from brokers.contract import Connection
from brokers.ibkr import MANIFEST
from brokers.types import (
    BrokerAccount,
    Instrument,
    Kind,
    Ledger,
    LedgerRow,
    Position,
    Snapshot,
    ValueClass,
)
from portfolio.clock import Moment, SystemClock
from portfolio.connections.services import Place
from portfolio.db.session import read_only, unit_of_work
from portfolio.sync.apply import apply
from portfolio.sync.decisions import Decision, undo
from portfolio.sync.models import SUCCEEDED, SyncRun
from portfolio.sync.past import past_of
from portfolio.sync.plan import Source, stored_digest
from portfolio.sync.reading import Past, read
from portfolio.sync.target import Replaced, Target

POSITIONS = 10_000
# One row in so many changes from one read to the next.
CHANGED = 20
ROUNDS = 5
SOURCE = Source(manifest=MANIFEST, broker_account="U1")
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def figures() -> Iterable[Row]:
    """The CPU of storing 10,000 positions against raw statements, and how it grows."""
    size = POSITIONS // 10 if chosen().quick else POSITIONS
    reads = [snapshot(size, round_) for round_ in range(ROUNDS + 1)]
    with TemporaryDirectory() as folder, application(Path(folder)) as app:
        account, following = StoredAccount(app, "A"), iter(reads)
        account.put(next(following))
        ours = cpu(lambda: account.put(next(following)), ROUNDS)
        same = cpu(lambda: account.put(reads[-1]), ROUNDS)
    with TemporaryDirectory() as folder:
        floor, following = Bare(Path(folder) / "bare.db"), iter(reads)
        floor.put(next(following))
        bare = cpu(lambda: floor.put(next(following)), ROUNDS)
    named = f"{size:,} positions, one in {CHANGED} changed"
    yield Figure(f"judge and store {named}", ours, "s CPU", bare, "raw statements, texts", None)
    yield Figure(f"judge and store {size:,} unchanged", same, "s CPU", bare, "the same", None)


class Answer:
    """A broker that gives one answer, whatever it is asked."""

    def __init__(self, found: Snapshot) -> None:
        self._found = found

    def snapshot(self, _: str) -> Snapshot:
        """The answer."""
        return self._found


class StoredAccount:
    """An account, and what a run does with a snapshot of it once that was read."""

    def __init__(self, app: Flask, name: str) -> None:
        self._place: Place = new_account(app, name)
        self._runs = count()

    def put(self, found: Snapshot) -> str:
        """Judge a snapshot, and store it; the id of the run."""
        reading = read(cast(Connection, Answer(found)), SOURCE, self._past, SystemClock())
        if reading.verdict.rejection is not None:
            raise RuntimeError(reading.verdict.rejection.saw)
        with unit_of_work() as session:
            account = self._place.find(session)
            run = SyncRun(
                id=f"{next(self._runs):032}",
                account_id=account.id,
                status=SUCCEEDED,
                started_at=found.read_at,
                lease_until=found.read_at,
                reconciliation={},
            )
            session.add(run)
            session.flush()
            target = Target(
                account=account,
                source=SOURCE,
                run=run,
                moment=Moment(now=found.read_at, day=found.read_at.date()),
                rated_on=found.read_at.date(),
                replaced=Replaced(),
            )
            before = reading.past.stored
            run.digest_before = stored_digest(before)
            run.digest = apply(session, target, reading.plan, found, before=before, rates={})
            return run.id

    def _past(self, found: Snapshot) -> Past:
        with read_only() as session:
            account = self._place.find(session)
            return past_of(session, account, SOURCE, None, found.positions, connection_id=None)

    def take_back(self, run_id: str) -> str:
        """Undo a run; the id of the run that does it."""
        with unit_of_work() as session:
            decision = Decision(
                run=session.get_one(SyncRun, run_id),
                account=self._place.find(session),
                source=SOURCE,
                new_id=f"{next(self._runs):032}",
                decided_by="",
                moment=Moment.at(SystemClock().now(), UTC),
                zone=ZoneInfo("UTC"),
            )
            return undo(session, decision).id


def snapshot(size: int, round_: int) -> Snapshot:
    """Positions whose books agree with them; another part of them differs in each round."""
    positions = tuple(_position(number, round_) for number in range(size))
    value = sum((p.market_value or Decimal(0) for p in positions), Decimal(0))
    cash = Decimal(1_000)
    row = LedgerRow(
        currency="USD",
        cash=cash,
        net_liquidation=cash + value,
        rate_to_base=Decimal(1),
        values={ValueClass.STOCKS: value},
    )
    return Snapshot(
        account=BrokerAccount(id="U1", name="U1", currency="USD"),
        read_at=START + timedelta(minutes=round_),
        positions=positions,
        closed_keys=frozenset(),
        ledger=Ledger(base_currency="USD", rows=(row,), total=row),
    )


def _position(number: int, round_: int) -> Position:
    quantity, average, price = _figures(number, round_)
    value = quantity * price
    instrument = Instrument(
        key=str(number + 1), symbol=f"S{number}", kind=Kind.STOCK, currency="USD"
    )
    return Position(
        instrument=instrument,
        quantity=quantity,
        average_price=average,
        price=price,
        market_value=value,
        unrealized_pnl=value - quantity * average,
    )


def _figures(number: int, round_: int) -> tuple[Decimal, Decimal, Decimal]:
    moved = round_ if number % CHANGED == round_ % CHANGED else 0
    price = Decimal(number % 4999 + 100) / 100
    return Decimal(number % 997 + 1 + moved), price - Decimal("0.03"), price


class Bare:
    """The floor: canonical texts compared by key, and raw statements for what differs."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(
            "CREATE TABLE row (key TEXT PRIMARY KEY, quantity, average, price, value, profit)"
        )

    def put(self, found: Snapshot) -> None:
        """Store the same figures as texts."""
        read_rows = {
            p.instrument.key: (
                *(str(p.quantity), str(p.average_price), str(p.price)),
                *(str(p.market_value), str(p.unrealized_pnl)),
            )
            for p in found.positions
        }
        stored = {key: tuple(rest) for key, *rest in self._database.execute("SELECT * FROM row")}
        changed = [(*row, key) for key, row in read_rows.items() if stored.get(key) != row]
        if stored:
            self._database.executemany(
                "UPDATE row SET quantity=?, average=?, price=?, value=?, profit=? WHERE key=?",
                changed,
            )
        else:
            self._database.executemany(
                "INSERT INTO row (quantity, average, price, value, profit, key)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                changed,
            )
        self._database.commit()
