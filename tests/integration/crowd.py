"""Accounts with many holdings, written straight into the database: real names, real figures."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import insert, select

from portfolio.accounts.models import Account, Holding, Instrument, InstrumentIdentifier
from portfolio.accounts.queries.totals import owner_rates
from portfolio.accounts.services.totals import store
from portfolio.db.session import unit_of_work
from portfolio.web.runtime import moment

NAMES = (
    "VANGUARD FTSE ALL-WORLD UCITS ETF USD ACC",
    "ISHARES CORE MSCI WORLD UCITS ETF",
    "SPDR S&P 500 ETF TRUST",
    "TAIWAN SEMICONDUCTOR-SP ADR",
    "BERKSHIRE HATHAWAY INC-CL B",
    "MUENCHENER RUECKVERSICHERUNGS-GESELLSCHAFT AG IN MUENCHEN",
    "XTRACKERS MSCI EMERGING MARKETS UCITS ETF 1C",
    "COMPAGNIE FINANCIERE RICHEMONT-A REG",
    "ALIBABA GROUP HOLDING-SP ADR",
    "INTERNATIONAL BUSINESS MACHINES CORP",
    "UNITED STATES TREASURY NOTE 4 1/8 08/15/33",
)
KINDS = ("stock", "etf", "stock", "stock", "option", "etf", "stock", "stock", "bond")
CURRENCIES = ("USD", "USD", "EUR", "USD", "CHF", "GBP", "USD")
SHARES = {"multiplier": Decimal(1), "expiry": None, "strike": None, "option_right": None}


def fill(desk, count, name="A"):
    """Give an account so many holdings of a broker, and bring its totals up to date."""
    with desk.app.app_context(), unit_of_work() as session:
        account = session.scalars(select(Account).where(Account.name == name)).one()
        owner, now = account.portfolio.owner_id, desk.clock.now()
        rows = [_instrument(number) for number in range(count)]
        made = insert(Instrument).returning(Instrument.id, sort_by_parameter_order=True)
        of = {"owner_id": owner, "source": "ibkr"}
        ids = session.scalars(made, [{**row, **of} for row in rows]).all()
        named = {"owner_id": owner, "scheme": "ibkr_conid", "is_key": True}
        keys = [{**named, "instrument_id": id_, "value": str(910_000_000 + id_)} for id_ in ids]
        session.execute(insert(InstrumentIdentifier), keys)
        held = {
            "account_id": account.id,
            "opened_at": now,
            "source": "ibkr",
            "source_account": "U",
        }
        holdings = [
            {**_figures(number), **held, "instrument_id": id_} for number, id_ in enumerate(ids)
        ]
        session.execute(insert(Holding), holdings)
        account.revision += 1
        store(session, account, owner_rates(session, owner), moment())


def _instrument(number):
    kind = KINDS[number % len(KINDS)]
    symbol = f"S{number:X}"
    terms = {**SHARES, "symbol": symbol, "kind": kind, "underlying": None}
    if kind == "option":
        expiry = date(2027, 1, 15) + timedelta(days=number % 700)
        terms |= {"symbol": f"S{number - 1:X}", "underlying": f"S{number - 1:X}", "expiry": expiry}
        terms |= {"multiplier": Decimal(100), "strike": Decimal(number % 900 + 5)}
        terms["option_right"] = ("call", "put")[number % 2]
    name, currency = NAMES[number % len(NAMES)], CURRENCIES[number % len(CURRENCIES)]
    return {**terms, "name": f"{name} {number % 97}", "currency": currency}


def _figures(number):
    # What a broker says has six and more decimals.
    quantity = Decimal(number * 7919 % 1_997 + 1) * (-1 if number % 17 == 0 else 1)
    price = Decimal(number * 104_729 % 90_000 + 500) / 100
    profit = quantity * price * Decimal(number % 61 - 20) / 100
    return {
        "quantity": quantity,
        "price": price,
        "average_price": price * Decimal("0.9012345"),
        "market_value": quantity * price,
        "unrealized_pnl": profit.quantize(Decimal("0.000001")),
    }
