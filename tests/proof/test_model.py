"""Whatever people, brokers, clocks and crashes do, the program does what a small model says."""

from __future__ import annotations

import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from tests.proof.lab import KIDS, MAIN, Crash, Stand
from tests.proof.model import (
    Held,
    Journal,
    Key,
    Reading,
    Run,
    digest_of,
    reading_of,
    seen,
    vanished_rightly,
)

ACCOUNTS = {1: "A", 2: "B"}
BY_HAND = ("HOUSE", "GOLD", "AAPL", "VWCE", "EIMI")
LIES = (
    *("empty-positions", "html-answer", "null-answer", "foreign-row", "repeated-page"),
    *("moving-cash", "signed-out", "gateway-down", "maintenance", "ledger-without-total"),
    *("error-in-success", "silence", "another-user", "no-market-data", "books-differ"),
    *("always-lean", "strings", "starting", "positions-not-released", "rate-limited"),
)
JUMPS = (-86_400, -3_600, 3_600, 86_400, 8 * 3_600)
WHICH = st.sampled_from(sorted(ACCOUNTS))
AT_BROKER = st.sampled_from((MAIN, KIDS))
PLACE = st.integers(0, 9)
HOW = st.sampled_from(("keep", "replace_duplicates", "replace_all"))


class Link:
    """What the model knows of a connection: rows by hand that its first run closes."""

    def __init__(self, broker_account: str, chosen: set[Key], *, alike: bool) -> None:
        self.broker_account, self.chosen, self.alike = broker_account, chosen, alike
        self.runs: set[str] = set()


