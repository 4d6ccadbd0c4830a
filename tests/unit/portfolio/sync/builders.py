"""Builders of snapshots and stored rows for the tests of the heart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D

from brokers.types import (
    BrokerAccount,
    Instrument,
    Kind,
    Ledger,
    LedgerRow,
    Position,
    Snapshot,
    ValueClass,
)
from portfolio.sync.plan import Stored, StoredHolding, terms_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def instrument(key, **values):
    return Instrument(
        **{"key": key, "symbol": f"S{key}", "kind": Kind.STOCK, "currency": "USD"} | values
    )


def position(key, quantity="10", average="5", price="6", **values):
    amount = D(quantity)
    return Position(
        instrument=instrument(key, **values),
        quantity=amount,
        average_price=D(average),
        price=D(price),
        market_value=amount * D(price),
        unrealized_pnl=D(1),
    )


def ledger_row(currency, cash, **more):
    """A row of books that add up; `more` overrides, and names classes by their values."""
    classes = {of: D(more.pop(of)) for of in ValueClass if of in more}
    extras = {name: D(more.pop(name)) for name in ("accrued_interest",) if name in more}
    total = D(cash) + sum(classes.values(), D(0)) + sum(extras.values(), D(0))
    rate = more.pop("rate", None)
    net = more.pop("net", total)
    return LedgerRow(
        currency=currency,
        cash=D(cash),
        net_liquidation=None if net is None else D(net),
        rate_to_base=None if rate is None else D(rate),
        values=classes,
        **extras,
    )


def snapshot(*positions, cash=(("USD", "100"),), closed=(), books="0", at=NOON, rates=None):
    total = LedgerRow(currency="USD", cash=D(0), values={ValueClass.STOCKS: D(books)})
    rates = {"USD": "1", **(rates or {})}
    rows = tuple(ledger_row(code, amount, rate=rates.get(code)) for code, amount in cash)
    return Snapshot(
        account=BrokerAccount(id="U1", name="U1", currency="USD"),
        read_at=at,
        positions=positions,
        closed_keys=frozenset(closed),
        ledger=Ledger(base_currency="USD", rows=rows, total=total),
    )


def stored_from(of, *, is_open=True):
    rows = tuple(
        StoredHolding(
            key=p.instrument.key,
            quantity=p.quantity,
            average_price=p.average_price,
            is_open=is_open,
            terms=terms_of(p.instrument),
            price=p.price,
            market_value=p.market_value,
            unrealized_pnl=p.unrealized_pnl,
        )
        for p in of.positions
    )
    return Stored(holdings=rows, cash={row.currency: row.cash for row in of.ledger.rows})


def adding_up(*positions, cash=(("USD", "100"),), rates=None, **more):
    """A snapshot whose books agree with its positions; all of them are stocks."""
    rates = {"USD": "1", **(rates or {})}
    rows = []
    for code, amount in cash:
        value = sum((p.market_value for p in positions if p.instrument.currency == code), D(0))
        rows.append(ledger_row(code, amount, rate=rates[code], stocks=value))
    sums = {
        "cash": sum((row.cash * row.rate_to_base for row in rows), D(0)),
        "net": sum((row.net_liquidation * row.rate_to_base for row in rows), D(0)),
    }
    stocks = sum((row.values[ValueClass.STOCKS] * row.rate_to_base for row in rows), D(0))
    total = ledger_row("USD", sums["cash"], net=sums["net"], rate="1", stocks=stocks)
    found = snapshot(*positions, **more)
    return replace(found, ledger=Ledger(base_currency="USD", rows=tuple(rows), total=total))
