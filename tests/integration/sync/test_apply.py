"""What a snapshot leaves in the database, row by row; in memory, without the application."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

import portfolio.connections.models
from brokers.contract import Manifest
from brokers.types import ONE, Kind, Position, Right, ValueClass
from portfolio.accounts.models import (
    LIKELY_TWIN,
    NO_TWIN,
    Account,
    AccountTotals,
    CashBalance,
    DailyValue,
    Holding,
    Instrument,
    InstrumentIdentifier,
    Portfolio,
    Rate,
)
from portfolio.accounts.queries.totals import owner_rates, totals_views
from portfolio.accounts.services.totals import touch
from portfolio.clock import Moment
from portfolio.db.base import Base
from portfolio.errors import StorageFailed
from portfolio.sync.apply import apply
from portfolio.sync.lease import LeaseLost
from portfolio.sync.models import Change, SyncRun
from portfolio.sync.plan import Source, make_plan, stored_digest
from portfolio.sync.rows import instruments_of, stored_state
from portfolio.sync.target import Replaced, Target
from portfolio.users.models import User
from tests.unit.portfolio.sync.builders import NOON, adding_up, instrument, position, snapshot

assert portfolio.connections.models
DAY = NOON.date()
SOURCE = Source(
    manifest=Manifest(
        key="ibkr", name="B", short_name="B", identifier_scheme="conid", capabilities=frozenset()
    ),
    broker_account="U1",
)
LATER = NOON + timedelta(hours=1)


class Book:
    """An account in a database, and snapshots that are applied to it."""

    def __init__(self, session, *, knows_as_read=True):
        self.session = session
        self.knows_as_read = knows_as_read
        self.owner = self._add(User(name="o", folded="o", created_at=NOON))
        parent = Portfolio(owner_id=self.owner.id, name="P", base_currency="USD", created_at=NOON)
        self.parent = self._add(parent)
        self.account = self.another("A")
        self.run = self._add(
            SyncRun(
                id="r1",
                account_id=self.account.id,
                status="running",
                started_at=NOON,
                lease_until=LATER,
                reconciliation={},
                closed=0,
            )
        )

    def another(self, name):
        return self._add(
            Account(portfolio_id=self.parent.id, name=name, currency="USD", created_at=NOON)
        )

    def _add(self, row):
        self.session.add(row)
        self.session.flush()
        return row

    def put(self, read, *, rates=None, keep=(), source=SOURCE, **wanted):
        seen = read.positions if self.knows_as_read else ()
        stored = stored_state(self.session, self.account, source, seen)
        target = Target(
            account=self.account,
            source=source,
            run=self.run,
            moment=Moment(now=read.read_at, day=read.read_at.date()),
            rated_on=read.read_at.date(),
            **{"replaced": Replaced(), **wanted},
        )
        keep = frozenset(keep)
        plan = make_plan(stored, read, keep)
        self.run.digest_before = stored_digest(stored)
        return apply(self.session, target, plan, read, before=stored, rates=rates or {}, keep=keep)

    def all(self, model):
        return list(self.session.scalars(select(model).order_by(model.id)))

    def holding(self, symbol):
        of = select(Holding).join(Instrument).where(Instrument.symbol == symbol)
        return self.session.scalars(of).one()

    def by_hand(self, symbol="S1", account=None, **values):
        of = self._add(
            Instrument(
                owner_id=self.owner.id,
                source="manual",
                symbol=symbol,
                kind="stock",
                currency="USD",
                multiplier=D(1),
            )
        )
        row = {"account_id": (account or self.account).id, "instrument_id": of.id}
        row |= {"source": "manual", "quantity": D(3), "opened_at": NOON}
        return self._add(Holding(**row | values))

    def cash_by_hand(self, currency="USD", account=None):
        of = (account or self.account).id
        return self._add(
            CashBalance(account_id=of, currency=currency, source="manual", amount=D(9))
        )


@pytest.fixture(scope="module")
def connection():
    """An empty database that every test gets back as it was: statements are compiled once."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        # Rows whose order nobody asked for come the other way round.
        connection.exec_driver_sql("PRAGMA reverse_unordered_selects = ON")
        Base.metadata.create_all(connection)
        connection.commit()
        yield connection
    engine.dispose()


@pytest.fixture(params=[True, False], ids=["as read", "plainly"])
def book(connection, request):
    """An account, whose rows are compared with what was read one way and the other."""
    with Session(connection) as session:
        yield Book(session, knows_as_read=request.param)
    connection.rollback()


READ = adding_up(position("1"), position("2"))


def later(read, **values):
    return replace(read, read_at=LATER, **values)


def test_a_first_snapshot_is_stored_with_all_that_it_says(book):
    row = READ.ledger.rows[0]
    row = replace(row, settled_cash=D(90), accrued_interest=D(2), accrued_dividends=D(3))
    read = replace(READ, ledger=replace(READ.ledger, rows=(row,)))
    digest = book.put(read)
    held = book.holding("S1")
    assert (held.account_id, held.source, held.source_account) == (book.account.id, "ibkr", "U1")
    assert (held.quantity, held.average_price, held.closed_at) == (D(10), D(5), None)
    assert (held.price, held.market_value, held.unrealized_pnl) == (D(6), D(60), D(1))
    assert held.opened_at == book.account.synced_at == NOON
    # The quote is as old as the account's last read.
    assert held.quoted_at is None
    (cash,) = book.all(CashBalance)
    assert (cash.currency, cash.source, cash.source_account) == ("USD", "ibkr", "U1")
    assert (cash.amount, cash.settled) == (D(100), D(90))
    assert (cash.accrued_interest, cash.accrued_dividends) == (D(2), D(3))
    assert digest == stored_digest(stored_state(book.session, book.account, SOURCE))


