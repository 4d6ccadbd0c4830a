"""The work on a whole account grows as its rows; a square would be an exponent of 2."""

from __future__ import annotations

import time
from math import log

import pytest

from tests.integration.crowd import fill

SMALL, LARGE = 500, 4_000
MOST, ROUNDS = 1.4, 5
P = "/api/v1/portfolios/1/accounts"


def cpu_of(task, *given):
    """CPU seconds of this process."""
    began = time.process_time()
    task(*given)
    return time.process_time() - began


def assert_growth(measure):
    """CPU seconds by what `measure(size, round)` measured grow as the size, or not much faster.

    What else runs on the computer only adds, and may do so in one size alone: the least of
    several rounds counts, of which the first is mostly enough. A square stays one in all of them.
    """
    least = {}
    for number in range(ROUNDS):
        for size in (SMALL, LARGE):
            for what, spent in measure(size, number).items():
                of = least.setdefault(what, {})
                of[size] = min(spent, of.get(size, spent))
        found = {
            what: log(of[LARGE] / of[SMALL]) / log(LARGE / SMALL) for what, of in least.items()
        }
        if max(found.values()) <= MOST:
            return
    raise AssertionError(found, least)


def lines(count, more):
    """A file of so many holdings."""
    rows = [f"S{number},stock,USD,{more + number},10,12" for number in range(count)]
    return "\n".join(["symbol,kind,currency,quantity,average_price,price", *rows])


def send(desk, name, size, more):
    body = {"csv": lines(size, more), "apply": True}
    found = desk.program.post(f"{P}/{name}/import", json=body).json
    assert (found["bad"], len(found["rows"])) == (0, size)


def looked_at(desk, name, body):
    return desk.program.post(f"{P}/{name}/import", json=body).json


def test_lines_without_a_kind_take_work_as_they_are_many_beside_options_of_one_symbol(desk):
    def measure(size, number):
        name = f"A{size}-{number}"
        desk.account(name)
        options = [f"S,option,USD,1,100,{strike + 1},call" for strike in range(size)]
        head = "symbol,kind,currency,quantity,multiplier,strike,right"
        body = {"csv": "\n".join([head, *options]), "apply": True}
        assert desk.program.post(f"{P}/{name}/import", json=body).json["added"] == size
        spent = {}
        for what, heading, line in (("some", "strike", "{}"), ("none", "name", "x")):
            rows = [f"S,{line.format(strike + 1)},2" for strike in range(size)]
            body = {"csv": "\n".join([f"symbol,{heading},quantity", *rows])}
            spent[what] = cpu_of(looked_at, desk, name, body)
            found = looked_at(desk, name, body)
            if what == "some":
                assert found["changed"] == size
            else:
                assert f"{size} holdings here have its symbol" in found["rows"][0]["note"]
        return spent

    assert_growth(measure)


def test_an_import_takes_work_as_the_file_has_lines(desk):
    def measure(size, number):
        name = f"A{size}-{number}"
        desk.account(name)
        return {
            "new": cpu_of(send, desk, name, size, 1),
            "changed": min(cpu_of(send, desk, name, size, more) for more in (2, 3, 4)),
            "same": min(cpu_of(send, desk, name, size, 4) for _ in range(3)),
        }

    assert_growth(measure)


def read(desk, url):
    assert desk.program.get(url).get_data()


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_an_export_takes_work_as_the_account_has_rows(desk, ending):
    for size in (SMALL, LARGE):
        desk.account(f"A{size}")
        fill(desk, size, f"A{size}")

    def measure(size, _number):
        url = f"{P}/A{size}/export.{ending}"
        return {"export": min(cpu_of(read, desk, url) for _ in range(3))}

    assert_growth(measure)


def test_a_square_is_found():
    with pytest.raises(AssertionError):
        assert_growth(lambda size, _number: {"line": size, "square": size * size})
