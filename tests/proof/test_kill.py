"""Killed at any moment, the server leaves the old state or the new one, and never a mixture."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.conftest import wait_until
from tests.proof import points
from tests.proof.house import Gateway, House
from tests.proof.kills import Blow, Market, Ring, opened, stored
from tests.proof.truth import Truth, look, rows

API = "/api/v1/portfolios/1/accounts"
MOST_SECONDS = 5
# Each so many rounds of the full run wait for the leases of the dead run instead of ageing them.
PATIENT = 50
# About what a sync and its request cost; where fewer are made, the blow falls after the answer.
STATEMENTS = 120
MARKS = """
    SELECT t.market_value, t.cash, t.broker_net_liquidation,
           (SELECT net_liquidation FROM daily_value WHERE account_id = a.id),
           (SELECT count(*) FROM change),
           (SELECT count(*) FROM sync_run WHERE status = 'succeeded'
            AND added + changed + closed > 0)
    FROM account a LEFT JOIN account_totals t ON t.account_id = a.id WHERE a.name = 'A'
"""

PRICES = "SELECT id, price FROM holding ORDER BY id"


@pytest.fixture
def ring(
    tmp_path: Path, gateway: Gateway, database_url: str, pytestconfig: pytest.Config
) -> Iterator[Callable[[str], Ring]]:
    """Makes a server whose points of one task are known; it is ready and linked."""
    made: list[Ring] = []

    def build(group: str) -> Ring:
        hurry = not pytestconfig.getoption("full")
        more = {
            "FOLIOSYNC_DATABASE_URL": database_url,
            points.FILE: str(tmp_path / "armed"),
            points.GROUP: group,
            points.HURRY: "1",
        }
        house = House(data=tmp_path / "data", gateway=gateway.server.url, more=more)
        made.append(
            Ring(
                house=house,
                gateway=gateway,
                engine=opened(database_url),
                armed=tmp_path / "armed",
                hurry=hurry,
            )
        )
        return made[0]

    yield build
    for each in made:
        each.house.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the database holds, as far as a sync writes it."""

    truth: Truth
    marks: list[tuple[str, ...]]