def test_an_instrument_is_described_and_found_again_by_its_key(book):
    told = instrument(
        "7",
        symbol="X" * 120,
        kind=Kind.OPTION,
        currency="EUR",
        name="N" * 220,
        exchange="E" * 50,
        expiry=date(2027, 1, 15),
        strike=D(50),
        right=Right.CALL,
        underlying="U" * 120,
        multiplier=D(100),
        isin="US0000000001",
    )
    option = structs.replace(position("7"), instrument=told)
    cash = (("USD", "1"), ("EUR", "0"))
    read = adding_up(option, cash=cash, rates={"EUR": "1"})
    book.put(read)
    (of,) = book.all(Instrument)
    assert (of.owner_id, of.source, of.kind, of.currency) == (
        *(book.owner.id, "ibkr", "option", "EUR"),
    )
    assert (of.symbol, of.name) == ("X" * 100, "N" * 200)
    assert (of.exchange, of.underlying) == ("E" * 40, "U" * 100)
    assert (of.expiry, of.strike, of.option_right) == (date(2027, 1, 15), D(50), "call")
    assert of.multiplier == D(100)
    known = [(i.owner_id, i.scheme, i.value, i.is_key) for i in book.all(InstrumentIdentifier)]
    owner = book.owner.id
    assert known == [(owner, "conid", "7", True), (owner, "isin", "US0000000001", False)]
    stored = stored_state(book.session, book.account, SOURCE)
    assert (stored.holdings[0].key, stored.holdings[0].terms.symbol) == ("7", "X" * 100)
    assert not make_plan(stored, read).steps
    assert book.put(later(read))
    assert len(book.all(Instrument)) == 1
    assert len(book.all(InstrumentIdentifier)) == 2


@pytest.mark.parametrize(
    "differs", [{"owner_id": 2}, {"scheme": "isin"}, {"is_key": False}], ids=str
)
def test_what_only_resembles_a_key_is_another_instrument(book, differs):
    other = User(name="x", folded="x", created_at=NOON)
    book.session.add(other)
    mine = book.by_hand("HOME").instrument
    known = {"owner_id": book.owner.id, "scheme": "conid", "value": "1", "is_key": True}
    mine.identifiers.append(InstrumentIdentifier(**known | differs))
    book.session.flush()
    assert other.id == 2
    book.put(READ)
    assert (mine.symbol, len(book.all(Instrument))) == ("HOME", 3)
    assert book.holding("S1").instrument is not mine


def test_the_state_is_in_the_order_in_which_things_came(book):
    book.put(READ)
    book.put(later(adding_up(position("0"), position("1"), position("2"))))
    held = stored_state(book.session, book.account, SOURCE).holdings
    assert [row.key for row in held] == ["1", "2", "0"]


def test_the_state_has_all_terms_and_quotes(book):
    terms = {"kind": Kind.OPTION, "expiry": date(2027, 1, 15), "strike": D(5), "right": Right.PUT}
    book.put(adding_up(position("1", multiplier=D(10), **terms)))
    (held,) = stored_state(book.session, book.account, SOURCE).holdings
    assert held.terms._asdict() == {
        "symbol": "S1",
        "kind": "option",
        "currency": "USD",
        "multiplier": D(10),
        "expiry": date(2027, 1, 15),
        "strike": D(5),
        "right": "put",
    }
    assert held.quote == (D(6), D(60), D(1))
    assert (held.quantity, held.average_price, held.is_open) == (D(10), D(5), True)


OPTION = {"kind": Kind.OPTION, "expiry": date(2027, 1, 15), "right": Right.PUT}
SAID = OPTION | {"multiplier": D(10), "strike": D(5), "name": "N", "exchange": "X"}
OF_POSITION = ("quantity", "average_price", "price", "market_value", "unrealized_pnl")
OF_INSTRUMENT = ("symbol", "multiplier", "strike", "name", "exchange")


@pytest.mark.parametrize("name", [*OF_POSITION, *OF_INSTRUMENT, "underlying"])
@pytest.mark.parametrize("value", [D(77), "another", None])
def test_the_state_is_what_is_stored_whatever_was_read(book, name, value):
    told = position("1", **SAID)
    book.put(adding_up(told, position("2")))
    plain = stored_state(book.session, book.account, SOURCE)
    if name in OF_POSITION:
        read = structs.replace(told, **{name: value})
    else:
        read = structs.replace(told, instrument=structs.replace(told.instrument, **{name: value}))
    stored = stored_state(book.session, book.account, SOURCE, [read])
    assert stored == plain
    assert stored.has(read) is (read == told)
    # What says the same in another object has to be compared again.
    assert not stored.has(structs.replace(read))
    assert plain.holdings[0].figures == (D(10), D(5), D(6), D(60), D(1))


