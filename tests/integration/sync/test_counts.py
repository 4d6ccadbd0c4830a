"""How many statements a sync takes and how many rows it writes; counts, never times."""

from __future__ import annotations

import re
import sqlite3
import time
from dataclasses import replace
from datetime import timedelta
from math import log

import pytest
from msgspec import structs
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.orm import Session

from portfolio.accounts.models import Account, Holding
from portfolio.accounts.services import twins
from portfolio.clock import Moment
from portfolio.db.base import Base
from portfolio.db.session import engine_options, prepare
from portfolio.sync import journal
from portfolio.sync.apply import apply
from portfolio.sync.models import SyncRun
from portfolio.sync.past import past_of
from portfolio.sync.plan import make_plan, snapshot_digest, stored_digest
from portfolio.sync.rows import digest_of, stored_state
from portfolio.sync.target import Replaced, Target
from tests.integration.sync.test_apply import LATER, SOURCE, Book
from tests.unit.portfolio.sync.builders import NOON, adding_up, position

WRITES = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (\w+)")
# Whatever changes: the run's own row, the account's times, its totals and its value of the day.
ALWAYS = {"account", "account_totals", "daily_value", "sync_run"}
# What is remembered of the state before holds no longer.
CHANGED = ALWAYS | {"user"}
CONSTANT = 60


class Meter:
    """Counts the statements of an engine, and the rows that they write, by table."""

    def __init__(self, engine):
        self.start()
        event.listen(engine, "before_cursor_execute", self._before)

    def start(self):
        self.statements, self.rows = 0, {}

    def _before(self, _connection, _cursor, statement, parameters, _context, many):
        self.statements += 1
        found = WRITES.match(statement)
        if found:
            rows = len(parameters) if many else statement.count("), (") + 1
            self.rows[found[2]] = self.rows.get(found[2], 0) + rows


class Store:
    """An account in a real database, and what syncs of it cost."""

    def __init__(self, url):
        self.engine = create_engine(url, **engine_options(url))
        prepare(self.engine)
        Base.metadata.create_all(self.engine)
        self.meter = Meter(self.engine)
        with self.writing() as session:
            self.account_id = Book(session).account.id
            # On PostgreSQL its condition stands in the migrations only.
            session.execute(text("DROP INDEX uq_sync_run_running"))
            session.commit()

    def writing(self):
        return Session(self.engine.execution_options(foliosync_write=True))

    def put(self, read, run_id="r1"):
        """What a run does with a snapshot, but for the run's own bookkeeping."""
        self.meter.start()
        with Session(self.engine) as session:
            past = past_of(
                session, session.get(Account, self.account_id), SOURCE, None, connection_id=None
            )
        plan = make_plan(past.stored, read)
        with self.writing() as session:
            target = Target(
                account=session.get(Account, self.account_id),
                source=SOURCE,
                run=session.get(SyncRun, run_id),
                moment=Moment(now=read.read_at, day=read.read_at.date()),
                rated_on=read.read_at.date(),
                replaced=Replaced(),
            )
            digest = apply(session, target, plan, read, before=past.stored, rates={})
            session.commit()
        assert digest == snapshot_digest(read)
        return plan


@pytest.fixture
def store(database_url):
    made = Store(database_url)
    yield made
    made.engine.dispose()


def many(count, at=NOON, **changes):
    """A snapshot of as many positions; `changes` are made of a call with each number."""
    rows = []
    for number in range(count):
        values = {name: change(number) for name, change in changes.items()}
        rows.append(position(str(number + 1), **values))
    return adding_up(*rows, at=at)


@pytest.mark.parametrize("count", [300, 3_000])
def test_statements_do_not_grow_with_what_is_held(store, count):
    store.put(many(count))
    assert store.meter.statements <= CONSTANT + 6 * count / 1_000
    store.put(many(count, at=LATER))
    assert store.meter.statements <= CONSTANT
    few = many(count, at=LATER, quantity=lambda number: "11" if number < 10 else "10")
    store.put(replace(few, read_at=LATER + timedelta(hours=1)))
    assert store.meter.statements <= CONSTANT


def test_what_is_known_of_some_only_makes_no_statement_more(store):
    some = many(900, name=lambda number: f"N{number}" if number % 2 else None)
    bare = {"price": None, "market_value": None, "unrealized_pnl": None}
    mixed = [structs.replace(of, **bare) if n % 3 else of for n, of in enumerate(some.positions)]
    store.put(replace(some, positions=tuple(mixed)))
    assert store.meter.statements <= CONSTANT


