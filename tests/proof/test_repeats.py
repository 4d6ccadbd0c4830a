"""What is done twice, or cut off and done again, happens once: imports, and impatient programs."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from threading import Event

import pytest
from sqlalchemy import event

from brokers.ibkr.simulator import routes
from brokers.ibkr.simulator.data import large
from portfolio.connections import runner
from portfolio.db.base import db
from tests.integration.conftest import MAIN
from tests.proof.world import API, URL, expected, opened, stored

IMPORT = f"{URL}/import"


class PowerCutError(Exception):
    """The program ends here."""


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(routes, "PER_PAGE", 20)


@pytest.fixture
def each(request, template, tmp_path, effort, draw):
    """Worlds one after the other, each with the number that names it in a failure."""

    def worlds(name):
        seed = request.config.getoption("seed")
        for number in range(effort(ci=5, full=100)):
            with opened(template, tmp_path / f"{number}", draw(name, number)) as world:
                try:
                    yield world
                except AssertionError as error:
                    error.add_note(f"{name} number {number} of --seed {seed}")
                    raise

    return worlds


def drawn_file(rng):
    """A random file in somebody's spelling, and the quantities that it must lead to."""
    decimal, delimiter = rng.choice((",", ".")), rng.choice((",", ";", "\t"))
    truth = {f"S{i}É": Decimal(rng.randint(1, 9_999_999)) / 1000 for i in range(rng.randint(2, 9))}
    # One number that decides how all are written.
    truth["BIG"] = Decimal("1234567.89")
    columns = ["Ticker", "Currency", "Quantity", "Asset Class"]
    rng.shuffle(columns)
    lines = [columns]
    for symbol, quantity in truth.items():
        cells = {"Ticker": symbol, "Currency": "EUR", "Asset Class": "fund"}
        cells["Quantity"] = spelled(quantity, decimal)
        lines.append([cells[name] for name in columns])
    quoted = [delimiter.join(f'"{cell}"' for cell in line) for line in lines]
    encoding = rng.choice(("utf-8", "utf-8-sig", "utf-16", "cp1252"))
    return rng.choice(("\n", "\r\n")).join(quoted).encode(encoding), truth


def spelled(value, decimal):
    """A number as people of some country write it, with its thousands grouped."""
    text = f"{value:,}"
    return text if decimal == "." else text.translate(str.maketrans(".,", ",."))


def imported(world, raw):
    """Send a file as a browser does: a look first, then what the look was given."""
    page = world.desk.program.post(IMPORT, data={"file": (io.BytesIO(raw), "a.csv")})
    assert page.status_code == 200
    return world.desk.program.post(IMPORT, data={"file": (io.BytesIO(raw), "a.csv"), "apply": "1"})


def by_hand(world):
    return {row[5]: Decimal(row[8]) for row in world.look().by_hand if len(row) > 9}


def test_r37_a_file_in_any_spelling_is_all_or_nothing_and_twice_is_once(each, figure):
    cuts = 0
    for world in each("R37"):
        raw, truth = drawn_file(world.rng)
        before = world.look()
        shown = world.desk.program.post(IMPORT, data={"file": (io.BytesIO(raw), "a.csv")})
        assert shown.status_code == 200
        assert world.look() == before
        cuts += cut_off(world, raw)
        assert world.look() == before
        world.move(2)
        assert imported(world, raw).status_code in (302, 303)
        once = world.look()
        assert {name: by_hand(world)[name] for name in truth} == truth
        assert once.brokers == before.brokers
        assert once.twice == ()
        assert world.sync().status_code == 200
        assert imported(world, raw).status_code in (302, 303)
        again = world.look()
        assert (again.by_hand, again.written, again.twice) == (once.by_hand, once.written, ())
        assert stored(again) == expected(world.account)
    figure("R37: imports that were cut off", cuts)


def cut_off(world, raw):
    """Import, and end the program at a random statement of it; 1 where it came so far."""
    left, done = [world.rng.randint(1, 30)], []

    def counted(connection, cursor, statement, *_):
        if statement.startswith(("INSERT", "UPDATE")):
            left[0] -= 1
            if left[0] == 0:
                done.append(statement)
                raise PowerCutError

    with world.desk.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", counted)
    world.desk.app.testing = True
    try:
        with suppress(PowerCutError):
            if left[0] > 0:
                imported(world, raw)
    finally:
        world.desk.app.testing = False
        event.remove(engine, "before_cursor_execute", counted)
    return undone(world, done)


def undone(world, done):
    """Where the file was shorter than the cut, the import is whole: take it back by hand."""
    if done:
        return 1
    for row in world.desk.program.get(f"{API}/holdings?limit=500").json["holdings"]:
        if row["source"] == "manual" and row["instrument"]["symbol"] != "HAND":
            gone = world.desk.program.delete(f"{API}/holdings/{row['id']}")
            assert gone.status_code in (200, 204)
    return 0


def test_r38_who_asks_again_finds_the_run_under_way_and_then_the_finished_state(each, figure):
    found = 0
    for world in each("R38"):
        world.move(world.rng.randint(0, 3))
        arrived, go_on = Event(), Event()

        def hold(path, reply, arrived=arrived, go_on=go_on):
            arrived.set()
            assert go_on.wait(60)
            return reply

        world.on("/portfolio/accounts", hold)
        with ThreadPoolExecutor(4) as pool:
            first = pool.submit(world.sync)
            assert arrived.wait(60)
            again = [pool.submit(world.sync) for _ in range(world.rng.randint(1, 3))]
            answers = [each.result(60) for each in again]
            go_on.set()
            done = first.result(60)
        assert done.status_code == 200
        ids = {answer.json["run"]["id"] for answer in (done, *answers)}
        assert len(ids) == 1
        assert {answer.status_code for answer in answers} == {202}
        found += len(answers)
        after = world.look()
        assert stored(after) == expected(world.account)
        repeated(world)
        last = world.sync().json["run"]
        assert [last[name] for name in ("added", "changed", "closed")] == [0, 0, 0]
        assert world.look() == after
    figure("R38: repeated requests that found the run under way", found)


def repeated(world):
    """The other requests of the documented routes, sent again as after a time-out."""
    program = world.desk.program
    same = program.post(f"{URL}/connect/ibkr", json={"account_id": MAIN})
    assert same.status_code == 200
    for _ in range(2):
        ended = program.post(f"{URL}/disconnect")
        assert ended.status_code in (200, 409)
    world.desk.turn()
    kept = {"account_id": MAIN, "manual_holdings": "keep"}
    assert program.post(f"{URL}/connect/ibkr", json=kept).status_code == 201
    world.desk.turn()


def test_r35_ten_thousand_positions_are_old_or_new_too(
    template, tmp_path, effort, draw, figure, monkeypatch
):
    # On a busy machine this takes longer than any request waits for its run.
    monkeypatch.setattr(runner, "LONGEST_WAIT", 3600)
    size = effort(ci=2_000, full=10_000)
    with opened(template, tmp_path / "large", draw("R35")) as world:
        accounts = world.desk.simulator.state.accounts
        accounts[MAIN].held = large(size).held
        routes.PER_PAGE = 100
        world.desk.turn()
        world.on("/positions/17", lambda _, reply: reply._replace(body=[]), times=1)
        before = world.look()
        refused = world.sync()
        after = world.look()
        assert stored(after) in (stored(before), expected(world.account)), refused.json
        world.calm()
        good = world.sync()
        assert good.status_code == 200, (good.json, refused.json)
        assert stored(world.look()) == expected(world.account)
        assert world.look().written == before.written
    figure("R35: positions of the largest account", size)