def test_what_is_stored_as_it_was_read_is_there_once(book):
    read = structs.replace(position("1", **SAID), average_price=D("5.5"))
    book.put(adding_up(read))
    # As another answer says the same, in objects of its own.
    again = structs.replace(position("1", **SAID), average_price=D("5.50"))
    (held,) = stored_state(book.session, book.account, SOURCE, [again]).holdings
    assert held.key is again.instrument.key
    assert all(getattr(held, of) is getattr(again, of) for of in OF_POSITION)
    for of in OF_INSTRUMENT:
        there = held.terms if hasattr(held.terms, of) else held
        assert getattr(there, of) is getattr(again.instrument, of)
    # Where one value is another, the rest are there once as before.
    moved = structs.replace(again, price=D(7))
    (held,) = stored_state(book.session, book.account, SOURCE, [moved]).holdings
    assert held.price == D(6)
    assert all(getattr(held, of) is getattr(moved, of) for of in OF_POSITION if of != "price")


OTHERS = {"kind": Kind.WARRANT, "currency": "EUR", "expiry": None, "right": None}


@pytest.mark.parametrize("field", OTHERS)
def test_another_instrument_is_not_as_it_was_read(book, field):
    told = position("1", **SAID)
    book.put(adding_up(told))
    another = structs.replace(told.instrument, **{field: OTHERS[field]})
    other = structs.replace(told, instrument=another)
    for read in (told, other):
        stored = stored_state(book.session, book.account, SOURCE, [read])
        assert stored.has(read) is (read is told)


def test_a_row_that_is_closed_or_has_an_old_quote_is_not_as_it_was_read(book):
    one, two, three = position("1"), position("2"), position("3")
    book.put(adding_up(one, two, three))
    unpriced = structs.replace(one, price=None, market_value=None, unrealized_pnl=None)
    book.put(later(adding_up(one, three), positions=(unpriced, three)))
    # A price may be missing for a while, and come back as it was: it is a new one then.
    stored = stored_state(book.session, book.account, SOURCE, [one, two, three])
    assert [row.is_open for row in stored.holdings] == [True, False, True]
    assert [stored.has(read) for read in (one, two, three)] == [False, False, True]


def test_what_has_no_quote_is_not_as_it_was_read(book):
    none = structs.replace(position("1"), price=None, market_value=None)
    half = structs.replace(position("2"), price=None)
    book.put(later(READ, positions=(none, half)))
    stored = stored_state(book.session, book.account, SOURCE, [none, half])
    assert [stored.has(read) for read in (none, half)] == [False, True]


FEW = {"quantity": [D(1), D("1.50"), D(-2)], "average_price": [D(5), D("5.0"), None]}
FEW |= {"price": [D(6), D("6.00"), None], "market_value": [D(60), None]}
FEW |= {"unrealized_pnl": [D(1), D(0), None]}
OF_WHAT = {"symbol": ["S", "T"], "name": [None, "N"], "exchange": [None, "X"]}
OF_WHAT |= {"kind": [Kind.STOCK, Kind.OPTION], "currency": ["USD", "EUR"], "strike": [None, D(5)]}
OF_WHAT |= {"multiplier": [ONE, D(100)], "isin": [None, "I"], "right": [None, Right.PUT]}


def few(of):
    return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in of.items()})


def told(key, figures, what):
    return Position(instrument=instrument(key, **what), **figures)


READS = st.lists(
    st.dictionaries(st.sampled_from("12"), st.tuples(few(FEW), few(OF_WHAT)), max_size=2),
    min_size=2,
    max_size=4,
)


def test_what_is_known_to_be_as_it_was_read_changes_nothing_of_what_is_written(connection):
    def written(reads, keep, *, knows_as_read):
        with Session(connection) as session:
            book = Book(session, knows_as_read=knows_as_read)
            for hour, read in enumerate(reads):
                positions = [told(key, *of) for key, of in read.items()]
                # One is missing from an answer and stays, or is gone.
                at = NOON + timedelta(hours=hour)
                book.put(replace(snapshot(*positions), read_at=at), keep=keep - read.keys())
            found = {
                model: [[getattr(row, of.key) for of in model.__table__.columns] for row in rows]
                for model in (Holding, Instrument, InstrumentIdentifier, Change)
                if (rows := book.all(model)) is not None
            }
            found["revision"] = book.account.revision
        connection.rollback()
        return found

    # To look for the smallest example would take minutes.
    @settings(max_examples=40, phases=[Phase.generate])
    @given(READS, st.sets(st.sampled_from("12"), max_size=1))
    def check(reads, keep):
        # Read again as it was, as most of it is, besides what is drawn.
        again = [read for read in reads for _ in range(2)]
        quick = written(again, keep, knows_as_read=True)
        assert quick == written(again, keep, knows_as_read=False)

    check()


def test_multipliers_of_one_are_there_once(book):
    book.put(READ)
    held = stored_state(book.session, book.account, SOURCE).holdings
    assert all(row.terms.multiplier is ONE for row in held)


def test_an_isin_that_comes_later_is_noted_with_its_instrument(book):
    book.put(adding_up(position("1"), position("2")))
    book.put(later(adding_up(position("1"), position("2", isin="I2"))))
    (isin,) = [of for of in book.all(InstrumentIdentifier) if of.scheme == "isin"]
    assert (isin.instrument_id, isin.value) == (book.holding("S2").instrument_id, "I2")


