"""Files are byte for byte what the plain way would write: row by row and cell by cell."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal as D
from functools import partial

import pytest
from sqlalchemy import select

from portfolio.accounts import csvfile, figures
from portfolio.accounts.models import (
    LIKELY_TWIN,
    MANUAL,
    Account,
    CashBalance,
    Holding,
    Instrument,
    InstrumentIdentifier,
)
from portfolio.accounts.queries import scope
from portfolio.accounts.queries.order import Wanted
from portfolio.accounts.queries.scope import Scope
from portfolio.accounts.schemas.holdings import HoldingsSchema
from portfolio.accounts.services.totals import touch
from portfolio.db.batches import batches
from portfolio.db.session import one_state, unit_of_work
from portfolio.web.openapi import utc
from portfolio.web.runtime import moment, runtime

API = "/api/v1/portfolios/1/accounts/A"
READ_AT = datetime(2026, 11, 20, 9, 30, 0, 999_999, tzinfo=UTC)
TYPED_AT = datetime(2026, 11, 19, 23, 59, 59, 1, tzinfo=UTC)
HUGE = D("99999999999999999999.99999999999999999999")
FORMULA = "=cmd|' /C calc'!A0"
TEXTS = ["+41", "-5", "-x", "'=1", "＝1", ' "@x', "a“b”, c", 'quo"te', "é😀\u202e", "\tx", "00.5"]
OPTION = {"kind": "option", "expiry": date(2026, 12, 18), "strike": D("1E+2"), "right": "put"}
OPTION |= {"multiplier": D("100.00"), "underlying": "+UL"}
# What is held, and of what: what is left out is as plain as can be.
ROWS = [
    ({}, {"price": D("7.10"), "average_price": D("7")}),
    ({"symbol": FORMULA, "name": FORMULA}, {"notes": 'two\r\nlines, "quoted"', "price": D(0)}),
    (
        {"currency": "EUR"},
        {"quantity": D("1E+3"), "price": D("1E-20"), "average_price": D("0.50")},
    ),
    ({"currency": "CHF"}, {"quantity": D(-3), "price": D("12.5"), "average_price": D("12.50")}),
    ({}, {"quantity": HUGE, "price": HUGE, "average_price": -HUGE, "quoted_at": TYPED_AT}),
    ({"isin": "US0378331005", "conid": "265598"}, {"quantity": D("-0"), "notes": "=1+1"}),
    (OPTION, {"price": D("0.05"), "quantity": D("-2.0"), "quoted_at": TYPED_AT}),
    *(({"symbol": of, "name": of, "underlying": of}, {"notes": of}) for of in TEXTS),
]
BROUGHT = [
    ({}, {"market_value": D("1E+5"), "price": D("1E+4"), "unrealized_pnl": D("-0.10")}),
    ({"currency": "EUR"}, {"market_value": D("-10.123"), "average_price": D(3)}),
    ({"currency": "CHF"}, {"market_value": HUGE, "unrealized_pnl": HUGE, "average_price": D(1)}),
    ({"kind": "future", "multiplier": D(50)}, {"market_value": D(9), "unrealized_pnl": D("1.5")}),
    ({"kind": "cfd"}, {"market_value": D("1234.5"), "unrealized_pnl": D(-7), "price": D(2)}),
    ({"kind": "cfd"}, {"market_value": D(5), "quoted_at": TYPED_AT, "notes": ""}),
    ({"kind": "bond", "multiplier": D("0.01"), "name": None}, {"average_price": D("99.950")}),
]
CASH = {"EUR": D("-0.50"), "USD": D("1E+7"), "CHF": D("3.00")}


@pytest.fixture
def odd(anywhere):
    """An account with everything that is hard to write; there is no rate for CHF."""
    anywhere.account()
    rate = {"from": "EUR", "to": "USD", "rate": "1.0842"}
    assert anywhere.program.post("/api/v1/rates", json=rate).status_code == 201
    with anywhere.app.test_request_context(), unit_of_work() as session:
        account = session.scalars(select(Account)).one()
        account.synced_at = READ_AT
        for source, rows in ((MANUAL, ROWS), ("ibkr", BROUGHT)):
            session.add_all(made(account, number, source, *row) for number, row in enumerate(rows))
        for currency, amount in CASH.items():
            row = CashBalance(account_id=account.id, currency=currency, source=MANUAL)
            row.amount = amount
            session.add(row)
        touch(session, account, moment())
    return anywhere


def made(account, number, source, terms, figures_of):
    terms = dict(terms)
    named = {of: terms.pop(of) for of in ("isin", "conid") if of in terms}
    owner = account.portfolio.owner_id
    of = {"symbol": f"S{number}", "name": "x", "kind": "stock", "currency": "USD"}
    of |= {"multiplier": D(1), "source": source, "owner_id": owner} | terms
    of["option_right"] = of.pop("right", None)
    keys = [InstrumentIdentifier(owner_id=owner, scheme=k, value=v) for k, v in named.items()]
    row = Holding(account_id=account.id, instrument=Instrument(**of, identifiers=keys))
    row.source, row.quantity, row.opened_at, row.twin = source, D(10), READ_AT, LIKELY_TWIN
    for name, value in figures_of.items():
        setattr(row, name, value)
    return row


def found(session):
    """What the files are made of, the holdings in their order as they are stored."""
    at = Scope.find(session, 1, (1, "A"), moment(), runtime().links_of)
    whole = at.holdings(Wanted(sort="symbol", limit=1_000))
    return at, whole, [session.get(Holding, view.id) for view in whole.holdings]


def shown(row, at, whole):
    """The figures of a stored row, each by its definition."""
    known, of = at._known(), row.instrument
    figured = figures.figures(row)
    counts = None if of.kind == "future" else figured.counts
    rate = known.rates.between(of.currency, "USD")
    time = row.quoted_at or (None if row.source == MANUAL else READ_AT)
    return {
        "market_value": figured.value,
        "notional": figured.notional,
        "cost": figured.cost,
        "unrealized_pnl": figured.unrealized_pnl,
        "weight": figures.weight(counts, rate, whole.totals.net_liquidation),
        "quoted_at": None if row.price is None and row.market_value is None else time,
    }


def cell(value):
    return utc(value) if isinstance(value, datetime) else csvfile.cell(value)


def holding_line(row, at, whole):
    of = row.instrument
    named = {each.scheme: each.value for each in of.identifiers}
    texts = {"symbol": of.symbol, "name": of.name, "currency": of.currency, "source": row.source}
    texts |= {"underlying": of.underlying, "notes": row.notes, "isin": named.get("isin")}
    cells = {"type": "holding", "kind": of.kind, "right": of.option_right, "expiry": of.expiry}
    cells |= {"multiplier": of.multiplier, "strike": of.strike, "quantity": row.quantity}
    cells |= {"price": row.price, "average_price": row.average_price, **shown(row, at, whole)}
    return cells | {name: csvfile.guarded(value or "") for name, value in texts.items()}


def cash_line(row):
    amount = {"quantity": row.amount, "market_value": row.amount}
    return {"type": "cash", "currency": row.currency, "source": row.source, **amount}


def test_the_csv_is_the_one_written_cell_by_cell(odd):
    with odd.app.test_request_context(), one_state() as session:
        at, whole, rows = found(session)
        lines = [*(holding_line(row, at, whole) for row in rows), *map(cash_line, whole.cash)]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(csvfile.WRITTEN)
    for line in lines:
        writer.writerow([cell(line.get(name)) for name in csvfile.WRITTEN])
    assert len(lines) == len(ROWS) + len(BROUGHT) + len(CASH)
    assert odd.program.get(f"{API}/export.csv").data == file.getvalue().encode()


def test_the_json_is_the_one_of_the_schema_value_by_value(odd):
    with odd.app.test_request_context(), one_state() as session:
        at, whole, rows = found(session)
        described = HoldingsSchema().dump(whole)
        stored = [shown(row, at, whole) for row in rows]
    holdings = described.pop("holdings")
    for given, of in zip(holdings, stored, strict=True):
        assert {name: given[name] or "" for name in of} == {n: cell(v) for n, v in of.items()}
    assert any(of["duplicate_of"] for of in holdings)
    lines = ",".join(map(as_json, holdings))
    expected = f'{as_json(described)[:-1]},"holdings":[\n{lines}\n]}}\n'
    assert odd.program.get(f"{API}/export.json").data == expected.encode()


def as_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_a_file_of_many_pieces_is_the_same(odd, monkeypatch):
    whole = {of: odd.program.get(f"{API}/export.{of}").data for of in ("csv", "json")}
    monkeypatch.setattr(scope, "batches", partial(batches, size=3))
    pieces = {of: odd.program.get(f"{API}/export.{of}").data for of in ("csv", "json")}
    assert pieces["csv"] == whole["csv"]
    assert pieces["json"].replace(b",\n{", b",{") == whole["json"]
    assert pieces["json"] != whole["json"]
