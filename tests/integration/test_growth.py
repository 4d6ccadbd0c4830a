"""The work on a whole account grows as its rows; a square would be an exponent of 2."""

from __future__ import annotations

import time
from math import log

import pytest

from tests.integration.crowd import fill

SMALL, LARGE = 500, 4_000
MOST = 1.4
P = "/api/v1/portfolios/1/accounts"


def cpu_of(task, *given):
    """CPU seconds of this process."""
    began = time.process_time()
    task(*given)
    return time.process_time() - began


def exponent(spent):
    return log(spent[LARGE] / spent[SMALL]) / log(LARGE / SMALL)


def lines(count, more):
    """A file of so many holdings."""
    rows = [f"S{number},stock,USD,{more + number},10,12" for number in range(count)]
    return "\n".join(["symbol,kind,currency,quantity,average_price,price", *rows])


def send(desk, size, more):
    body = {"csv": lines(size, more), "apply": True}
    found = desk.program.post(f"{P}/A{size}/import", json=body).json
    assert (found["bad"], len(found["rows"])) == (0, size)


def test_an_import_takes_work_as_the_file_has_lines(desk):
    new, changed, same = {}, {}, {}
    for size in (SMALL, LARGE):
        desk.account(f"A{size}")
        new[size] = cpu_of(send, desk, size, 1)
        changed[size] = min(cpu_of(send, desk, size, more) for more in (2, 3, 4))
        same[size] = min(cpu_of(send, desk, size, 4) for _ in range(3))
    assert max(map(exponent, (new, changed, same))) <= MOST, (new, changed, same)


def read(desk, url):
    assert desk.program.get(url).get_data()


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_an_export_takes_work_as_the_account_has_rows(desk, ending):
    spent = {}
    for size in (SMALL, LARGE):
        desk.account(f"A{size}")
        fill(desk, size, f"A{size}")
        url = f"{P}/A{size}/export.{ending}"
        spent[size] = min(cpu_of(read, desk, url) for _ in range(3))
    assert exponent(spent) <= MOST, spent
