"""One account that is synced while its broker moves and fails, and what must be true of it."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

from brokers.ibkr.simulator.data import RATES, Account, Cash, Held
from brokers.ibkr.simulator.reply import Reply
from tests.integration.conftest import MAIN, Desk, make_desk
from tests.proof.truth import Truth, look

URL = "/portfolio/1/accounts/A"
API = "/api/v1/portfolios/1/accounts/A"
LATER = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
# Longer than every pause and penalty that the program takes by itself.
HEALED = 3700
# The documented status of each code that a sync may end with (product.md).
CODES = {
    "not_authenticated": 409,
    "positions_not_released": 503,
    "gateway_unreachable": 503,
    "gateway_silent": 503,
    "not_a_gateway": 409,
    "address_not_allowed": 409,
    "session_starting": 503,
    "rate_limited": 503,
    "broker_maintenance": 503,
    "certificate_changed": 409,
    "certificate_untrusted": 409,
    "broker_account_missing": 409,
    "bad_answer": 503,
    "sync_rejected": 409,
    "storage_busy": 503,
    "storage_failed": 503,
}
# How many fields a row of a holding has; one of cash has fewer.
HOLDING = 9
KINDS = {"STK": "stock", "OPT": "option", "FUT": "future"}
Rows = tuple[tuple[str, ...], ...]
Change = Callable[[str, Reply], Reply]


def expected(account: Account) -> Rows:
    """What must be stored of an account, worked out from the broker's books alone."""
    held = [_held(row, account.id) for row in account.held if row.quantity]
    cash = [
        ("1", "ibkr", account.id, currency, _plain(of.balance))
        for currency, of in account.cash.items()
    ]
    return tuple(sorted((*held, *cash)))


def _held(row: Held, account_id: str) -> tuple[str, ...]:
    kind = "etf" if row.type == "ETF" else KINDS[row.asset]
    figures = _plain(row.quantity), _plain(row.average)
    who = "1", "ibkr", account_id, str(row.conid)
    return (*who, unescape(row.ticker), kind, row.currency, *figures)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def stored(seen: Truth) -> Rows:
    """What a look found, without the numbers that the database gives to instruments."""
    return tuple(sorted(row[:3] + row[4:] if len(row) > HOLDING else row for row in seen.brokers))


@dataclass
class World:
    """An account at a broker, the application, and which states the broker was really in.

    `when` are changes of answers with the call they wait for: a fragment of its path, and how
    many more such calls pass before it; `truths` begins anew with each sync.
    """

    desk: Desk
    database: Path
    rng: Random
    truths: list[Rows] = field(default_factory=list)
    when: list[Waiting] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    calm_also: Callable[[], None] = lambda: None

    @property
    def account(self) -> Account:
        """The account as its broker keeps it."""
        return self.desk.simulator.state.accounts[MAIN]

    def look(self) -> Truth:
        """What the database holds."""
        return look(f"sqlite:///{self.database}")

    def moved(self) -> None:
        """Note the state that the broker is in now."""
        self.truths.append(expected(self.account))

    def move(self, times: int = 1, only: tuple[Callable[[World], None], ...] = ()) -> None:
        """Something happens at the broker; each state it leads to is a true one."""
        for _ in range(times):
            self.rng.choice(only or MOVES)(self)
            self.moved()

    def on(self, fragment: str, change: Change, *, after: int = 0, times: int = 1) -> None:
        """Change the answers to some calls: the ones after the first `after`, `times` of them."""
        self.when.append(Waiting(fragment, change, after, times))

    def rewritten(self, path: str, reply: Reply) -> Reply:
        """What the simulator answers, changed by whatever waits for this call."""
        for waiting in list(self.when):
            if waiting.fragment in path:
                reply = waiting.asked(path, reply)
        return reply

    def calm(self) -> None:
        """All faults end, and time passes until nobody waits for anything any more."""
        self.when.clear()
        self.calm_also()
        self.desk.network.failure = None
        self.desk.network.__dict__.pop("connected", None)
        self.desk.simulator.play("calm")
        self.desk.simulator.state.always_lean = False
        self.desk.simulator.state.rewrites.append(self.rewritten)
        self.desk.turn(HEALED)

    def sync(self) -> Any:
        """One sync through the documented route; the states before it are history."""
        self.truths = [expected(self.account)]
        return self.desk.program.post(f"{URL}/sync")


@dataclass
class Waiting:
    """A change of answers that waits for its call."""

    fragment: str
    change: Change
    after: int
    times: int

    def asked(self, path: str, reply: Reply) -> Reply:
        """The answer to a call with the fragment, changed where it is this one's turn."""
        if self.after > 0:
            self.after -= 1
            return reply
        if self.times <= 0:
            return reply
        self.times -= 1
        return self.change(path, reply)


