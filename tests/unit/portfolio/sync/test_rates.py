from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D

from brokers.types import Ledger
from portfolio.sync.rates import Doubt, believe
from tests.unit.portfolio.sync.builders import NOON, ledger_row

GOOD = {"EUR": D("1.1")}


def ledger(rate, total=None):
    rows = (ledger_row("USD", "100", rate="1"), ledger_row("EUR", "50", rate=rate))
    return Ledger(base_currency="USD", rows=rows, total=ledger_row("USD", "1", net=total))


def rates(of, last_good=GOOD, doubted=None, now=NOON):
    return believe(of, last_good, doubted or {}, now)


def test_an_ordinary_move_is_believed_and_an_unknown_rate_is_none():
    assert rates(ledger("1.15")).rates["EUR"] == D("1.15")
    assert "EUR" not in rates(ledger(None)).rates
    assert rates(ledger("7"), last_good={}).rates["EUR"] == D(7)


def test_a_jump_waits_until_the_books_close_with_it():
    found = rates(ledger("1.5", total="155"))
    assert "EUR" not in found.rates
    assert found.doubts == {"EUR": Doubt(value=D("1.5"), since=NOON)}
    assert rates(ledger("1.5", total="175")).rates["EUR"] == D("1.5")


def test_a_jump_that_is_seen_again_an_hour_later_is_believed():
    doubt = {"EUR": Doubt(value=D("1.5"), since=NOON - timedelta(minutes=59))}
    early = rates(ledger("1.5"), doubted=doubt)
    assert early.doubts == doubt
    late = {"EUR": Doubt(value=D("1.5"), since=NOON - timedelta(hours=1))}
    assert rates(ledger("1.52"), doubted=late).rates["EUR"] == D("1.52")


def test_another_jump_is_another_doubt():
    doubt = {"EUR": Doubt(value=D("9"), since=NOON - timedelta(days=1))}
    found = rates(ledger("1.5"), doubted=doubt)
    assert found.doubts["EUR"].since == NOON