def test_leaving_something_out_is_no_change(book):
    book.put(adding_up(position("1", name="One", exchange="X")))
    before = book.account.revision
    book.put(later(adding_up(position("1", name="One"))))
    assert book.account.revision == before
    book.put(later(adding_up(position("1", name="Two"))))
    assert book.account.revision == before + 1
    (of,) = book.all(Instrument)
    assert (of.name, of.exchange) == ("Two", "X")


def test_what_the_broker_leaves_out_this_time_is_not_forgotten(book):
    full = {"name": "One", "exchange": "X", "underlying": "U", "isin": "I"}
    book.put(adding_up(position("1", **full)))
    book.put(later(adding_up(position("1", symbol="NEW"))))
    (of,) = book.all(Instrument)
    assert (of.symbol, of.name, of.exchange, of.underlying) == ("NEW", "One", "X", "U")
    assert [i.scheme for i in book.all(InstrumentIdentifier)] == ["conid", "isin"]


def test_what_is_remembered_of_an_account_ends_with_each_sync(book):
    """Also with an empty plan: an underlying, by which rows are grouped, is in none."""
    book.put(adding_up(position("1", kind=Kind.OPTION, underlying="OLD")))
    stamp = book.owner.held_stamp
    book.put(later(adding_up(position("1", kind=Kind.OPTION, underlying="NEW"))))
    assert book.all(Instrument)[0].underlying == "NEW"
    assert book.owner.held_stamp != stamp


def test_two_accounts_of_the_broker_in_one_account_are_kept_apart(book):
    book.put(READ)
    other = replace(SOURCE, broker_account="U2")
    book.put(later(adding_up(position("1", quantity="4"))), source=other)
    mine = stored_state(book.session, book.account, SOURCE)
    theirs = stored_state(book.session, book.account, other)
    assert [row.quantity for row in mine.holdings if row.is_open] == [D(10), D(10)]
    assert [row.quantity for row in theirs.holdings] == [D(4)]
    assert len(book.all(Instrument)) == 2
    elsewhere = replace(SOURCE, manifest=replace(SOURCE.manifest, key="other"))
    assert stored_state(book.session, book.account, elsewhere).holdings == ()
    assert stored_state(book.session, book.another("B"), SOURCE).holdings == ()
    assert stored_state(book.session, book.account, SOURCE).cash == {"USD": D(100)}


def test_what_is_gone_is_closed_kept_or_comes_back(book):
    book.put(READ)
    book.put(later(adding_up(position("1"))), keep=["2"])
    assert book.holding("S2").closed_at is None
    book.put(later(adding_up(position("1"))))
    gone = book.holding("S2")
    assert (gone.closed_at, gone.opened_at, gone.quantity) == (LATER, NOON, D(10))
    again = LATER + timedelta(days=1)
    book.put(replace(adding_up(position("1")), read_at=again), keep=["2"])
    assert gone.closed_at == LATER
    book.put(replace(READ, read_at=again))
    assert (gone.closed_at, gone.opened_at) == (None, again)
    assert len(book.all(Holding)) == 2


def test_without_a_quote_the_last_one_stays(book):
    book.put(READ)
    bare = {"price": None, "market_value": None, "unrealized_pnl": None}
    quiet = structs.replace(position("1"), **bare)
    book.put(later(READ, positions=(quiet, position("2"))))
    one, two = book.holding("S1"), book.holding("S2")
    assert (one.price, one.market_value, one.quoted_at) == (D(6), D(60), NOON)
    assert two.quoted_at is None
    again = LATER + timedelta(hours=1)
    book.put(replace(READ, read_at=again, positions=(quiet, position("2"))))
    # As old as it was, and not as the read before.
    assert one.quoted_at == NOON
    for half in ({"price": D(7), "market_value": None}, {"price": None, "market_value": D(70)}):
        book.put(later(READ, positions=(structs.replace(position("1"), **half), position("2"))))
        assert (one.price, one.market_value) == (half["price"], half["market_value"])
        assert one.quoted_at is None


def test_what_leaves_or_is_only_kept_keeps_the_time_of_its_quote(book):
    book.put(READ)
    book.put(later(adding_up(position("1"))), keep=["2"])
    kept = book.holding("S2")
    assert (kept.closed_at, kept.quoted_at) == (None, NOON)
    # Kept once more, it is no newer.
    book.put(replace(adding_up(position("1")), read_at=LATER), keep=["2"])
    assert kept.quoted_at == NOON
    after = LATER + timedelta(hours=1)
    book.put(replace(adding_up(position("2")), read_at=after))
    gone = book.holding("S1")
    # The last one that had it, not the one that found it gone.
    assert (gone.closed_at, gone.quoted_at) == (after, LATER)
    # Here again, with a quote of its own.
    assert kept.quoted_at is None
    book.put(replace(READ, read_at=after + timedelta(hours=1)))
    assert (gone.closed_at, gone.quoted_at) == (None, None)


def test_all_that_is_only_kept_gets_the_time_of_its_quote(book):
    book.put(adding_up(position("1"), position("2"), position("3")))
    book.put(later(adding_up(position("1"))), keep=["2", "3"])
    assert [book.holding(of).quoted_at for of in ("S2", "S3")] == [NOON, NOON]