def _any_share(world: World) -> Held:
    return world.rng.choice([row for row in world.account.held if row.asset == "STK"])


def _pay(world: World, row: Held, quantity: Decimal) -> None:
    world.account.cash[row.currency].balance -= quantity * row.price * row.multiplier


def buys(world: World) -> None:
    """More of something that is held."""
    row, more = _any_share(world), Decimal(world.rng.randint(1, 500)) / 100
    _pay(world, row, more)
    row.average = row.average + Decimal(world.rng.randint(1, 99)) / 10_000
    row.quantity += more


def sells(world: World) -> None:
    """A part of something that is held."""
    row = _any_share(world)
    sold = (row.quantity / 4).quantize(Decimal("0.0001"))
    _pay(world, row, -sold)
    row.quantity -= sold


def closes(world: World) -> None:
    """All of something small, with or without a row of quantity 0 left."""
    row = min((_any_share(world) for _ in range(4)), key=lambda one: abs(one.value))
    _pay(world, row, -row.quantity)
    row.quantity = Decimal(0)
    if world.rng.random() < 0.5:
        world.account.held.remove(row)


def turns_short(world: World) -> None:
    """More is sold than was held."""
    row = min((_any_share(world) for _ in range(4)), key=lambda one: abs(one.value))
    _pay(world, row, -2 * row.quantity)
    row.quantity = -row.quantity


def opens(world: World) -> None:
    """Something that was never held before, at a random place of the list."""
    model = _any_share(world)
    number = world.notes["next"] = world.notes.get("next", 0) + 1
    quantity = Decimal(world.rng.randint(1, 99_999)) / 1_000
    row = replace(model, conid=42_000_000 + number, ticker=f"NEW{number}", quantity=quantity)
    row.name, row.description = f"NEW {number} INC", f"NEW{number}"
    _pay(world, row, quantity)
    world.account.held.insert(world.rng.randint(0, len(world.account.held)), row)


def splits(world: World) -> None:
    """A share is split."""
    row, factor = _any_share(world), world.rng.choice((2, 4, 10))
    row.quantity, row.price, row.average = (
        row.quantity * factor,
        row.price / factor,
        row.average / factor,
    )


def renamed(world: World) -> None:
    """A share gets another contract, as mergers and moves of a listing do."""
    row = _any_share(world)
    number = world.notes["next"] = world.notes.get("next", 0) + 1
    row.conid = 43_000_000 + number


def pays(world: World) -> None:
    """Money comes in or goes out."""
    of = world.rng.choice(list(world.account.cash.values()))
    of.balance += Decimal(world.rng.randint(-500_000, 500_000)) / 100


def reprices(world: World) -> None:
    """Prices move; nothing that a sync counts."""
    for row in world.account.held:
        if row.asset != "FUT":
            row.price = (row.price * Decimal(world.rng.randint(980, 1020)) / 1000).quantize(
                Decimal("0.0001")
            )


def changes_money(world: World) -> None:
    """A currency that nothing is held in is exchanged, and comes back another day."""
    cash = world.account.cash
    if "CHF" in cash and all(row.currency != "CHF" for row in world.account.held):
        cash["USD"].balance += cash.pop("CHF").balance * Decimal(RATES["USD"]["CHF"])
    else:
        cash.setdefault("CHF", Cash(balance=Decimal(0))).balance += 100
        cash["USD"].balance -= 100 * Decimal(RATES["USD"]["CHF"])


TRADES = (buys, sells, closes, opens, turns_short)
MOVES = (*TRADES, splits, renamed, pays, reprices, changes_money)


def prepared(folder: Path) -> Path:
    """A data folder whose account is synced, written on, and holds something by hand as well."""
    for desk in make_desk(settings(folder)):
        trim(desk)
        assert desk.connected() == URL
        by_hand = {"symbol": "HAND", "kind": "fund", "currency": "EUR", "quantity": "7.25"}
        assert desk.program.post(f"{API}/holdings", json=by_hand).status_code == 201
        money = {"currency": "EUR", "amount": "12.34"}
        assert desk.program.post(f"{API}/cash", json=money).status_code == 201
        for row in desk.holdings(URL)["holdings"][:20]:
            told = {"notes": f"mine: {row['id']}"}
            done = desk.program.patch(f"{API}/holdings/{row['id']}", json=told)
            assert done.status_code == 200, done.text
    with closing(sqlite3.connect(folder / "foliosync.db")) as database, database:
        # No page writes these yet, and no sync may, either.
        database.execute(
            "UPDATE holding SET display_name = 'N' || id, category = 'C', target_weight = '0.1' "
            "WHERE id % 3 = 0"
        )
    return folder


def trim(desk: Desk) -> None:
    """Fewer rows, as many kinds: a sync of them takes a moment only."""
    account = desk.simulator.state.accounts[MAIN]
    account.held = [*account.held[:40], *account.held[-6:]]