def test_the_same_again_writes_nothing_but_times(store):
    store.put(many(500))
    store.put(many(500, at=LATER))
    assert store.meter.rows.keys() <= ALWAYS
    assert all(rows <= 1 for rows in store.meter.rows.values())


def test_exactly_what_changes_is_written(store):
    store.put(many(500))
    repriced = many(500, at=LATER, price=lambda number: "7" if number < 25 else "6")
    store.put(repriced)
    assert store.meter.rows.pop("holding") == 25
    assert store.meter.rows.keys() <= CHANGED
    moved = many(500, at=LATER, quantity=lambda number: "11" if number < 5 else "10")
    plan = store.put(replace(moved, read_at=LATER + timedelta(hours=1)))
    assert plan.count("changed") == 5
    # Those that are priced as before, and those that are more now.
    assert (store.meter.rows["holding"], store.meter.rows["change"]) == (25, 5)
    assert "instrument" not in store.meter.rows
    gone = replace(moved, positions=moved.positions[7:])
    store.put(replace(gone, read_at=LATER + timedelta(hours=2)))
    assert (store.meter.rows["holding"], store.meter.rows["change"]) == (7, 7)


def test_an_old_time_of_a_quote_is_taken_away_once(store):
    store.put(many(20))
    with store.writing() as session:
        for row in session.scalars(select(Holding)):
            row.quoted_at = NOON
        session.commit()
    store.put(many(20, at=LATER))
    assert store.meter.rows["holding"] == 20
    store.put(many(20, at=LATER + timedelta(hours=1)))
    assert "holding" not in store.meter.rows


def test_taking_back_costs_no_statement_for_each_row(store):
    store.put(many(1_500))
    with store.writing() as session:
        account = session.get(Account, store.account_id)
        session.add(
            SyncRun(
                id="r2",
                account_id=account.id,
                status="succeeded",
                started_at=LATER,
                lease_until=LATER,
                reconciliation={},
            )
        )
        session.commit()
    before = many(1_500)
    store.put(many(1_500, at=LATER, quantity=lambda number: str(number + 1)), "r2")
    with store.writing() as session:
        store.meter.start()
        account = session.get(Account, store.account_id)
        moment = Moment(now=LATER, day=LATER.date())
        undo = SyncRun(
            id="u1",
            account_id=account.id,
            status="succeeded",
            origin="undo",
            started_at=LATER,
            lease_until=LATER,
            reconciliation={},
        )
        session.add(undo)
        session.flush()
        at = journal.Reversal(account=account, run_id="u1", moment=moment)
        assert journal.take_back(session, at, "r2")["changed"] == 1_499
        session.commit()
        assert store.meter.statements <= CONSTANT
        assert digest_of(session, account, SOURCE) == snapshot_digest(before)


def test_what_is_read_back_is_what_the_planner_sees(store):
    odd = ("0.00000001", "-3", "12345678901234567890.12345678901234567890", "100", "1E+2", "1.50")
    read = adding_up(
        *(
            position(str(n + 1), quantity=written, average=written)
            for n, written in enumerate(odd)
        ),
    )
    nothing = structs.replace(position("99"), average_price=None)
    store.put(replace(read, positions=(*read.positions, nothing)))
    with Session(store.engine) as session:
        account = session.get(Account, store.account_id)
        plain = stored_digest(stored_state(session, account, SOURCE))
        assert digest_of(session, account, SOURCE) == plain


def test_more_twins_than_a_statement_takes_parameters(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/twins.db")
    store.put(many(1_700))
    with store.writing() as session:
        account = session.get(Account, store.account_id)
        brought = session.scalars(select(Holding)).all()
        same = ("account_id", "instrument_id", "quantity", "opened_at")
        session.add_all(
            Holding(source="manual", **{name: getattr(row, name) for name in same})
            for row in brought
        )
        session.flush()
        driver = session.connection().connection.driver_connection
        driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1_500)
        twins.mark(session, account.portfolio.owner_id)
        assert account.likely_twins == 1_700
    store.engine.dispose()


def test_the_work_grows_as_what_is_held(store):
    """CPU of this process, the least of some rounds: a square would show as an exponent of 2."""
    spent = {}
    for size in (500, 4_000):
        store.put(many(size, at=LATER))
        spent[size] = min(cpu_of(store.put, repriced(size, hour)) for hour in range(3))
    assert log(spent[4_000] / spent[500]) / log(8) <= 1.4


def repriced(size, hour):
    """Each row of it has another price in each hour."""
    at = LATER + timedelta(hours=hour + 1)
    return many(size, at=at, price=lambda number: str(number % 7 + hour + 1))


def cpu_of(task, *given):
    began = time.process_time()
    task(*given)
    return time.process_time() - began
