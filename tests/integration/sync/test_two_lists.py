"""What is stored is what the account holds, whichever of IBKR's two lists a run has read."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random

import pytest

from brokers.ibkr import InteractiveBrokers
from brokers.ibkr.simulator import answers
from brokers.ibkr.simulator.data import enlarge
from brokers.ibkr.simulator.lists import ENOUGH
from brokers.ibkr.simulator.reply import Reply
from brokers.ibkr.simulator.scenarios import on
from portfolio.accounts.models import Account
from portfolio.db.base import db
from portfolio.sync.models import SyncRun
from portfolio.sync.plan import Source, digest, stored_digest
from portfolio.sync.rows import stored_state
from tests.integration.conftest import MAIN

RUNS = 25
AT_ONCE, COMPARED, PAGES = (0, 1), (5, 1), (5, 0)


class Held:
    """A large account that is synced, and the truth about it."""

    def __init__(self, desk, seed):
        self.desk = desk
        self.rng = Random(seed)
        self.account = desk.simulator.state.accounts[MAIN]
        enlarge(self.account, ENOUGH)
        self.url = desk.connected()

    def run(self):
        """Sync once; the run, and how many pages and single answers it took."""
        self.desk.turn(1800)
        self.desk.simulator.state.requests.clear()
        answer = self.desk.sync(self.url)
        assert answer.status_code == 200, answer.json
        run = answer.json["run"]
        assert run["status"] == "succeeded"
        paths = [request.path for request in self.desk.simulator.requests]
        pages = sum(path.rsplit("/", 1)[1].isdigit() for path in paths)
        return run, (pages, sum("/portfolio2/" in path for path in paths))

    def truth(self):
        """The digest of what the account holds, from the simulated broker alone."""
        rows = [
            (str(row.conid), row.quantity, row.average or None, row.currency)
            for row in self.account.held
            if row.quantity
        ]
        return digest(rows, {of: cash.balance for of, cash in self.account.cash.items()})

    def stored(self):
        """The digest of what is stored, and the one that the last run has noted."""
        manifest = InteractiveBrokers.manifest
        with self.desk.app.app_context():
            account = db.session.query(Account).one()
            source = Source(manifest=manifest, broker_account=MAIN)
            run = db.session.query(SyncRun).order_by(SyncRun.started_at.desc()).first()
            return stored_digest(stored_state(db.session, account, source)), run.digest

    def is_true(self):
        return self.stored() == (self.truth(), self.truth())

    def row(self):
        return self.rng.choice([row for row in self.account.held if row.asset == "STK"])

    def trade(self, row, quantity):
        cost = quantity * row.price * row.multiplier
        self.account.cash[row.currency].balance -= cost
        row.quantity += quantity


def nothing(of):
    pass


def trades(of):
    for _ in range(of.rng.randint(1, 4)):
        row = of.row()
        of.trade(row, Decimal(of.rng.randint(1, 9)))
        row.average += Decimal("0.0123")


def sale_with_a_row_of_zero(of):
    row = of.row()
    of.trade(row, -row.quantity)


def sale_without_a_row(of):
    row = of.row()
    of.trade(row, -row.quantity)
    of.account.held.remove(row)


def new_contract(of):
    enlarge(of.account, len(of.account.held) + 1)
    row = of.account.held[-1]
    row.conid = 920_000_000 + of.rng.randrange(10**6)
    of.account.cash[row.currency].balance -= row.quantity * row.price * row.multiplier


def transfer(of):
    of.row().quantity += 7


def dividend(of):
    of.account.cash["USD"].balance += Decimal("31.07")


def split(of):
    row = of.row()
    row.quantity, row.price, row.average = row.quantity * 2, row.price / 2, row.average / 2


def prices(of):
    for row in of.account.held:
        row.price *= Decimal("1.01")


def useless(of):
    bodies = (b"", b"null", b"<html>", b'{"error":"x"}', b'[{"conid":1}]')
    of.desk.simulator.fail_next("/portfolio2/", body=of.rng.choice(bodies))


def lost_row(of):
    """A row is missing in the single answer for this run."""
    lost = str(of.row().conid)
    on(
        of.desk.simulator.state,
        "/portfolio2/",
        lambda rows: [row for row in rows if str(row["conid"]) != lost],
    )


def wrong_row(of):
    """A row has another quantity in the single answer for this run."""
    wrong = str(of.row().conid)

    def change(rows):
        return [
            {**row, "position": row["position"] + 3} if str(row["conid"]) == wrong else row
            for row in rows
        ]

    on(of.desk.simulator.state, "/portfolio2/", change)


TRUE = [trades, sale_with_a_row_of_zero, sale_without_a_row, new_contract, transfer, dividend]
TRUE += [split, prices, nothing]


@pytest.mark.parametrize("seed", [1, 2])
def test_after_every_run_the_stored_state_is_what_the_account_holds(desk, seed):
    of = Held(desk, seed)
    assert of.is_true()
    ways = []
    for _ in range(RUNS):
        happens = of.rng.choice([*TRUE, *[prices, nothing] * 3])
        happens(of)
        run, way = of.run()
        assert of.is_true(), happens.__name__
        assert run["warnings"] == [], happens.__name__
        ways.append(way)
    assert ways.count(AT_ONCE) > 3
    assert ways.count(COMPARED) > 3


@pytest.mark.parametrize("seed", [3, 4])
def test_nor_does_a_list_in_trouble_change_that(desk, seed):
    of = Held(desk, seed)
    noted = 0
    for _ in range(RUNS):
        of.rng.choice(TRUE)(of)
        if of.rng.random() < 0.2:
            of.rng.choice([useless, lost_row, wrong_row])(of)
        run, _ = of.run()
        assert of.is_true()
        noted += run["warnings"] == ["lists_disagree"]
        desk.simulator.play("calm")
    assert noted


def test_quiet_runs_read_the_pages_at_every_tenth_run(desk):
    of = Held(desk, 5)
    # The first run has read and compared; prices move at each.
    ways = []
    for _ in range(11):
        prices(of)
        run, way = of.run()
        assert (run["unchanged"], of.is_true()) == (ENOUGH + len(of.account.cash), True)
        ways.append(way)
    assert ways == [*[AT_ONCE] * 9, COMPARED, AT_ONCE]


def test_a_list_that_disagrees_is_told_everywhere_and_healed_at_the_tenth_run(desk):
    of = Held(desk, 6)
    assert of.run()[1] == AT_ONCE
    desk.simulator.play("list-stale")
    # It stays behind a trade: for that the pages are read alone, and the next run finds it out.
    run, way = of.run()
    assert (run["warnings"], way, of.is_true()) == ([], PAGES, True)
    run, _ = of.run()
    assert (run["warnings"], of.is_true()) == (["lists_disagree"], True)
    found = desk.program.get(f"/api/v1/runs/{run['id']}").json
    assert found["warnings"] == ["lists_disagree"]
    for place in (of.url, f"{of.url}/syncs/{run['id']}"):
        page = desk.program.get(place, headers={"Accept": "text/html"}).get_data(as_text=True)
        assert "two lists of positions did not agree" in page
    desk.simulator.play("calm")
    ways = [of.run()[1] for _ in range(11)]
    assert ways == [*[PAGES] * 9, COMPARED, AT_ONCE]
    page = desk.program.get(of.url, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "two lists of positions" not in page


def without(kept):
    """Leave rows out, whichever list they stand in."""

    def change(body):
        rows = isinstance(body, list)
        return [row for row in body if str(row["conid"]) in kept] if rows else body

    return change


def test_what_a_rejected_run_has_seen_is_found_out_by_the_books(desk):
    """Rows that both lists lacked once, and only the single answer lacks now."""
    of = Held(desk, 7)
    enlarge(of.account, 600)
    desk.sync(of.url)
    less = without({str(row.conid) for row in of.account.held[:400]})
    for path in ("/portfolio2/", "/positions/"):
        on(desk.simulator.state, path, less)
    desk.turn(1800)
    run = desk.program.post(f"{of.url}/sync").json["run"]
    assert (run["status"], run["reason"]) == ("rejected", "shrink")
    desk.simulator.state.rewrites.clear()
    on(desk.simulator.state, "/portfolio2/", less)
    run, _ = of.run()
    assert (run["closed"], run["warnings"], of.is_true()) == (0, ["lists_disagree"], True)


def fail_second(desk, path):
    """The second answer of this path says that IBKR is not available."""
    asked = []

    def rewrite(at, reply):
        if at.endswith(path):
            asked.append(at)
        return Reply(503, b"") if at.endswith(path) and len(asked) == 2 else reply

    desk.simulator.state.rewrites.append(rewrite)


def test_what_a_failed_run_has_seen_is_refuted_by_the_witness_of_a_quick_one(desk):
    """A worthless row, which no books miss, that both lists lacked once and one lacks now."""
    of = Held(desk, 7)
    row = of.account.find("AAPL")
    row.price = Decimal(0)
    of.run()
    less = without({str(each.conid) for each in of.account.held if each is not row})
    for path in ("/portfolio2/", "/positions/"):
        on(desk.simulator.state, path, less)
    fail_second(desk, "/tickle")
    desk.turn(1800)
    assert desk.sync(of.url).json["error"]["code"] == "broker_maintenance"
    desk.simulator.state.rewrites.clear()
    on(desk.simulator.state, "/portfolio2/", less)
    run, (pages, single) = of.run()
    assert (run["closed"], run["warnings"], of.is_true()) == (0, ["lists_disagree"], True)
    # A quick look, its witness, and the account by the pages: twice, because the lists differ.
    assert (pages, single) == (3 * 5, 3)


def test_what_was_seen_before_a_trade_is_not_believed_after_a_reading_that_failed(desk):
    of = Held(desk, 10)
    assert of.run()[1] == AT_ONCE
    behind, traded = [answers.uncached(row, 0) for row in of.account.held], []

    def meanwhile(path, reply):
        if "/portfolio2/" not in path:
            return reply
        if not traded:
            traded.append(of.row())
            of.trade(traded[0], Decimal(5))
        return reply._replace(body=behind)

    desk.simulator.state.rewrites.append(meanwhile)
    desk.simulator.fail_next("/positions/2", status=503)
    desk.turn(1800)
    assert desk.sync(of.url).status_code == 503
    run, _ = of.run()
    assert (run["warnings"], of.is_true()) == (["lists_disagree"], True)
    desk.simulator.play("calm")
    run, _ = of.run()
    assert (run["warnings"], run["changed"], of.is_true()) == ([], 0, True)


def test_a_sale_for_little_is_not_hidden_by_pages_from_a_cache(desk):
    """The account is small, so that the pages alone are read, and its books allow for more."""
    url, account = desk.connected(), desk.simulator.state.accounts[MAIN]
    cached = [answers.position(row, MAIN, lean=False) for row in account.held]
    forgotten = []

    def from_cache(path, reply):
        if path.endswith("/positions/invalidate"):
            forgotten.append(path)
        elif "/positions/" in path and not forgotten:
            start = 100 * int(path.rsplit("/", 1)[1])
            return reply._replace(body=cached[start : start + 100])
        return reply

    desk.simulator.state.rewrites.append(from_cache)
    desk.simulator.sell(MAIN, "T", Decimal(1))
    run = desk.sync(url).json["run"]
    assert (run["changed"], run["reconciliation"]["difference"], len(forgotten)) == (2, "0", 1)
    # What was forgotten for one trade need not be so at each run.
    run = desk.sync(url).json["run"]
    assert (run["changed"], run["reconciliation"]["difference"], len(forgotten)) == (0, "0", 1)


def test_a_cache_that_cannot_be_told_to_forget_fails_no_run(desk):
    url = desk.connected()
    desk.simulator.fail_next("/positions/invalidate", status=503)
    for closed, quantity in ((0, Decimal(1)), (1, None)):
        desk.simulator.sell(MAIN, "T", quantity)
        run = desk.sync(url).json["run"]
        assert (run["status"], run["closed"]) == ("succeeded", closed)
        assert run["reconciliation"]["difference"] == "0"
    desk.simulator.sell(MAIN, "VWCE", Decimal(1))
    # Where IBKR asks for silence, that is not passed over.
    desk.simulator.fail_next("/positions/invalidate", status=429)
    assert desk.sync(url).json["error"]["code"] == "rate_limited"
    desk.turn(1800)
    assert desk.sync(url).json["run"]["changed"] == 2


def test_a_restart_learns_anew(desk):
    of = Held(desk, 8)
    assert of.run()[1] == AT_ONCE
    desk.app.extensions["foliosync"].outside.brokers.get("ibkr").__init__()
    assert of.run()[1] == COMPARED
    assert of.run()[1] == AT_ONCE


def test_a_running_sync_shows_all_positions_of_the_single_answer(desk):
    of = Held(desk, 9)
    seen = []
    app = desk.network.app

    def looking(environ, start_response):
        if environ["PATH_INFO"].endswith("/ledger"):
            with desk.app.app_context():
                newest = db.session.query(SyncRun).order_by(SyncRun.started_at.desc()).first()
                seen.append(json.dumps(newest.progress))
        return app(environ, start_response)

    desk.network.app = looking
    assert of.run()[1] == AT_ONCE
    assert seen[-1] == json.dumps({"positions": ENOUGH})
