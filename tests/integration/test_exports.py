"""An account as one file: of one moment, row for row what the pages say, or an error."""

from __future__ import annotations

import csv
import io
from decimal import Decimal as D

import pytest
from sqlalchemy import select, text

from portfolio.accounts import exports
from portfolio.accounts.models import Holding
from portfolio.db.base import db
from portfolio.db.session import one_state, unit_of_work
from portfolio.errors import StorageFailed
from portfolio.web import respond
from tests.integration.conftest import no_room

API = "/api/v1/portfolios/1/accounts/A"


def pages(desk):
    """All pages of the holdings, and what stands beside them."""
    found, cursor = [], "0"
    while cursor is not None:
        url = f"{API}/holdings?sort=symbol&limit=100&cursor={cursor}"
        answer = desk.program.get(url).json
        found += answer.pop("holdings")
        cursor = answer.pop("next_cursor")
    return found, answer


def test_the_json_is_all_the_pages_in_one(anywhere):
    anywhere.connected()
    anywhere.program.post(f"{API}/holdings", json={**BY_HAND, "notes": "a “b”\n</script>"})
    answer = anywhere.program.get(f"{API}/export.json")
    assert answer.headers["Content-Disposition"] == "attachment; filename=A.json"
    assert answer.content_type == "application/json; charset=utf-8"
    whole = answer.json
    held, around = pages(anywhere)
    assert len(held) == 231
    assert whole.pop("holdings") == held
    assert whole.pop("next_cursor") is None
    assert whole == around


BY_HAND = {"symbol": "SPY", "kind": "etf", "currency": "USD", "quantity": "1.50", "price": "7"}


def test_an_account_without_anything_is_a_whole_file_too(desk):
    desk.account()
    assert desk.program.get(f"{API}/export.json").json["holdings"] == []
    assert desk.program.get(f"{API}/export.csv").get_data(as_text=True).count("\r\n") == 1


def test_the_csv_has_the_figures_of_the_page(desk):
    url = desk.connected()
    text = desk.program.get(f"{url}/export.csv").get_data(as_text=True)
    lines = [row for row in csv.DictReader(io.StringIO(text)) if row["type"] == "holding"]
    held, _ = pages(desk)
    assert [row["symbol"] for row in lines] == [of["instrument"]["symbol"] for of in held]
    for name in ("quantity", "price", "market_value", "cost", "unrealized_pnl", "weight"):
        assert [row[name] for row in lines] == [of[name] or "" for of in held], name
    assert any(row["weight"].startswith("-") for row in lines)


def test_money_in_the_csv_is_worth_itself(desk):
    url = desk.connected()
    text = desk.program.get(f"{url}/export.csv").get_data(as_text=True)
    lines = [row for row in csv.DictReader(io.StringIO(text)) if row["type"] == "cash"]
    assert len(lines) == 5
    assert all(row["market_value"] == row["quantity"] for row in lines)
    # What is worked out anew is not read back.
    again = desk.program.post(f"{API}/import", json={"csv": text, "apply": False}).json
    assert again["bad"] == 0


def test_a_filter_does_not_narrow_the_file_and_the_link_says_so(desk):
    url = desk.connected()
    page = desk.program.get(f"{url}?kind=option", headers={"Accept": "text/html"})
    assert f'<a href="{url}/export.csv">Export all as CSV</a>' in page.get_data(as_text=True)


def test_all_of_a_file_is_of_one_moment(anywhere):
    anywhere.connected()
    with anywhere.app.app_context(), one_state() as session:
        before = session.execute(text("SELECT quantity FROM holding ORDER BY id")).all()
        with unit_of_work() as other:
            other.scalars(select(Holding)).first().quantity = D(4711)
        assert session.execute(text("SELECT quantity FROM holding ORDER BY id")).all() == before
    with anywhere.app.app_context(), one_state() as session:
        assert session.execute(text("SELECT quantity FROM holding ORDER BY id")).all() != before
        # The next user of the connection reads as usual.
        name = session.get_bind().dialect.name
    if name == "postgresql":
        with anywhere.app.app_context(), db.engine.connect() as connection:
            level = connection.execute(text("SHOW transaction_isolation")).scalar()
            assert level == "read committed"


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_a_failure_in_the_middle_is_an_error_and_no_half_of_a_file(desk, monkeypatch, ending):
    desk.connected()
    usual = exports.Scope.all_holdings

    def fail(scope):
        yield from usual(scope)
        raise StorageFailed("The database could not be read or written.")

    with monkeypatch.context() as patch:
        patch.setattr(exports.Scope, "all_holdings", fail)
        answer = desk.program.get(f"{API}/export.{ending}")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "storage_failed")
    assert desk.program.get(f"{API}/export.{ending}").status_code == 200


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_a_file_for_which_the_disk_has_no_room_says_so(desk, monkeypatch, ending):
    desk.connected()
    monkeypatch.setattr(respond, "IN_MEMORY", 1_000)
    with no_room(20_000):
        answer = desk.program.get(f"{API}/export.{ending}")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "storage_failed")
    assert answer.json["error"]["message"].endswith("the server’s folder for temporary files.")
    whole = desk.program.get(f"{API}/export.{ending}")
    assert (whole.status_code, len(whole.data)) == (200, whole.content_length)
    whole.close()


def test_who_only_asks_for_the_head_gets_no_file(desk):
    desk.connected()
    answer = desk.program.head(f"{API}/export.json")
    assert (answer.status_code, answer.get_data()) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 100_000
    answer.close()