def test_an_instrument_of_another_account_is_described_anew_and_all_who_have_it_are_renewed(book):
    other = replace(SOURCE, broker_account="U2")
    first = book.account
    book.put(adding_up(position("1", name="One"), position("2", name="Two")))
    book.account = book.another("B")
    before, stamp = first.revision, book.owner.held_stamp
    read = adding_up(position("1", name="Eins"), position("2", name="Two"), position("3"))
    book.put(later(read), source=other)
    assert [of.name for of in book.all(Instrument)] == ["Eins", "Two", None]
    assert first.revision == before + 1
    assert book.owner.held_stamp != stamp
    # The next account that gets them finds them as they are.
    book.account = book.another("C")
    counted = first.revision
    book.put(later(read), source=replace(SOURCE, broker_account="U3"))
    assert (first.revision, len(book.all(Instrument))) == (counted, 3)


@pytest.mark.parametrize("counts", [True, False])
def test_the_profit_of_futures_beside_the_cash_is_kept_where_it_counts(book, counts):
    row = replace(READ.ledger.rows[0], values={ValueClass.FUTURES_PNL: D(7)})
    read = replace(READ, ledger=replace(READ.ledger, rows=(row,)))
    book.put(read, futures_profit_counts=counts)
    (cash,) = book.all(CashBalance)
    assert cash.futures_pnl == (D(7) if counts else None)


def test_an_amount_that_moves_records_what_was_and_is_beside_it(book):
    row = replace(READ.ledger.rows[0], settled_cash=D(90), accrued_interest=D(2))
    book.put(replace(READ, ledger=replace(READ.ledger, rows=(row,))))
    moved = replace(row, cash=D(130), settled_cash=D(120), accrued_interest=D(5))
    book.put(later(READ, ledger=replace(READ.ledger, rows=(moved,))))
    *_, change = book.all(Change)
    assert (change.label, change.old, change.new) == ("USD", "100", "130")
    assert (change.beside["settled"], change.beside["accrued_interest"]) == ("90", "2")
    assert change.beside["left"]["accrued_interest"] == "5"
    # Only what is beside it moves: there is no change of the amount to record.
    count = len(book.all(Change))
    still = replace(moved, accrued_interest=D(6))
    book.put(later(READ, ledger=replace(READ.ledger, rows=(still,))))
    assert (len(book.all(Change)), book.all(CashBalance)[0].accrued_interest) == (count, D(6))


def test_the_record_of_a_change_beside_something_new_names_both_rows(book):
    book.put(READ)
    session = book.session
    more = (position("1", quantity="11"), position("2"), position("3"))
    book.put(later(adding_up(*more)))
    changes = session.scalars(select(Change).where(Change.subject == "holding")).all()
    named = {change.label: change.holding_id for change in changes}
    assert named == {f"S{n}": book.holding(f"S{n}").id for n in (1, 2, 3)}
    assert None not in {change.holding_id for change in changes}


def test_a_price_without_a_value_gets_one_by_the_multiplier(book):
    known = structs.replace(
        position("1", multiplier=D(10)), market_value=None, unrealized_pnl=None
    )
    book.put(replace(READ, positions=(known,)))
    silent = structs.replace(position("1", quantity="20", multiplier=D(10)), price=None)
    silent = structs.replace(silent, market_value=None, unrealized_pnl=None)
    book.put(later(READ, positions=(silent,)))
    assert book.holding("S1").market_value == D(20) * D(6) * 10


@pytest.mark.parametrize(
    ("before", "average", "profit"),
    [
        # The cost counts as the broker counts it, in tenths here.
        ({"market_value": D(600), "unrealized_pnl": D(100)}, D(4), D(200)),
        ({"average_price": None}, D(4), D(20)),
        ({"price": None}, D(4), D("12.8")),
        ({"unrealized_pnl": None}, D(4), D(20)),
        ({"market_value": None}, D(4), None),
    ],
)
def test_the_profit_follows_an_average_price_that_comes_without_a_quote(
    book, before, average, profit
):
    book.put(replace(READ, positions=(structs.replace(position("1"), **before),)))
    held = book.holding("S1")
    known = held.price, held.market_value
    silent = structs.replace(position("1"), price=None, market_value=None, unrealized_pnl=None)
    book.put(later(READ, positions=(structs.replace(silent, average_price=average),)))
    assert (held.average_price, held.unrealized_pnl) == (average, profit)
    assert (held.price, held.market_value) == known
    assert held.quoted_at == NOON


def test_only_the_instruments_that_are_asked_for_are_read(book):
    book.put(READ)
    assert instruments_of(book.session, book.owner.id, "conid", ["2", "9"]).keys() == {"2"}


def test_a_number_that_others_wrote_otherwise_is_the_same_number(book):
    book.put(READ)
    book.session.execute(text("UPDATE holding SET quantity = '10.00', average_price = '5.0'"))
    digest = book.put(later(READ))
    assert digest == stored_digest(stored_state(book.session, book.account, SOURCE))


@pytest.mark.parametrize(
    ("average", "price", "value"),
    [("5", D(6), D(120)), ("2.5", D(3), D(60))],
    ids=["more", "split"],
)
def test_another_quantity_without_a_quote_moves_the_value_with_it(book, average, price, value):
    book.put(READ)
    bare = {"price": None, "market_value": None, "unrealized_pnl": None}
    quiet = structs.replace(position("1", quantity="20", average=average), **bare)
    book.put(later(READ, positions=(quiet, position("2"))))
    one = book.holding("S1")
    assert (one.quantity, one.price, one.market_value) == (D(20), price, value)
    assert one.quoted_at == NOON