def seen(ring: Ring) -> Scene:
    """A look that is not the program's own."""
    with ring.engine.connect() as connection:
        marks = rows(connection, MARKS) + rows(connection, PRICES)
        return Scene(truth=look(ring.engine), marks=marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What an undisturbed sync costs: seconds, and requests at the gateway."""

    seconds: float
    requests: int


def drawn(number: int, draw: random.Random, costs: Costs, first: int = 0) -> Blow:
    """The blow of a round: each second one at the next named point, the others at random."""
    if number % 2 == 0:
        order = points.OF_SYNC[first::2] + points.OF_SYNC[1 - first :: 2]
        name = order[number // 2 % len(order)]
        # An account has three pages here, and each is a place to end at.
        page = draw.randint(1, 3) if name == "a page was read" else 1
        return Blow(kind="point", point=name, number=page)
    kind = ("time", "request", "time", "statement")[number // 2 % 4]
    if kind == "time":
        return Blow(kind=kind, seconds=draw.uniform(0, costs.seconds * 1.15))
    if kind == "request":
        return Blow(kind=kind, number=draw.randint(1, costs.requests))
    return Blow(kind=kind, point=points.STATEMENT, number=draw.randint(1, STATEMENTS))


def test_a_killed_sync_is_all_or_nothing(ring, effort, draw, figure, request):
    kills = effort(ci=20, full=500)
    of = Syncs(ring("sync"), draw)
    costs = of.opened()
    # CI's few rounds meet half of the points on each database.
    first = 1 if of.kind == "postgresql" else 0
    blows = [drawn(n, draw("kill", of.kind, n), costs, first) for n in range(kills)]
    of.ring.start(blows[0])
    for number, blow in enumerate(blows):
        then = blows[number + 1] if number + 1 < kills else None
        patient = not of.ring.hurry and number % PATIENT == PATIENT - 1
        of.round(number, blow, then, patient=patient)
    report(figure, f"sync, {of.kind}", of.ring)
    figure(f"kill: sync, {of.kind}: longest wait for a dead run in seconds", f"{of.longest:.1f}")
    if request.config.getoption("full"):
        assert of.ring.slowest < MOST_SECONDS
    assert of.ring.tally["old"] > 0
    assert of.ring.tally["new"] > 0


UNDO = ("taken back", "totals", "undo: committing", "undo: committed", "answering")
IMPORT = ("planned", "a row", "totals", "import: committing", "import: committed")


def in_turn(names: tuple[str, ...], number: int, draw: random.Random, seconds: float) -> Blow:
    """The next named point, a statement, or a moment."""
    kind = ("point", "statement", "point", "time")[number % 4]
    if kind == "point":
        name = names[number // 2 % len(names)]
        return Blow(kind=kind, point=name, number=draw.randint(1, 100) if name == "a row" else 1)
    if kind == "statement":
        return Blow(kind=kind, point=points.STATEMENT, number=draw.randint(1, 40))
    return Blow(kind=kind, seconds=draw.uniform(0, seconds))


def test_a_killed_undo_is_all_or_nothing(ring, effort, draw, figure):
    of = Syncs(ring("undo"), draw)
    of.opened()
    kills = effort(ci=4, full=50)
    for number in range(kills):
        blow = in_turn(UNDO, number, draw("kill", "undo", of.kind, number), 0.4)
        of.undone(number, blow)
    report(figure, f"undo, {of.kind}", of.ring)


def test_a_killed_import_is_all_or_nothing(ring, effort, draw, figure):
    own = ring("import")
    kind, size, former, kills = own.engine.dialect.name, 150, 0, effort(ci=4, full=50)
    blows = [in_turn(IMPORT, n, draw("kill", "import", kind, n), 0.6) for n in range(kills)]
    own.start(blows[0])
    own.house.linked()
    for number, blow in enumerate(blows):
        where = f"import {number} on {kind}: {blow}"
        path, body = f"{API}/A/import", {"csv": table(size, number + 1), "apply": True}
        answer = own.strike(blow, path, number, json=body)
        own.settle()
        left = {row[5]: row[8] for row in look(own.engine).by_hand}
        own.intact()
        assert left in (shelf(size, former), shelf(size, number + 1)), f"{where}: torn"
        new = left == shelf(size, number + 1)
        assert new or answer is None, f"{where}: acknowledged and lost"
        own.count(blow, "new" if new else "old")
        own.start(blows[number + 1] if number + 1 < kills else None)
        done = own.house.call("POST", path, json=body).json()
        assert done["unchanged"] == (size if new else 0), (where, done)
        former = number + 1
        assert {row[5]: row[8] for row in look(own.engine).by_hand} == shelf(size, former), where
    report(figure, f"import, {kind}", own)


def shelf(size: int, number: int) -> dict[str, str]:
    """What the file of a round brings, or nothing before the first."""
    return {f"S{line}": str(line + number) for line in range(size)} if number else {}


def table(size: int, number: int) -> str:
    """The file of a round: the same instruments, other quantities."""
    lines = (f"{of},stock,EUR,{quantity}" for of, quantity in shelf(size, number).items())
    return "\n".join(("symbol,kind,currency,quantity", *lines, ""))


def report(figure: Callable[[str, object], None], what: str, ring: Ring) -> None:
    """The table: the blows by name, what they left, and how long it took to be back."""
    kills = ring.tally["old"] + ring.tally["new"]
    figure(f"kill: {what}: kills", kills)
    figure(f"kill: {what}: slowest restart in seconds", f"{ring.slowest:.1f}")
    figure(f"kill: {what}: torn, or acknowledged and lost", 0)
    for name, count in ring.tally.items():
        figure(f"kill: {what}: {name}", count)


@dataclass
class Person:
    """Somebody who writes notes and quantities, and remembers what was acknowledged.

    `doubt` is what was sent last and not answered: it may be there, or not.
    """

    house: House
    kept: dict[str, str] = field(default_factory=dict)
    doubt: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, values: dict[str, str]) -> None:
        """Change one field of a holding."""
        of = {path.rpartition("/")[2]: next(iter(values.values()))}
        self.doubt = of
        answer = self.house.call("PATCH", path, json=values)
        assert answer.status_code == 200, answer.text
        self.kept |= of
        self.doubt = {}

    def check(self, found: dict[str, str], where: str) -> None:
        """Everything that was acknowledged is there, and nothing else but what is in doubt."""
        assert found in (self.kept, self.kept | self.doubt), where
        self.kept, self.doubt = found, {}


def written(truth: Truth, by_hand: str) -> dict[str, str]:
    """What people wrote, by the holding's id, as `Person.kept` has it."""
    (row,) = truth.by_hand
    return {number: notes for number, notes, *_ in truth.written} | {by_hand: row[8]}


class Syncs:
    """Rounds of trade, sync, kill, restart and sync again, on one database."""

    def __init__(self, ring: Ring, draw: Callable[..., random.Random]) -> None:
        self.ring = ring
        self.kind = ring.engine.dialect.name
        self._draw = draw
        self._market = Market(ring.gateway.simulator.state)
        self._person = Person(ring.house)
        self._url = self._gold = ""
        self.longest = 0.0

    def opened(self) -> Costs:
        """A first sync, one more whose costs are measured, and a holding kept by hand."""
        house = self.ring.house
        self.ring.start(None)
        self._url = house.linked()
        self._sync()
        self._keep_by_hand(house)
        self._market.move(self._draw("kill", self.kind, "first"))
        log = self.ring.gateway.simulator.state.requests
        self.ring.age()
        before, began = len(log), time.monotonic()
        self._sync()
        seconds = time.monotonic() - began
        house.kill()
        return Costs(seconds=seconds, requests=len(log) - before)

    def _keep_by_hand(self, house: House) -> None:
        house.call("POST", API, json={"name": "Bank", "currency": "USD"})
        body = {"symbol": "GOLD", "kind": "commodity", "currency": "USD", "quantity": "1"}
        self._gold = str(house.call("POST", f"{API}/Bank/holdings", json=body).json()["id"])
        self._person.kept[self._gold] = "1"

    def _sync(self) -> dict[str, Any]:
        """A sync that must be whole; returns its run."""
        answer = self.ring.house.call("POST", f"{self._url}/sync")
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()["run"]
        assert run["status"] == "succeeded", run
        return run

    def round(self, number: int, blow: Blow, then: Blow | None, *, patient: bool) -> None:
        """One kill and what must hold after it; the next start is ready for the blow `then`."""
        where = f"round {number} on {self.kind}: {blow}"
        draw = self._draw("kill", self.kind, number, "trade")
        self._market.move(draw, sale=blow.point == "before the second look")
        self._write(draw, f"before {number}")
        if blow.point == "certificate pinned":
            self.ring.change("UPDATE gateway SET certificate_pem = NULL")
        before = seen(self.ring)
        answer = self._strike(blow, number, draw)
        after = self._revived(draw, then)
        self._person.check(written(after.truth, self._gold), where)
        new = after.truth.brokers != before.truth.brokers
        self.ring.count(blow, "new" if new else "old")
        if answer is not None:
            assert answer.status_code == 200, (where, answer.text)
            assert new, f"{where}: acknowledged and lost"
        if not new:
            assert after.marks == before.marks, f"{where}: torn"
        self._recovers(where, after, new=new, patient=patient, again=draw.random() < 0.25)

    def _write(self, draw: random.Random, note: str) -> None:
        """Notes on a row of the broker, and the quantity of the row kept by hand."""
        # A sync that runs meanwhile may close the last ones of them.
        mine = "SELECT id FROM holding WHERE source = 'ibkr' AND closed_at IS NULL ORDER BY id"
        with self.ring.engine.connect() as connection:
            chosen = draw.choice(rows(connection, mine)[:40])[0]
        self._person.write(f"{API}/A/holdings/{chosen}", {"notes": note})
        quantity = {"quantity": str(draw.randint(1, 999))}
        self._person.write(f"{API}/Bank/holdings/{self._gold}", quantity)

    def _write_meanwhile(self, draw: random.Random, note: str) -> None:
        with suppress(requests.RequestException):
            self._write(draw, note)

    def _strike(self, blow: Blow, number: int, draw: random.Random) -> Any:
        """The blow, while somebody else writes; the answer to the sync, if there was one."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            writing = pool.submit(self._write_meanwhile, draw, f"during {number}")
            answer = self.ring.strike(blow, f"{self._url}/sync", number)
            writing.result()
        return answer

    def _revived(self, draw: random.Random, then: Blow | None) -> Scene:
        """What is left; who opens the files first, and repairs them, is drawn."""
        self.ring.settle()
        if draw.random() < 0.5:
            self.ring.start(then)
            after = seen(self.ring)
        else:
            after = seen(self.ring)
            self.ring.start(then)
        self.ring.intact()
        assert after.truth.twice == ()
        return after

    def _recovers(
        self, where: str, after: Scene, *, new: bool, patient: bool, again: bool
    ) -> None:
        """The next sync is whole, and one more changes nothing."""
        began = time.monotonic()
        if patient:
            wait_until(self._is_over)
            self.longest = max(self.longest, time.monotonic() - began)
        else:
            self.ring.age()
            run = self._sync()
            assert (run["added"] + run["changed"] + run["closed"] == 0) == new, (where, run)
        healed = seen(self.ring)
        assert stored(healed.truth.brokers) == self._market.truth, where
        if new:
            assert healed.truth.brokers == after.truth.brokers, f"{where}: torn"
            assert healed.marks == after.marks, f"{where}: torn"
        if again:
            self.ring.age()
            run = self._sync()
            assert run["added"] + run["changed"] + run["closed"] == 0, (where, run)
            assert seen(self.ring) == healed, where
        assert self.ring.value("SELECT count(*) FROM sync_run WHERE status = 'running'") == 0

    def _is_over(self) -> bool:
        """Whether the dead run is over, as a person finds out who presses the button again."""
        answer = self.ring.house.call("POST", f"{self._url}/sync")
        assert answer.status_code in (200, 202), answer.text
        return answer.status_code == 200

    def undone(self, number: int, blow: Blow) -> None:
        """One round of trade, sync, an undo that is killed, and the same undo again."""
        where = f"undo {number} on {self.kind}: {blow}"
        ring = self.ring
        ring.start(blow)
        former = look(ring.engine)
        self._market.move(self._draw("kill", "undo", self.kind, number, "trade"))
        path = f"/api/v1/runs/{self._sync()['id']}/undo"
        present = look(ring.engine)
        assert stored(present.brokers) == self._market.truth, where
        answer = ring.strike(blow, path, number)
        ring.settle()
        left = look(ring.engine)
        ring.intact()
        assert left in (former, present), f"{where}: torn"
        new = left == former
        assert new or answer is None, f"{where}: acknowledged and lost"
        ring.count(blow, "new" if new else "old")
        undone = ring.value("SELECT count(*) FROM sync_run WHERE status = 'undone'")
        assert undone == number + new, where
        ring.start(None)
        if not new:
            again = ring.house.call("POST", path)
            assert again.status_code == 200, (where, again.text)
        assert look(ring.engine) == former, where
        ring.house.kill()
        ring.change("UPDATE gateway SET last_calls = '{}'")
