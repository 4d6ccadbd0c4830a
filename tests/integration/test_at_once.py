"""Two who write the same thing at the same moment: one of them does, and the other is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from portfolio.db import session as opened
from portfolio.db.session import unit_of_work
from portfolio.errors import StorageBusy

ACCOUNTS = "/api/v1/portfolios/1/accounts"
HOLDING = {"symbol": "AAA", "kind": "stock", "currency": "USD", "quantity": "3", "price": "10"}
THREADS = 4


def at_once(desk, url, body):
    """The statuses of the same request, sent by several threads at once."""
    ready = Barrier(THREADS)

    def send(_):
        ready.wait()
        return desk.program.post(url, json=body).status_code

    with ThreadPoolExecutor(THREADS) as pool:
        return sorted(pool.map(send, range(THREADS)))


ONCE = [201] + [409] * (THREADS - 1)


@pytest.mark.parametrize(
    ("url", "body", "statuses"),
    [
        (f"{ACCOUNTS}/A/holdings", HOLDING, ONCE),
        (f"{ACCOUNTS}/A/cash", {"currency": "USD", "amount": "5"}, ONCE),
        (ACCOUNTS, {"name": "B", "currency": "USD"}, ONCE),
        ("/api/v1/portfolios", {"name": "Q", "base_currency": "USD"}, ONCE),
        # One for the same day takes the place of the former.
        ("/api/v1/rates", {"from": "SEK", "to": "USD", "rate": "2"}, [201] * THREADS),
    ],
    ids=["holding", "cash", "account", "portfolio", "rate"],
)
def test_what_is_added_several_times_at_once_is_there_once(anywhere, url, body, statuses):
    anywhere.account()
    assert at_once(anywhere, url, body) == statuses
    held = anywhere.program.get(f"{ACCOUNTS}/A/holdings").json["holdings"]
    assert len(held) == url.endswith("holdings")


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_writer_who_does_not_end_makes_the_next_one_give_up(anywhere, monkeypatch):
    monkeypatch.setattr(opened, "BUSY_TIMEOUT_MS", 50)
    with anywhere.app.app_context():
        with unit_of_work(), pytest.raises(StorageBusy), unit_of_work():
            pass
        with unit_of_work():
            pass