def test_cash_is_changed_added_and_gone_and_the_record_says_so(book):
    both = (("USD", "100"), ("EUR", "50"))
    row = adding_up(cash=both, rates={"EUR": "1.1"})
    settled = [replace(of, settled_cash=D(40)) for of in row.ledger.rows]
    book.put(replace(row, ledger=replace(row.ledger, rows=tuple(settled))))
    book.put(later(adding_up(cash=(("USD", "120"), ("GBP", "5")), rates={"GBP": "1.3"})))
    assert {c.currency: c.amount for c in book.all(CashBalance)} == {"USD": D(120), "GBP": D(5)}
    (gone,) = [c for c in book.all(Change) if c.label == "EUR" and c.new is None]
    assert (gone.run_id, gone.subject, gone.old, gone.source) == ("r1", "cash", "50", "ibkr")
    assert gone.beside["settled"] == "40"


def test_the_record_names_the_rows_it_is_about(book):
    book.put(READ)
    added = [c for c in book.all(Change) if c.field == "quantity"]
    assert {c.holding_id for c in added} == {h.id for h in book.all(Holding)}
    assert {(c.source, c.source_account, c.run_id) for c in added} == {("ibkr", "U1", "r1")}


def test_rates_that_are_believed_are_kept_once_a_day(book):
    book.put(READ, rates={"EUR": D("1.1"), "USD": D(1)})
    (rate,) = book.all(Rate)
    assert (rate.owner_id, rate.from_currency, rate.to_currency) == (book.owner.id, "EUR", "USD")
    assert (rate.day, rate.source, rate.value, rate.read_at) == (DAY, "ibkr", D("1.1"), NOON)
    assert book.owner.rates_revision == 1
    book.put(later(READ), rates={"USD": D(1), "EUR": D("1.1")})
    assert (rate.read_at, book.owner.rates_revision) == (NOON, 1)
    book.put(later(READ), rates={"USD": D(1), "EUR": D("1.2"), "GBP": D("1.3")})
    assert (rate.value, rate.read_at, book.owner.rates_revision) == (D("1.2"), LATER, 2)
    assert len(book.all(Rate)) == 2
    tomorrow = NOON + timedelta(days=1)
    book.put(replace(READ, read_at=tomorrow), rates={"EUR": D("1.2")})
    assert [r.day for r in book.all(Rate) if r.from_currency == "EUR"] == [DAY, tomorrow.date()]


def test_a_rate_that_was_read_later_stays_when_an_older_read_is_applied(book):
    book.put(later(READ), rates={"EUR": D("1.2")})
    book.put(READ, rates={"EUR": D("1.1"), "GBP": D("1.3")})
    assert {r.from_currency: r.value for r in book.all(Rate)} == {"EUR": D("1.2"), "GBP": D("1.3")}
    book.put(later(later(READ)), rates={"EUR": D("1.1")})
    assert D("1.1") in {r.value for r in book.all(Rate)}


def test_a_rate_of_another_owner_source_or_currency_stays(book):
    other = User(name="x", folded="x", created_at=NOON)
    book.session.add(other)
    book.session.flush()
    base = {"from_currency": "EUR", "to_currency": "USD", "day": DAY, "source": "ibkr"}
    base |= {"value": D(2), "read_at": NOON, "owner_id": book.owner.id}
    kept = [{"owner_id": other.id}, {"source": "manual"}, {"to_currency": "CHF"}]
    book.session.add_all(Rate(**base | differs) for differs in kept)
    book.put(READ, rates={"EUR": D("1.1")})
    assert sorted(r.value for r in book.all(Rate)) == [D("1.1"), D(2), D(2), D(2)]


def test_the_totals_follow_and_carry_what_the_broker_says(book):
    book.put(READ)
    (totals,) = book.all(AccountTotals)
    assert (totals.net_liquidation, totals.broker_net_liquidation) == (D(220), D(220))
    assert (totals.broker_currency, book.account.revision) == ("USD", 1)
    book.put(later(READ))
    assert book.account.revision == 1
    (day,) = book.all(DailyValue)
    assert (day.day, day.net_liquidation, day.read_at) == (DAY, D(220), LATER)
    told = replace(READ.ledger, total=replace(READ.ledger.total, net_liquidation=D(230)))
    book.put(later(READ, ledger=told))
    assert (totals.net_liquidation, totals.broker_net_liquidation) == (D(220), D(230))


def test_an_account_without_anything_gets_its_totals_too(book):
    book.put(adding_up(cash=()))
    assert [t.account_id for t in book.all(AccountTotals)] == [book.account.id]


@pytest.mark.parametrize(
    "read",
    [
        adding_up(position("1", price="7"), position("2")),
        adding_up(position("1"), position("2"), cash=(("USD", "101"),)),
        adding_up(position("1")),
        adding_up(position("1"), position("2"), position("3")),
    ],
)
def test_whatever_moves_brings_the_totals_after_it(book, read):
    book.put(READ)
    book.put(later(read))
    assert book.account.revision == 2
    (totals,) = book.all(AccountTotals)
    assert totals.net_liquidation == read.ledger.total.net_liquidation