def settings(folder: Path) -> dict[str, str]:
    """The settings of an application on this data folder."""
    return {"FOLIOSYNC_DATA_DIR": str(folder), "FOLIOSYNC_TIMEZONE": "UTC"}


@contextmanager
def opened(template: Path, folder: Path, rng: Random) -> Iterator[World]:
    """A world of its own on a copy of the prepared data, two hours later."""
    shutil.copytree(template, folder)
    for desk in make_desk(settings(folder)):
        desk.clock._start = LATER
        trim(desk)
        world = World(desk=desk, database=folder / "foliosync.db", rng=rng)
        world.calm()
        yield world
    shutil.rmtree(folder)


def jumped(world: World, by: timedelta) -> None:
    """The time of day jumps; what counts seconds does not notice."""
    world.desk.clock._start += by


@dataclass
class Schedule:
    """One schedule: genuine changes and a fault, a sync, and what must be true afterwards."""

    world: World
    codes: frozenset[str]
    tally: Counter[str] = field(default_factory=Counter)

    def run(self, install: Callable[[World], None]) -> None:
        """Before, with the fault, and after it."""
        world = self.world
        before = world.look()
        self._check(stored(before) == expected(world.account), "not in step at the beginning")
        world.move(world.rng.randint(0, 4))
        install(world)
        for _ in range(world.notes.get("syncs", 1)):
            self._faulty(world.look())
        self._mends(before)

    def _faulty(self, before: Truth) -> None:
        old, answer = stored(before), self.world.sync()
        after, body = self.world.look(), answer.json
        self._kept(before, after)
        self._documented(answer)
        if body.get("run") and body["run"]["status"] == "succeeded":
            self._check(
                stored(after) in self.world.truths or self._excused(after, answer.json),
                f"a state the broker never was in: {self._odd(after)}, reported {answer.json}",
            )
            self.tally["old" if stored(after) == old else "new"] += 1
        else:
            self._check(stored(after) == old, f"changed by a run that {answer.json}")
            self.tally["old"] += 1
        also = self.world.notes.get("also")
        self._check(also is None or also(answer), f"what the class demands: {answer.json}")

    def _odd(self, after: Truth) -> Rows:
        """The rows that are stored and were never true, or the other way round, at most nine."""
        return tuple(sorted(set(stored(after)) ^ set(self.world.truths[-1])))[:9]

    def _excused(self, after: Truth, body: Any) -> bool:
        """What a class excuses, with its reason: it is said that something is not known."""
        excuse = self.world.notes.get("excused")
        if excuse is None or not excuse(stored(after), body):
            return False
        self.tally["not whole and said so"] += 1
        return True

    def _mends(self, before: Truth) -> None:
        """The next good sync brings the truth, and one after it nothing more."""
        self.world.calm()
        good = self.world.sync()
        self._check(good.status_code == 200, f"the good sync failed: {good.json}")
        after = self.world.look()
        self._check(stored(after) == expected(self.world.account), "the good sync is not true")
        self._kept(before, after)
        self.world.desk.turn()
        again = self.world.sync().json["run"]
        counts = [again[name] for name in ("added", "changed", "closed")]
        self._check(counts == [0, 0, 0], f"the same again changed something: {again}")
        self._check(self.world.look() == after, "the same again wrote something")

    def _kept(self, before: Truth, after: Truth) -> None:
        self._check(after.written == before.written, "what people wrote has changed")
        self._check(after.by_hand == before.by_hand, "what people keep has changed")
        self._check(after.twice == (), f"held twice: {after.twice}")

    def _documented(self, answer: Any) -> None:
        body, run = answer.json, answer.json.get("run")
        if answer.status_code == 202:
            self._check(answer.headers["Location"].endswith(run["id"]), "no way to the run")
            self.tally["202"] += 1
            return
        if answer.status_code == 200:
            self._check(run["status"] == "succeeded", f"200 and {run}")
            self.tally["succeeded"] += 1
            return
        error = body["error"]
        code = error["code"]
        self._check(CODES.get(code) == answer.status_code, f"{answer.status_code} {code}")
        codes = self.codes | ({"bad_answer"} if self.world.notes.get("moving") else set())
        self._check(code in codes, f"{code} is not among {sorted(codes)}")
        self._check(bool(error["message"] and error["remedy"]), f"nothing to do: {error}")
        ended = (run["status"], run["reason"]) if run else None
        self._check(
            ended in (None, ("failed", code)) or (run["status"], code) == REJECTED,
            f"the run says {ended} and the answer {code}",
        )
        waits = "Retry-After" in answer.headers
        self._check(waits == (error["retry_at"] is not None), "Retry-After and retry_at differ")
        self.tally[code] += 1

    def _check(self, holds: bool, what: str) -> None:
        assert holds, what


REJECTED = ("rejected", "sync_rejected")
