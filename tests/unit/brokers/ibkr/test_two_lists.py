"""A large account is read at once where both lists of IBKR have agreed, by the pages elsewhere."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.contract import Context
from brokers.errors import BadAnswer, BrokerError, GatewaySilent, NotAuthenticated, RateLimited
from brokers.ibkr import InteractiveBrokers
from brokers.ibkr.simulator import Simulator
from brokers.ibkr.simulator.data import enlarge, large
from brokers.ibkr.simulator.lists import ENOUGH
from brokers.ibkr.simulator.scenarios import SCENARIOS, on
from brokers.testing.clock import FakeClock
from brokers.testing.network import WsgiNetwork

MAIN, LARGE = "U1234567", "U9000000"
ADDRESS = "https://localhost:5000"


# The last page is the empty one.
SIZE, PAGES = 390, 5


class Desk:
    """A gateway with a large account, and runs that read it."""

    def __init__(self, size=SIZE):
        self.clock = FakeClock()
        self.simulator = Simulator(self.clock)
        self.account = self.simulator.state.accounts[LARGE] = large(size)
        self.network = WsgiNetwork(self.simulator)
        self.broker = InteractiveBrokers()

    def connect(self, **more):
        self.clock.turn(1800)
        return self.broker.connect(
            Context(
                clock=self.clock,
                network=self.network,
                address=ADDRESS,
                login_address=ADDRESS,
                **more,
            )
        )

    def run(self, account_id=LARGE):
        """One run: how it read, what it found, and how often it asked what."""
        self.simulator.state.requests.clear()
        snapshot = self.connect().snapshot(account_id)
        account = self.simulator.state.accounts[account_id]
        held = {str(row.conid): row.quantity for row in account.held if row.quantity}
        assert {p.instrument.key: p.quantity for p in snapshot.positions} == held
        return Run(snapshot, self.asked())

    def asked(self):
        found = Counter()
        for request in self.simulator.requests:
            last = request.path.rsplit("/", 1)[1]
            found["page" if last.isdigit() else request.path.split("/")[3] + "/" + last] += 1
        return found

    def change(self, path, change):
        on(self.simulator.state, path, change)

    def trade(self, row, quantity):
        """Buy or sell at the price, for cash."""
        self.account.cash[row.currency].balance -= quantity * row.price * row.multiplier
        row.quantity += quantity


class Run:
    def __init__(self, snapshot, asked):
        self.snapshot = snapshot
        self.asked = asked

    @property
    def how(self):
        ways = {(0, 1): "at once", (PAGES, 0): "pages", (PAGES, 1): "compared"}
        return ways.get((self.asked["page"], self.asked["portfolio2/positions"]), "?")

    @property
    def invalidated(self):
        return sum(self.asked[of] for of in self.asked if of.endswith("/invalidate"))

    @property
    def noted(self):
        return "lists_disagree" in self.snapshot.warnings

    @property
    def by_key(self):
        return {p.instrument.key: p for p in self.snapshot.positions}


@pytest.fixture
def desk():
    made = Desk()
    yield made
    assert made.simulator.trips == []
    assert not [request for request in made.simulator.requests if request.status == 429]


def test_every_tenth_run_reads_the_pages_and_the_others_need_six_calls():
    desk = Desk(1_000)
    runs = [desk.run() for _ in range(22)]
    quick, whole = 6, 6 + 11
    # The first run also asks who is signed in, and for terms that came later than their rows.
    terms = 5
    cycle = [whole, *[quick] * 9]
    assert [run.asked.total() for run in runs] == [whole + 1 + terms, *cycle[1:], *cycle, whole, 6]
    assert not any(run.noted for run in runs)


def test_both_ways_find_the_same_to_the_last_digit(desk):
    desk.run()
    at_once = desk.run()
    desk.broker = InteractiveBrokers()
    by_pages = desk.run()
    assert (at_once.how, by_pages.how) == ("at once", "compared")
    assert at_once.by_key == by_pages.by_key
    assert at_once.snapshot.ledger.rows == by_pages.snapshot.ledger.rows
    assert at_once.snapshot.warnings == by_pages.snapshot.warnings == ()


def test_new_prices_come_with_the_single_answer_and_the_terms_stay(desk):
    before = desk.run()
    desk.simulator.reprice(Decimal("1.1"))
    after = desk.run()
    assert after.how == "at once"
    for key, position in after.by_key.items():
        assert position.instrument is before.by_key[key].instrument
        assert position.price == before.by_key[key].price * Decimal("1.1")
        assert position.market_value == before.by_key[key].market_value * Decimal("1.1")


def test_a_row_of_zero_of_what_was_not_held_stays_a_proof(desk):
    row = replace(desk.account.held[0], conid=799_001, quantity=Decimal(0))
    desk.account.held.append(row)
    for how in ("compared", "at once"):
        run = desk.run()
        assert (run.how, run.snapshot.closed_keys) == (how, frozenset({"799001"}))


def trade(desk):
    desk.trade(desk.account.find("SAP"), Decimal(-3))


def sale(desk):
    row = desk.account.find("AAPL")
    desk.trade(row, -row.quantity)


def moved_cash(desk):
    desk.account.cash["USD"].balance += 100


def transfer(desk):
    desk.account.find("SAP").quantity += 1


def new_contract(desk):
    enlarge(desk.account, SIZE + 1)
    row = desk.account.held[-1]
    desk.account.cash[row.currency].balance -= row.quantity * row.price


def gone(desk):
    row = desk.account.held[0]
    desk.trade(row, -row.quantity)
    desk.account.held.remove(row)


def other_currency(desk):
    desk.account.find("MSFT").currency = "EUR"


def other_cost(desk):
    desk.account.find("MSFT").average += 1


FOR_NO_CASH = [transfer, other_currency, other_cost]
FOR_CASH = [trade, sale, moved_cash, new_contract, gone]


@pytest.mark.parametrize("happened", FOR_NO_CASH, ids=lambda of: of.__name__)
def test_any_change_but_of_prices_is_read_by_fresh_pages_and_the_next_run_is_quick(desk, happened):
    desk.run()
    happened(desk)
    run = desk.run()
    assert (run.how, run.invalidated, run.noted) == ("compared", 1, False)
    assert [desk.run().how for _ in range(10)] == [*["at once"] * 9, "compared"]


@pytest.mark.parametrize("happened", FOR_CASH, ids=lambda of: of.__name__)
def test_where_cash_has_moved_fresh_pages_are_enough_and_the_tenth_run_stays_where_it_was(
    desk, happened
):
    desk.run()
    happened(desk)
    run = desk.run()
    assert (run.how, run.invalidated, run.noted) == ("pages", 1, False)
    assert [desk.run().how for _ in range(10)] == [*["at once"] * 8, "compared", "at once"]


def test_who_trades_all_the_time_has_the_lists_compared_at_every_tenth_run(desk):
    ways = []
    for _ in range(21):
        ways.append(desk.run().how)
        desk.trade(desk.account.find("SAP"), Decimal(-1))
    assert ways == ["compared", *["pages"] * 9, "compared", *["pages"] * 9, "compared"]


def test_what_was_bought_is_compared_when_the_single_answer_first_has_it(desk):
    desk.run()
    new_contract(desk)
    assert desk.run().how == "pages"
    mine = str(desk.account.held[-1].conid)

    def in_cents(rows):
        return [
            {**row, "marketValue": row["marketValue"] * 100} if str(row["conid"]) == mine else row
            for row in rows
        ]

    desk.change("/portfolio2/", in_cents)
    assert desk.run().noted


def without(name):
    def drop(desk):
        asked = desk.account.find("MSFT").conid
        desk.change(
            "/portfolio2/",
            lambda rows: [
                {**row, name: None} if str(row["conid"]) == str(asked) else row for row in rows
            ],
        )

    return drop


def whole(name, value):
    def answer(desk):
        desk.change("/portfolio2/", lambda rows: [{**row, name: value} for row in rows])

    return answer


def fault(**answer):
    return lambda desk: desk.simulator.fail_next("/portfolio2/", times=1, **answer)


USELESS = {
    "another status": fault(status=404),
    "nothing": fault(body=b""),
    "null": fault(body=b"null"),
    "an error": fault(body=b'{"error":"not now"}'),
    "an object": fault(body=b'{"positions":[]}'),
    "a web page": fault(body=b"<html>", content_type="text/html"),
    "half an answer": fault(body=b'[{"conid":1,"position":'),
    "too large": fault(body=b" " * 20_000_001),
    "down": fault(status=503),
    "broken": fault(status=500),
    "not for us": fault(status=403),
    "elsewhere": fault(status=302),
    "refused": fault(status=401),
    "no ids": whole("conid", None),
    "no quantities": whole("position", None),
    "no currencies": whole("currency", None),
    "words": whole("avgPrice", "many"),
    "of another account": whole("acctId", "U7654321"),
    "twice": lambda desk: desk.change("/portfolio2/", lambda rows: [*rows, rows[0]]),
    "one without a price": without("marketPrice"),
    "one without a value": without("marketValue"),
    "one without a cost": without("avgPrice"),
}


@pytest.mark.parametrize("known", [False, True], ids=["first run", "later run"])
@pytest.mark.parametrize("trouble", USELESS.values(), ids=USELESS)
def test_a_useless_answer_fails_no_run_and_is_asked_for_again_at_the_tenth(desk, trouble, known):
    if known:
        desk.run()
    trouble(desk)
    run = desk.run()
    assert (run.how, run.noted) == ("compared", False)
    desk.simulator.play("calm")
    ways = [desk.run().how for _ in range(11)]
    assert ways == [*["pages"] * 9, "compared", "at once"]


DISAGREEING = [name for name, of in SCENARIOS.items() if of.leads_to == "lists_disagree"]


@pytest.mark.parametrize("known", [False, True], ids=["first run", "later run"])
@pytest.mark.parametrize("name", DISAGREEING)
def test_lists_that_disagree_are_noted_the_pages_count_and_it_heals(desk, name, known):
    main = desk.simulator.state.accounts[MAIN]
    enlarge(main, ENOUGH)
    if known:
        desk.run(MAIN)
    desk.simulator.play(name)
    run = desk.run(MAIN)
    if known and name == "list-stale":
        # It stays behind a trade, for which it is not asked; the next run asks.
        assert not run.noted
        run = desk.run(MAIN)
    assert run.noted
    # Once more, from a cache that was told to forget, before it is called a disagreement.
    assert (run.asked["page"], run.invalidated) == (2 * PAGES, 1 + known)
    desk.simulator.play("calm")
    for _ in range(9):
        run = desk.run(MAIN)
        assert (run.how, run.noted) == ("pages", False)
    assert desk.run(MAIN).asked["portfolio2/positions"] == 1
    assert desk.run(MAIN).asked["page"] == 0


def test_a_list_that_differs_and_then_cannot_be_had_is_noted_too(desk):
    answers = [lambda rows: rows[1:], lambda rows: None]
    desk.change("/portfolio2/", lambda rows: answers.pop(0)(rows))
    assert desk.run().noted
    desk.simulator.play("calm")
    assert [desk.run().how for _ in range(10)] == [*["pages"] * 9, "compared"]


def test_a_value_in_another_unit_is_no_agreement(desk):
    whole_value = lambda row: {**row, "marketValue": row["marketValue"] / 100}  # noqa: E731
    desk.change("/portfolio2/", lambda rows: [whole_value(row) for row in rows])
    assert desk.run().noted


def test_a_trade_between_the_two_lists_is_read_again_and_is_no_disagreement(desk):
    row = desk.account.find("AAPL")
    done = []

    def trade(rows):
        if not done:
            done.append(row.quantity)
            desk.trade(row, Decimal(-10))
            mine = str(row.conid)
            return [
                {**each, "position": row.quantity} if str(each["conid"]) == mine else each
                for each in rows
            ]
        return rows

    desk.change("/portfolio2/", trade)
    run = desk.run()
    assert (run.asked["page"], run.noted) == (2 * PAGES, False)
    assert desk.run().how == "at once"


@pytest.mark.parametrize(("known", "passes"), [(False, 2), (True, 1)])
def test_pages_from_a_cache_that_lags_behind_are_read_afresh(desk, known, passes):
    if known:
        desk.run()
    row = desk.account.find("AAPL")
    before = row.quantity

    def from_cache(rows):
        fresh = any(r.path.endswith("/invalidate") for r in desk.simulator.requests)
        if fresh or not isinstance(rows, list):
            return rows
        return [
            {**each, "position": before} if each["conid"] == row.conid else each for each in rows
        ]

    desk.change("/positions/", from_cache)
    row.quantity += 5
    run = desk.run()
    assert (run.asked["page"], run.invalidated, run.noted) == (passes * PAGES, 1, False)


def test_a_trade_in_the_middle_of_a_quick_run_is_read_again_by_the_pages(desk):
    desk.run()
    row, done = desk.account.find("AAPL"), []

    def trade(rows):
        if not done:
            done.append(True)
            desk.trade(row, Decimal(-10))
        return rows

    desk.change("/portfolio2/", trade)
    run = desk.run()
    assert (run.asked["page"], run.noted) == (PAGES, False)
    assert desk.run().how == "at once"


def test_what_was_believed_before_a_change_is_not_after_a_run_that_failed_on_it(desk):
    desk.run()
    assert desk.run().how == "at once"
    row = desk.account.find("AAPL")
    desk.trade(row, Decimal(5))
    desk.simulator.fail_next("/positions/", status=500, times=9)
    with pytest.raises(BrokerError):
        desk.run()
    # All is as it was believed to be, and who has seen it otherwise reads the pages.
    desk.simulator.state.faults.clear()
    desk.trade(row, Decimal(-5))
    assert [desk.run().how for _ in range(2)] == ["compared", "at once"]


def test_a_list_that_stays_behind_is_found_out_by_what_the_pages_have_said(desk):
    enlarge(desk.simulator.state.accounts[MAIN], ENOUGH)
    desk.run(MAIN)
    assert desk.run(MAIN).asked["page"] == 0
    desk.simulator.play("list-stale")
    run = desk.run(MAIN)
    assert (run.how, run.noted) == ("pages", False)
    assert desk.run(MAIN).noted


def test_an_account_that_shrinks_goes_back_to_the_pages_and_grows_again(desk):
    desk.run()
    del desk.account.held[300:]
    desk.account.cash["USD"].balance += 1_000_000
    ways = [desk.run() for _ in range(3)]
    assert [run.asked["page"] for run in ways] == [4, 4, 4]
    assert [run.asked["portfolio2/positions"] for run in ways] == [0, 0, 0]
    enlarge(desk.account, 301)
    assert [desk.run().asked["page"] for _ in range(2)] == [5, 0]


def test_a_small_account_never_asks_for_the_other_list(desk):
    for _ in range(3):
        assert desk.run(MAIN).asked["portfolio2/positions"] == 0


def test_a_second_look_in_one_run_reads_the_pages_afresh_and_compares(desk):
    desk.run()
    connection = desk.connect()
    connection.snapshot(LARGE)
    desk.simulator.state.requests.clear()
    connection.snapshot(LARGE)
    asked = desk.asked()
    assert (asked["page"], asked["portfolio2/positions"]) == (PAGES, 1)
    assert sum(asked[of] for of in asked if of.endswith("/invalidate")) == 1


def test_what_one_look_has_found_is_noted_by_the_next_of_the_run(desk):
    enlarge(desk.simulator.state.accounts[MAIN], ENOUGH)
    desk.simulator.play("list-other-quantity")
    connection = desk.connect()
    for _ in range(2):
        assert "lists_disagree" in connection.snapshot(MAIN).warnings


def test_the_witness_of_a_quick_look_is_the_pages_and_of_the_pages_the_single_answer(desk):
    connection = desk.connect()
    connection.snapshot(LARGE)
    desk.simulator.state.requests.clear()
    witness = connection.witness(LARGE)
    assert (desk.asked()["page"], len(witness.quantities)) == (0, SIZE)
    connection = desk.connect()
    connection.snapshot(LARGE)
    desk.simulator.state.requests.clear()
    witness = connection.witness(LARGE)
    asked = desk.asked()
    assert (asked["page"], asked["portfolio2/positions"]) == (PAGES, 0)
    assert (witness.refutes_snapshot, len(witness.quantities)) == (False, SIZE)


def test_a_witness_that_disagrees_refutes_the_quick_look_and_the_pages_take_its_place(desk):
    desk.run()
    row = desk.account.held[0]
    connection = desk.connect()
    connection.snapshot(LARGE)
    desk.account.held.append(replace(row, conid=799_999))
    assert connection.witness(LARGE).refutes_snapshot
    again = connection.snapshot(LARGE)
    assert len(again.positions) == SIZE + 1
    assert not connection.witness(LARGE).refutes_snapshot


def test_real_troubles_stay_what_they_are_and_are_not_met_again_at_once(desk):
    desk.run()
    desk.simulator.fail_next("/portfolio2/", status=429)
    with pytest.raises(RateLimited):
        desk.run()
    desk.simulator.state.requests.clear()
    assert desk.run().how == "pages"


def unanswered(desk, place, error):
    """Calls of a place get no answer."""
    app = desk.network.app

    def silent(environ, start_response):
        if place in environ["PATH_INFO"]:
            raise error
        return app(environ, start_response)

    desk.network.app = silent
    return app


@pytest.mark.parametrize("known", [False, True], ids=["first run", "later run"])
@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError()], ids=repr)
def test_a_list_that_is_never_answered_fails_no_run_not_even_the_tenth(desk, error, known):
    if known:
        desk.run()
    unanswered(desk, "/portfolio2/", error)
    # What got no answer is not among the simulator's calls.
    assert [desk.run().how for _ in range(12)] == ["pages"] * 12


def test_a_gateway_that_falls_silent_as_a_whole_is_said(desk):
    desk.run()
    app = unanswered(desk, LARGE, TimeoutError())
    with pytest.raises(GatewaySilent):
        desk.connect().snapshot(LARGE)
    desk.network.app = app
    assert desk.run().how in {"at once", "compared"}


def test_a_gateway_that_falls_silent_in_a_quick_run_is_said(desk):
    desk.run()
    app, first = desk.network.app, []

    def silent(environ, start_response):
        if "/portfolio2/" in environ["PATH_INFO"] or first:
            first.append(environ["PATH_INFO"])
            raise TimeoutError
        return app(environ, start_response)

    desk.network.app = silent
    with pytest.raises(GatewaySilent):
        desk.connect().snapshot(LARGE)
    assert first[1:]
    desk.network.app = app
    assert desk.run().how == "pages"


def test_signed_out_in_the_middle_of_a_quick_run_is_said(desk):
    desk.run()
    desk.change("/ledger", lambda rows: desk.simulator.state.sign_out() or rows)
    with pytest.raises(NotAuthenticated):
        desk.run()
    desk.simulator.play("calm")
    assert desk.run().how == "pages"


def test_the_lists_of_one_account_say_nothing_of_another_s(desk):
    other = large(400, "U9000001")
    desk.simulator.state.accounts[other.id] = other
    desk.run()
    assert desk.run(other.id).asked["page"] == 5
    assert desk.run(other.id).asked["page"] == 0


def test_an_answer_for_another_account_is_not_believed(desk):
    desk.run()
    other = large(350, "U9000001")
    desk.simulator.state.accounts[other.id] = other
    rows = []
    desk.change("/portfolio2/", lambda body: rows.append(body) or body[:350])
    run = desk.run()
    assert rows
    assert run.noted


def test_progress_tells_of_all_positions_of_the_single_answer(desk):
    desk.run()
    told = []
    desk.connect(progress=told.append).snapshot(LARGE)
    assert told == [SIZE]


def test_pages_that_do_not_end_are_incomplete_however_the_other_list_is(desk):
    body = json.dumps([{"conid": 1, "position": 1}]).encode()
    desk.simulator.fail_next("/positions/", body=body, times=2)
    with pytest.raises(BadAnswer):
        desk.connect().snapshot(LARGE)


def test_models_are_summed_in_both_lists(desk):
    row = desk.account.find("AAPL")
    other = replace(row, model="Growth", quantity=Decimal(7), average=Decimal("100.125"))
    desk.account.held.append(other)
    runs = []
    for _ in range(2):
        desk.simulator.state.requests.clear()
        runs.append(Run(desk.connect().snapshot(LARGE), desk.asked()))
    assert [run.how for run in runs] == ["compared", "at once"]
    found = [run.by_key[str(row.conid)] for run in runs]
    assert found[0] == found[1]
    assert found[0].quantity == row.quantity + 7