@pytest.mark.parametrize(
    ("terms", "total"), [({"kind": Kind.FUTURE}, D(100)), ({"kind": Kind.CFD}, D(101))]
)
def test_other_terms_bring_the_totals_of_all_who_hold_it_after_them(book, terms, total):
    first, other, third = book.account, book.another("B"), book.another("C")
    book.put(adding_up(position("1")))
    book.account = other
    book.put(adding_up(position("1")), source=replace(SOURCE, broker_account="U2"))
    book.account = third
    book.put(adding_up(position("2")), source=replace(SOURCE, broker_account="U3"))
    book.account = first
    book.put(later(adding_up(position("1", **terms))))
    rates = owner_rates(book.session, book.owner.id)
    shown = totals_views(book.session, [first, other, third], rates)
    found = [shown[account.id].net_liquidation for account in (first, other, third)]
    assert found == [total, total, D(160)]
    kept = {row.account_id: row.net_liquidation for row in book.all(AccountTotals)}
    assert kept == {account: of.net_liquidation for account, of in shown.items()}
    days = {row.account_id: row.net_liquidation for row in book.all(DailyValue)}
    assert days == kept
    # What does not hold it is as it was.
    assert (other.revision, third.revision) == (2, 1)


def test_interest_in_one_of_two_currencies_brings_the_totals_after_it(book):
    rates = {"EUR": D(1)}
    read = adding_up(cash=(("USD", "100"), ("EUR", "50")), rates=rates)
    book.put(read, rates=rates)
    dollars, euros = read.ledger.rows
    rows = (replace(dollars, accrued_interest=D(7)), euros)
    book.put(later(read, ledger=replace(read.ledger, rows=rows)), rates=rates)
    (totals,) = book.all(AccountTotals)
    assert totals.net_liquidation == D(157)


# rows kept by hand that the broker's replace


def test_a_row_kept_by_hand_gives_way_and_hands_its_notes_over(book):
    mine = book.by_hand(notes="long", category="core", twin=LIKELY_TWIN)
    spent = book.cash_by_hand()
    book.put(READ, replaced=Replaced(holdings=(mine.id,), cash=(spent.id,)))
    assert (mine.closed_at, mine.twin) == (NOON, NO_TWIN)
    twin = next(h for h in book.all(Holding) if h.source == "ibkr" and h.notes)
    assert (twin.notes, twin.category, twin.instrument.symbol) == ("long", "core", "S1")
    assert [c.source for c in book.all(CashBalance)] == ["ibkr"]
    assert book.run.closed == 2
    closed = [c for c in book.all(Change) if c.source == "manual"]
    assert {(c.run_id, c.label, c.old, c.new) for c in closed} == {
        ("r1", "S1", "3", None),
        ("r1", "USD", "9", None),
    }
    assert book.all(AccountTotals)[0].net_liquidation == D(220)


def test_what_is_alike_is_marked_by_the_sync_that_brings_it(book):
    mine = book.by_hand("S1")
    book.put(READ)
    assert (mine.twin, book.account.likely_twins) == (LIKELY_TWIN, 1)
    # Nothing else moved, and nothing is left to look at.
    book.put(later(READ), replaced=Replaced(holdings=(mine.id,)))
    assert (mine.closed_at, mine.twin) == (LATER, NO_TWIN)
    assert book.account.likely_twins == 0


@pytest.mark.parametrize("of", ["another account here", "another broker", "an account elsewhere"])
def test_notes_go_to_the_row_that_was_read_and_to_no_other_that_is_alike(book, of):
    book.put(READ)
    here, source = book.account, SOURCE
    if of == "another account here":
        source = replace(SOURCE, broker_account="U2")
    elif of == "another broker":
        source = replace(SOURCE, manifest=replace(SOURCE.manifest, key="other"))
    else:
        book.account = book.another("B")
    book.put(adding_up(position("1")), source=source)
    book.account = here
    mine = book.by_hand("S1", notes="long")
    book.put(later(READ), replaced=Replaced(holdings=(mine.id,)))
    noted = [row for row in book.all(Holding) if row.notes and row is not mine]
    assert [(row.account_id, row.source, row.source_account) for row in noted] == [
        (here.id, "ibkr", "U1")
    ]


def test_notes_go_to_the_last_of_two_rows_that_are_alike(book):
    book.put(adding_up(position("1")))
    mine = book.by_hand("S1", notes="long")
    alike = adding_up(position("1"), position("2", symbol="S1"))
    book.put(later(alike), replaced=Replaced(holdings=(mine.id,)))
    first, _, last = book.all(Holding)
    assert (first.notes, last.notes) == (None, "long")


def test_without_a_choice_nothing_kept_by_hand_is_touched(book):
    mine, spent = book.by_hand(), book.cash_by_hand()
    book.put(READ)
    assert (mine.closed_at, spent in book.session, book.run.closed) == (None, True, 0)


@pytest.mark.parametrize("only_alike", [False, True])
def test_what_resembles_nothing_goes_only_where_all_was_chosen(book, only_alike):
    alike, other = book.by_hand("S1"), book.by_hand("HOME")
    dollars, francs = book.cash_by_hand("USD"), book.cash_by_hand("CHF")
    chosen = Replaced(
        holdings=(alike.id, other.id), cash=(dollars.id, francs.id), only_alike=only_alike
    )
    book.put(READ, replaced=chosen)
    assert alike.closed_at == NOON
    assert other.closed_at == (None if only_alike else NOON)
    left = {c.currency for c in book.all(CashBalance) if c.source == "manual"}
    assert left == ({"CHF"} if only_alike else set())
    assert book.run.closed == (2 if only_alike else 4)