class Machine(RuleBasedStateMachine):
    """The model beside the program; each rule does one thing to both."""

    template: ClassVar[Path]
    shelf: ClassVar[Path]
    counts: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(dir=self.shelf))
        shutil.copytree(self.template, self.folder, dirs_exist_ok=True)
        self.stand = Stand(self.folder)
        self.held: Held = {}
        self.notes: dict[Key, str] = {}
        self.links: dict[int, Link] = {}
        self.runs: dict[str, Run] = {}
        self.rejected: dict[str, tuple[int, Link, Reading, Held]] = {}
        # What changed each account last: a run, or something that cannot be taken back.
        self.newest: dict[int, str | None] = dict.fromkeys(ACCOUNTS)
        self.journal = Journal()
        self.bought = 0
        self.symbols: dict[int, str] = {}
        self.counts["examples"] += 1

    def teardown(self) -> None:
        self.stand.stop()
        self.stand.simulator.state.requests.clear()
        shutil.rmtree(self.folder)

    @initialize(linked=st.sampled_from((True, True, True, False)), how=HOW)
    def begin(self, linked: bool, how: str) -> None:
        """Mostly, something is connected and read already."""
        if linked:
            self.add(1, "AAPL", 3)
            self.connect(1, MAIN, how)
            self.one_sync(1)

    # What a person does -------------------------------------------------------------------

    def api(self, account: int) -> str:
        return f"/api/v1/portfolios/1/accounts/{ACCOUNTS[account]}"

    def page(self, account: int) -> str:
        return f"/portfolio/1/accounts/{ACCOUNTS[account]}"

    def of(self, account: int, held: Held | None = None) -> Held:
        """What one account holds."""
        return {k: v for k, v in (self.held if held is None else held).items() if k[0] == account}

    def touched(self, account: int) -> None:
        """A person changed what is held: no run is the last word any more."""
        self.newest[account] = None

    @rule(account=WHICH, symbol=st.sampled_from(BY_HAND), quantity=st.integers(1, 99))
    def add(self, account: int, symbol: str, quantity: int) -> None:
        """Add a holding by hand."""
        body = {"symbol": symbol, "kind": "stock", "currency": "USD", "quantity": str(quantity)}
        answer = self.stand.call("POST", f"{self.api(account)}/holdings", json=body)
        key: Key = (account, "manual", "", symbol)
        assert answer.status_code == (409 if key in self.held else 201), answer.text
        if key not in self.held:
            was = self.average_of_closed(key)
            self.held[key] = str(quantity), was
            self.touched(account)

    def average_of_closed(self, key: Key) -> str:
        """A holding by hand comes back with the average price that it had."""
        row = self.ask_row(key)
        return "—" if row is None or row[0] is None else str(row[0])

    def ask_row(self, key: Key) -> Any:
        query = text(
            "SELECT h.average_price, h.id FROM holding h"
            " JOIN instrument i ON i.id = h.instrument_id"
            " WHERE h.account_id = :a AND h.source = :s AND h.source_account = :b"
            " AND (i.symbol = :k OR EXISTS (SELECT 1 FROM instrument_identifier x"
            " WHERE x.instrument_id = i.id AND x.is_key AND x.value = :k))"
        )
        with self.stand.engine.connect() as connection:
            named = dict(zip("asbk", key, strict=True))
            return connection.execute(query, named).first()

    def a_row(self, account: int, place: int) -> Key | None:
        """One of the holdings of an account."""
        keys = sorted(k for k in self.of(account) if not k[3].startswith("cash "))
        return keys[place % len(keys)] if keys else None

    def is_mine(self, key: Key) -> bool:
        """Whether a row is a person's to change: no connection brings it."""
        link = self.links.get(key[0])
        return link is None or (key[1], key[2]) != ("ibkr", link.broker_account)

    @rule(account=WHICH, place=PLACE, quantity=st.integers(1, 99), note=st.text("xyz", max_size=2))
    def edit(self, account: int, place: int, quantity: int, note: str) -> None:
        """Change a holding, also one that a broker left behind; write a note on any."""
        key = self.a_row(account, place)
        if key is None:
            return
        row = self.ask_row(key)[1]
        body: dict[str, Any] = {"notes": note} if note else {"quantity": str(quantity)}
        answer = self.stand.call("PATCH", f"{self.api(account)}/holdings/{row}", json=body)
        if note:
            assert answer.status_code == 200
            self.notes[key] = note
        elif self.is_mine(key):
            assert answer.status_code == 200, answer.text
            changed = self.held[key][0] != str(quantity)
            self.held[key] = str(quantity), self.held[key][1]
            if changed:
                self.touched(account)
                self.rebase()
        else:
            assert answer.status_code in (200, 409)

    @rule(account=WHICH, place=PLACE)
    def remove(self, account: int, place: int) -> None:
        """Remove a holding by hand."""
        key = self.a_row(account, place)
        if key is None:
            return
        row = self.ask_row(key)[1]
        answer = self.stand.call("DELETE", f"{self.api(account)}/holdings/{row}")
        assert answer.status_code == (204 if self.is_mine(key) else 409), answer.text
        if self.is_mine(key):
            del self.held[key]
            self.touched(account)
            self.rebase()

    def rebase(self) -> None:
        """What a person changed of a broker's rows is in no journal: it begins anew."""
        self.journal.begin(seen(self.stand.engine))

    @rule(account=WHICH, amount=st.integers(-9, 99), currency=st.sampled_from(("USD", "CHF")))
    def load(self, account: int, amount: int, currency: str) -> None:
        """Import a file with a holding and some cash, twice: the second time changes nothing."""
        lines = ["type,symbol,kind,currency,quantity,average_price,price"]
        lines += [f"holding,HOUSE,stock,USD,{abs(amount) + 1},5,6"]
        lines += [f"cash,,,{currency},{amount},,"]
        body = {"csv": "\n".join(lines), "apply": True}
        before = dict(self.held)
        self.held[account, "manual", "", "HOUSE"] = str(abs(amount) + 1), "5"
        self.held[account, "manual", "", f"cash {currency}"] = (str(amount),)
        for _ in range(2):
            answer = self.stand.call("POST", f"{self.api(account)}/import", json=body)
            assert answer.status_code == 200
        assert (answer.json["added"], answer.json["changed"]) == (0, 0)
        if self.held != before:
            self.touched(account)

    @rule(
        account=WHICH,
        broker_account=AT_BROKER,
        how=HOW,
    )
    def connect(self, account: int, broker_account: str, how: str) -> None:
        """Connect an account, in one of three ways to treat what it holds by hand."""
        self.stand.clock.turn(6)
        body = {"account_id": broker_account, "manual_holdings": how}
        answer = self.stand.call("POST", f"{self.page(account)}/connect/ibkr", json=body)
        taken = {link.broker_account: of for of, link in self.links.items()}
        mine = self.links.get(account)
        if mine is not None and mine.broker_account == broker_account:
            assert answer.status_code == 200, answer.text
        elif mine is not None or broker_account in taken:
            assert answer.status_code == 409, answer.text
        elif answer.status_code == 201:
            chosen = {key for key in self.of(account) if key[1] == "manual"}
            self.links[account] = Link(
                broker_account,
                set() if how == "keep" else chosen,
                alike=how == "replace_duplicates",
            )
        else:
            assert self.stand.simulator.playing != "calm" or answer.status_code == 503

    @precondition(lambda self: self.links)
    @rule(account=WHICH, close=st.booleans())
    def disconnect(self, account: int, close: bool) -> None:
        """Disconnect; what the broker brought stays, or is let go."""
        link = self.links.pop(account, None)
        body = {"holdings": "close" if close else "keep"}
        answer = self.stand.call("POST", f"{self.page(account)}/disconnect", json=body)
        assert answer.status_code == (409 if link is None else 200), answer.text
        if link is not None and close:
            gone = [k for k in self.of(account) if k[1:3] == ("ibkr", link.broker_account)]
            for key in gone:
                del self.held[key]
            self.touched(account)
            self.rebase()

    # What the broker does -----------------------------------------------------------------

    def broker_rows(self, broker_account: str) -> list[Any]:
        return self.stand.simulator.state.accounts[broker_account].held

    @rule(of=AT_BROKER, place=PLACE, what=st.sampled_from(("part", "all", "zero", "more")))
    def trade(self, of: str, place: int, what: str) -> None:
        """Sell a part, sell all (perhaps with a row of 0 left for a while), or buy more."""
        rows = [row for row in self.broker_rows(of) if row.quantity]
        if not rows:
            return
        row = rows[place % len(rows)]
        parts = {"part": row.quantity / 4, "more": -abs(row.quantity)}
        sold = parts.get(what, row.quantity)
        self.stand.simulator.state.accounts[of].cash[row.currency].balance += (
            sold * row.price * row.multiplier
        )
        row.quantity -= sold
        if what == "all":
            self.broker_rows(of).remove(row)

    @rule(of=AT_BROKER, place=PLACE, what=st.sampled_from(("rename", "split", "price", "pays")))
    def act(self, of: str, place: int, what: str) -> None:
        """A corporate action, a move of the price, or a dividend."""
        rows = self.broker_rows(of)
        account = self.stand.simulator.state.accounts[of]
        account.cash[account.base].balance += 12 if what == "pays" else 0
        if not rows:
            return
        row = rows[place % len(rows)]
        if what == "rename":
            row.ticker = f"{row.ticker[:6]}X"
        elif what == "split":
            row.quantity, row.price, row.average = row.quantity * 4, row.price / 4, row.average / 4
        elif what == "price":
            row.price *= Decimal("1.25")

    @rule(of=AT_BROKER, everything=st.booleans())
    def turn_over(self, of: str, everything: bool) -> None:
        """Sell everything, or buy something new."""
        if everything:
            for row in list(self.broker_rows(of)):
                cash = self.stand.simulator.state.accounts[of].cash
                cash[row.currency].balance += row.quantity * row.price * row.multiplier
            self.broker_rows(of).clear()
            return
        self.bought += 1
        self.stand.buy(of, f"NEW{self.bought}", 990_000 + self.bought)

    @rule(name=st.sampled_from(LIES), account=WHICH, stays=st.booleans())
    def lie(self, name: str, account: int, stays: bool) -> None:
        """The gateway is in trouble, or says what is not so."""
        self.stand.simulator.play(name)
        if account in self.links:
            self.one_sync(account)
        if not stays:
            self.calm()

    @precondition(lambda self: self.links)
    @rule(account=WHICH, place=PLACE, everywhere=st.booleans())
    def hide(self, account: int, place: int, everywhere: bool) -> None:
        """One position is missing in one kind of answer, or in all."""
        link = self.links.get(account)
        rows = self.broker_rows(link.broker_account) if link else []
        if rows:
            fragment = "/positions" if everywhere else "/positions/"
            self.stand.hide(rows[place % len(rows)].ticker, fragment)
            self.one_sync(account)
            self.calm()

    @rule()
    def calm(self) -> None:
        """All is well again."""
        self.stand.simulator.play("calm")

    # Time ---------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from((20, 60, 700, 4_000)))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.stand.clock.turn(seconds)

    @rule(seconds=st.sampled_from(JUMPS))
    def jump(self, seconds: int) -> None:
        """The clock is set, or the computer sleeps."""
        self.stand.clock.jump(seconds)

    # Runs ---------------------------------------------------------------------------------

    def listened(self, account: int, path: str) -> tuple[Any, Reading | None]:
        """A request, and what the gateway said meanwhile of the account's broker account."""
        self.stand.clock.turn(6)
        self.stand.wire.said.clear()
        try:
            answer = self.stand.call("POST", path)
        except Crash:
            answer = None
        link = self.links.get(account)
        said = reading_of(self.stand.wire.said, link.broker_account) if link else None
        return answer, said

    @precondition(lambda self: self.links)
    @rule(account=WHICH)
    def sync(self, account: int) -> None:
        """Sync, and once more: the second time changes nothing."""
        first = self.one_sync(account)
        if first == "succeeded" and self.stand.simulator.playing == "calm":
            self.calm()
            if self.one_sync(account) == "succeeded" and self.one_sync(account) == "succeeded":
                again, digests = self.last_runs(account)
                assert again == (0, 0, 0), "the same once more changed something"
                assert digests[0] == digests[1]

    def last_runs(self, account: int) -> tuple[tuple[int, ...], list[str]]:
        query = text(
            "SELECT added, changed, closed, digest FROM sync_run WHERE account_id = :a"
            " ORDER BY rowid DESC LIMIT 2"
        )
        with self.stand.engine.connect() as connection:
            rows = connection.execute(query, {"a": account}).all()
        return tuple(rows[0][:3]), [row[3] for row in rows]

    def one_sync(self, account: int) -> str:
        answer, said = self.listened(account, f"{self.page(account)}/sync")
        if account not in self.links:
            assert answer.status_code == 409
            return "not_connected"
        run = answer.json["run"]
        self.counts[f"runs {run['status']}"] += 1
        self.ended(account, run["id"], run["status"], said)
        return str(run["status"])

    def ended(self, account: int, run: str, status: str, said: Reading | None) -> None:
        """What the end of a run means for the model."""
        link = self.links[account]
        assert said is not None
        if status == "succeeded" and run not in self.runs:
            kept = self.kept_back(account, link, said)
            gone = {k[3] for k in self.synced(account, link)} - said.positions.keys() - kept
            assert vanished_rightly(said, gone), f"{gone} vanished without witnesses"
            if not said.positions and gone:
                assert said.books < 1 or gone <= said.gone, "emptied against the books"
            self.applied(account, link, run, said, kept)
        elif status == "rejected":
            self.rejected[run] = account, link, said, self.of(account)

    def synced(self, account: int, link: Link) -> Held:
        """The holdings that a connection has brought."""
        place = ("ibkr", link.broker_account)
        rows = self.of(account).items()
        return {k: v for k, v in rows if k[1:3] == place and not k[3].startswith("cash ")}

    def kept_back(self, account: int, link: Link, said: Reading) -> set[str]:
        """Rows that stay although they were missing, while the books do not confirm it."""
        with self.stand.engine.connect() as connection:
            query = "SELECT warnings FROM sync_run WHERE account_id = :a ORDER BY rowid DESC"
            warnings = connection.execute(text(query), {"a": account}).first()
        if warnings is None or "removal_unconfirmed" not in warnings[0]:
            return set()
        return {k[3] for k in self.synced(account, link)} - said.positions.keys() - said.gone

    def applied(self, account: int, link: Link, run: str, said: Reading, kept: set[str]) -> None:
        """A run has brought what was said."""
        before, place = self.of(account), (account, "ibkr", link.broker_account)
        for key in self.of(account):
            if key[:3] == place and key[3] not in kept:
                del self.held[key]
        self.held |= {(*place, key): figures for key, figures in said.positions.items()}
        self.held |= {(*place, f"cash {of}"): figures for of, figures in said.cash.items()}
        self.replace(account, link)
        after = self.of(account)
        if before != after or self.changes_of(run):
            self.runs[run] = Run(account=account, before=before, after=after)
            self.newest[account] = run
        link.runs.add(run)

    def changes_of(self, run: str) -> int:
        with self.stand.engine.connect() as connection:
            query = text("SELECT count(*) FROM change WHERE run_id = :r")
            return int(connection.execute(query, {"r": run}).scalar_one())

    def replace(self, account: int, link: Link) -> None:
        """Rows by hand that were chosen go, and hand their notes to what looks the same."""
        names = {self.symbol_of(key): key for key in self.synced(account, link)}
        cash = {k[3] for k in self.of(account) if k[1] == "ibkr"}
        for key in sorted(link.chosen & self.held.keys()):
            is_cash = key[3].startswith("cash ")
            twin = None if is_cash else names.get((key[3], "stock", "USD"))
            if link.alike and twin is None and not (is_cash and key[3] in cash):
                continue
            del self.held[key]
            if twin is not None and key in self.notes:
                self.notes.setdefault(twin, self.notes[key])
        link.chosen = set()

    def symbol_of(self, key: Key) -> tuple[str, str, str]:
        query = text(
            "SELECT i.symbol, i.kind, i.currency FROM instrument i JOIN instrument_identifier x"
            " ON x.instrument_id = i.id AND x.is_key WHERE x.value = :k"
        )
        with self.stand.engine.connect() as connection:
            return tuple(connection.execute(query, {"k": key[3]}).one())

    @precondition(lambda self: self.runs)
    @rule(place=PLACE)
    def undo(self, place: int) -> None:
        """Take the newest run back, or an older one."""
        run = list(reversed(self.runs))[min(place // 2, len(self.runs) - 1)]
        of = self.runs[run]
        answer = self.stand.call("POST", f"/api/v1/runs/{run}/undo")
        self.counts[f"undo {answer.status_code}"] += 1
        if answer.status_code == 409:
            assert self.newest[of.account] != run or self.is_running(of.account), answer.text
            return
        assert answer.status_code == 200, answer.text
        before, others = (
            self.of(of.account),
            {k: v for k, v in self.held.items() if k[0] != of.account},
        )
        after = of.taken_back(before)
        self.held = others | after
        made = answer.json["run"]["id"]
        del self.runs[run]
        self.runs[made] = Run(account=of.account, before=before, after=after, undoes=run)
        self.newest[of.account] = made
        link = self.links.get(of.account)
        if link is not None and run in link.runs:
            manual = {k for k in after.keys() - before.keys() if k[1] == "manual"}
            link.chosen |= manual
            # What taking back an undo replaces once more is done with.
            link.chosen -= before.keys() - after.keys()
        if link is not None:
            link.runs.add(made)

    def is_running(self, account: int) -> bool:
        with self.stand.engine.connect() as connection:
            query = text(
                "SELECT count(*) FROM sync_run WHERE account_id = :a AND status = 'running'"
            )
            return bool(connection.execute(query, {"a": account}).scalar_one())

    @precondition(lambda self: self.rejected)
    @rule()
    def apply_anyway(self) -> None:
        """Apply what was not believed: a person has decided."""
        run, (account, link, said, held) = self.rejected.popitem()
        answer = self.stand.call("POST", f"/api/v1/runs/{run}/apply")
        self.counts[f"apply {answer.status_code}"] += 1
        if answer.status_code == 200:
            assert self.links.get(account) is link
            assert self.synced_part(self.of(account)) == self.synced_part(held)
            self.applied(account, link, answer.json["run"]["id"], said, set())
        else:
            assert answer.status_code == 409

    def synced_part(self, held: Held) -> Held:
        return {k: v for k, v in held.items() if k[1] != "manual"}

    @precondition(lambda self: self.links)
    @rule(account=WHICH, steps=st.integers(0, 70))
    def crash(self, account: int, steps: int) -> None:
        """The process ends in the middle of a sync, and is started again."""
        if account not in self.links:
            return
        before = self.last_run(account)
        self.stand.fuse.light(steps)
        answer, said = self.listened(account, f"{self.page(account)}/sync")
        self.stand.stop()
        self.stand.fuse.put_out()
        self.stand.start()
        self.counts["crashes" if answer is None else "crashes too late"] += 1
        found = self.last_run(account)
        if found is not None and found != before:
            self.ended(account, *found, said)

    def last_run(self, account: int) -> Any:
        """The id and the status of the newest run, as the database has them."""
        with self.stand.engine.connect() as connection:
            query = "SELECT id, status FROM sync_run WHERE account_id = :a ORDER BY rowid DESC"
            found = connection.execute(text(query), {"a": account}).first()
        return None if found is None else tuple(found)

    @precondition(lambda self: self.links)
    @rule(account=WHICH)
    def settle(self, account: int) -> None:
        """Once all is well, the truth goes through without a hand within two runs."""
        link = self.links.get(account)
        if link is None:
            return
        self.calm()
        self.stand.clock.turn(1_000)
        if self.one_sync(account) != "succeeded":
            self.stand.clock.turn(700)
            assert self.one_sync(account) == "succeeded"
        truth = digest_of(self.stand.simulator.state.accounts[link.broker_account])
        assert self.last_runs(account)[1][0] == truth

    # What always holds --------------------------------------------------------------------

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        self.counts["steps"] += 1
        found = seen(self.stand.engine)
        assert found.held == self.held
        assert found.notes == self.notes
        self.journal.follow(self.stand.engine, found)
        assert self.stand.simulator.trips == []


@pytest.fixture
def shelf() -> Any:
    """A folder for many small databases, in memory where there is such a place."""
    memory = Path("/dev/shm")
    made = Path(mkdtemp(dir=memory if memory.is_dir() else None))
    yield made
    shutil.rmtree(made)


def test_the_program_does_what_the_model_says(shelf, effort, request, figure):
    template = shelf / "template"
    template.mkdir()
    stand = Stand(template)
    stand.call("POST", "/api/v1/portfolios", json={"name": "P", "base_currency": "USD"})
    for name in ACCOUNTS.values():
        body = {"name": name, "currency": "USD"}
        stand.call("POST", "/api/v1/portfolios/1/accounts", json=body)
    stand.stop()
    counts: Counter[str] = Counter()
    machine = type("Machine", (Machine,), {"template": template, "shelf": shelf, "counts": counts})
    tries = settings(
        max_examples=effort(ci=40, full=400),
        stateful_step_count=effort(ci=25, full=50),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(seed(request.config.getoption("seed"))(machine), settings=tries)
    for what, count in counts.items():
        figure(f"model: {what}", count)
    figure("model: violations", 0)