def test_what_the_broker_no_longer_holds_replaces_nothing(book):
    book.put(READ)
    mine = book.by_hand("S2")
    only = Replaced(holdings=(mine.id,), only_alike=True)
    book.put(later(adding_up(position("1"))), replaced=only)
    assert mine.closed_at is None


def test_rows_of_other_accounts_and_closed_ones_are_never_replaced(book):
    book.run.closed = 5
    far = book.another("B")
    there, cash = book.by_hand(account=far), book.cash_by_hand(account=far)
    early = NOON - timedelta(days=1)
    closed = book.by_hand("S2", closed_at=early)
    book.put(READ, replaced=Replaced(holdings=(there.id, closed.id), cash=(cash.id,)))
    assert (there.closed_at, closed.closed_at) == (None, early)
    assert cash in book.all(CashBalance)
    assert book.run.closed == 5


@pytest.mark.parametrize("what", ["holding", "cash"])
def test_replacing_alone_brings_the_totals_after_it(book, what):
    book.put(READ)
    mine, spent = book.by_hand("HOME", price=D(1), market_value=D(3)), book.cash_by_hand()
    chosen = {"holding": Replaced(holdings=(mine.id,)), "cash": Replaced(cash=(spent.id,))}
    book.put(later(READ), replaced=chosen[what])
    assert book.account.revision == 2


# the last looks


def put_after(book, before, read):
    """What a run does that read `before` as the state it starts from."""
    book.run.digest_before = stored_digest(before)
    moment = Moment(now=LATER, day=LATER.date())
    target = Target(
        account=book.account,
        source=SOURCE,
        run=book.run,
        moment=moment,
        rated_on=moment.day,
        replaced=Replaced(),
    )
    plan = make_plan(before, read, frozenset())
    return apply(book.session, target, plan, later(read), before=before, rates={})


def test_a_plan_that_was_made_of_another_state_is_not_written(book):
    book.put(READ)
    before = stored_state(book.session, book.account, SOURCE)
    book.put(later(adding_up(position("1"))))
    with pytest.raises(LeaseLost, match="r1"):
        put_after(book, before, READ)
    assert book.holding("S2").closed_at == LATER


@pytest.mark.parametrize("cash", [True, False])
def test_cash_and_quotes_are_of_the_state_that_a_plan_is_made_of(book, cash):
    book.put(READ)
    before = stored_state(book.session, book.account, SOURCE)
    row = book.all(CashBalance)[0] if cash else book.holding("S2")
    setattr(row, "amount" if cash else "price", D("7.5"))
    touch(book.session, book.account, Moment(now=LATER, day=DAY))
    with pytest.raises(LeaseLost):
        put_after(book, before, READ)


def test_what_has_changed_elsewhere_meanwhile_does_not_stop_a_plan(book):
    book.put(READ)
    before = stored_state(book.session, book.account, SOURCE)
    other = book.another("B")
    book.by_hand(account=other)
    touch(book.session, other, Moment(now=LATER, day=DAY))
    assert stored_state(book.session, book.account, SOURCE).stamp != before.stamp
    assert put_after(book, before, READ) == stored_digest(before)


def test_the_digest_of_a_run_is_of_all_that_is_stored_then_also_of_what_stays_for_now(book):
    first = book.put(READ)
    second = book.put(later(adding_up(position("1", quantity="4"))), keep={"2"})
    assert second == stored_digest(stored_state(book.session, book.account, SOURCE)) != first


def test_rows_that_somebody_changed_past_the_program_are_noticed(book):
    """No stamp tells of it; what is read back does."""
    book.put(READ)
    before = stored_state(book.session, book.account, SOURCE)
    book.holding("S2").quantity = D(4)
    with pytest.raises(StorageFailed):
        put_after(book, before, READ)


LOSSY = {
    "another quantity": "INSERT ON holding BEGIN UPDATE holding SET quantity = '11'",
    "a row less": "INSERT ON holding BEGIN UPDATE holding SET closed_at = NEW.opened_at",
    "a row more": "UPDATE OF closed_at ON holding BEGIN UPDATE holding SET closed_at = NULL",
    "another amount": "INSERT ON cash_balance BEGIN UPDATE cash_balance SET amount = '7'",
    "no cash": "INSERT ON cash_balance BEGIN DELETE FROM cash_balance",
}


@pytest.mark.parametrize("lossy", LOSSY.values(), ids=LOSSY)
def test_what_the_database_does_not_keep_is_noticed(book, lossy):
    if "UPDATE OF" in lossy:
        book.put(READ)
    read = later(adding_up(position("1"))) if "UPDATE OF" in lossy else READ
    lose = f"CREATE TRIGGER lossy AFTER {lossy} WHERE id = NEW.id; END"
    book.session.connection().exec_driver_sql(lose)
    with pytest.raises(StorageFailed) as raised:
        book.put(read)
    said = raised.value
    assert said.message == "The database did not keep what was read; nothing was changed."
