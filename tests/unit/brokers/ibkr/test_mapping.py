from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.errors import BadAnswer, Foreign, Incomplete, SessionStarting
from brokers.ibkr import mapping
from brokers.ibkr.mapping.positions import each_summed, summed
from brokers.ibkr.mapping.rows import totals
from brokers.ibkr.mapping.values import currency, exact
from brokers.types import Kind, Right
from tests.unit.brokers.ibkr.pages import held_by

FULL_OPTION = {
    "acctId": "U1234567",
    "conid": 1,
    "contractDesc": "SPY    JAN2027 440 C [SPY   270115C00440000 100]",
    "position": Decimal("-2.0"),
    "mktPrice": Decimal("5.5"),
    "mktValue": Decimal("-1100"),
    "avgPrice": Decimal("4"),
    "avgCost": Decimal("400"),
    "unrealizedPnl": Decimal("-300"),
    "currency": "USD",
    "assetClass": "OPT",
    "ticker": "SPY",
    "name": "SPDR S&amp;P 500",
    "expiry": "20270115",
    "strike": "440",
    "putOrCall": "C",
    "multiplier": Decimal("100.0"),
    "undConid": 756733,
}
LEAN = {"ticker": None, "expiry": None, "strike": Decimal("0.0"), "putOrCall": None}
LEAN_OPTION = {**FULL_OPTION, **LEAN, "name": None, "multiplier": None}


def is_lean(row):
    return not row.get("ticker") or currency(row.get("currency")) is None


def one(row, terms=None):
    return mapping.position(row, terms or {}, "USD")


def test_a_full_option_has_its_terms():
    of = one(FULL_OPTION).instrument
    assert (of.kind, of.right, of.strike) == (Kind.OPTION, Right.CALL, Decimal(440))
    assert (of.expiry, of.multiplier) == (date(2027, 1, 15), Decimal(100))
    assert (of.name, of.underlying) == ("SPDR S&P 500", "SPY")


def test_a_lean_option_takes_its_terms_from_the_description():
    full, lean = one(FULL_OPTION).instrument, one(LEAN_OPTION).instrument
    for term in ("symbol", "kind", "expiry", "strike", "right", "multiplier", "underlying"):
        assert getattr(full, term) == getattr(lean, term), term


def test_a_lean_row_with_its_contract_is_the_same_as_a_full_row():
    terms = {name: FULL_OPTION[name] for name in ("name", "ticker", "multiplier", "strike")}
    assert one(LEAN_OPTION, terms) == one(FULL_OPTION)


def test_of_several_sources_the_first_that_says_something_wins():
    row = {
        "conid": 1,
        "position": 1,
        "assetClass": "OPT",
        "contractDesc": LEAN_OPTION["contractDesc"],
    }
    row |= {"name": "Row", "lastTradingDay": "20280115", "strike": "0", "multiplier": "0.0"}
    terms = {"fullName": "Terms", "expiry": "20290115", "strike": Decimal(450), "ticker": "SPX"}
    of = one(row, terms).instrument
    assert (of.name, of.expiry, of.symbol) == ("Row", date(2028, 1, 15), "SPX")
    assert (of.strike, of.multiplier, of.right) == (Decimal(450), Decimal(100), Right.CALL)
    of = one(row | {"fullName": "Whole", "expiry": "20270115"}, terms).instrument
    assert (of.name, of.expiry) == ("Whole", date(2027, 1, 15))


def test_a_future_derives_its_multiplier():
    row = {
        "conid": "7",
        "position": "-1",
        "assetClass": "FUT",
        "contractDesc": "MNQ   MAR2027",
        "mktPrice": "20000",
        "mktValue": "-40000",
        "avgPrice": "20010",
        "avgCost": "40020",
    }
    of = one(row).instrument
    assert (of.kind, of.multiplier, of.symbol) == (Kind.FUTURE, Decimal(2), "MNQ")


def test_zero_or_missing_average_price_is_unknown():
    assert one({**FULL_OPTION, "avgPrice": Decimal("0.0")}).average_price is None
    assert one({**FULL_OPTION, "avgPrice": None}).average_price is None


def test_an_unknown_class_is_kept_as_other():
    assert one({**FULL_OPTION, "assetClass": "NEW"}).instrument.kind is Kind.OTHER


def test_models_of_one_contract_are_summed():
    rows = [
        {**FULL_OPTION, "model": "", "position": 1, "avgPrice": 10},
        {**FULL_OPTION, "model": "m", "position": 3, "avgPrice": 20},
    ]
    (found,), closed = held_by(rows, "U1234567", "USD")
    assert (found.quantity, found.average_price) == (4, Decimal("17.5"))
    assert closed == frozenset()


def test_a_row_of_zero_is_proof_and_no_holding():
    found, closed = held_by([{**FULL_OPTION, "position": 0}], "U1234567", "USD")
    assert (found, closed) == ((), frozenset({"1"}))


@pytest.mark.parametrize("model", ["", "m"])
def test_in_an_account_with_models_a_row_of_zero_proves_nothing(model):
    """Of the same contract in another model the row may be missing at that moment."""
    sold = {**FULL_OPTION, "position": 0, "model": model}
    other = {**FULL_OPTION, "conid": 2, "model": "m"}
    found, closed = held_by([sold, other], "U1234567", "USD")
    assert ([of.instrument.key for of in found], closed) == (["2"], frozenset())
    lines = mapping.uncached([{**sold, "currency": "USD"}, other], "U1234567")
    known = {of.instrument.key: of for of in found}
    assert mapping.repositioned(lines, known)[1] == frozenset()
    _, closed = held_by([{**sold, "model": ""}, {**other, "model": ""}], "U1234567", "USD")
    assert closed == {"1"}


def test_virtual_currency_rows_are_neither():
    row = {**FULL_OPTION, "assetClass": "CASH"}
    assert held_by([row], "U1234567", "USD") == ((), frozenset())


def test_the_same_contract_with_another_quantity_is_incomplete():
    with pytest.raises(Incomplete):
        held_by([FULL_OPTION, {**FULL_OPTION, "position": 9}], "U1234567", "USD")


def test_a_row_of_another_account_is_foreign():
    with pytest.raises(Foreign):
        mapping.checked_page([{**FULL_OPTION, "acctId": "U7654321"}], "U1234567")


def test_an_empty_account_list_is_not_ready_rather_than_none():
    with pytest.raises(SessionStarting):
        mapping.accounts([])


LEDGER = {
    "EUR": {"cashbalance": Decimal("5.5"), "exchangerate": Decimal("1.08"), "interest": 1},
    "JPY": {"cashbalance": Decimal("-100"), "exchangerate": 0},
    "CHF": {"cashbalance": 0, "exchangerate": 1},
    "USD": {"cashbalance": "7", "exchangerate": 1, "stockmarketvalue": Decimal("10.25")},
    "BASE": {"cashbalance": 13, "exchangerate": 1, "netliquidationvalue": Decimal("20.5")},
}


def test_the_ledger_has_a_row_a_currency_and_a_total():
    found = mapping.ledger(LEDGER, "U1234567", "USD")
    rates = {row.currency: row.rate_to_base for row in found.rows}
    assert rates == {"EUR": Decimal("1.08"), "JPY": None, "CHF": None, "USD": Decimal(1)}
    assert found.total.net_liquidation == Decimal("20.5")


def test_a_ledger_without_its_total_is_no_ledger():
    with pytest.raises(BadAnswer):
        mapping.ledger({"USD": LEDGER["USD"]}, "U1234567", "USD")


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9),
    st.text(max_size=12),
    st.just("NaN"),
    st.lists(st.integers(), max_size=2),
)
names = sorted({*FULL_OPTION, "fullName", "lastTradingDay", "undSym", "type", "model", "zzz"})


rows_of = st.fixed_dictionaries(
    {"conid": st.one_of(st.integers(1, 5), values), "position": values},
    optional=dict.fromkeys(set(names) - {"conid", "position"}, values),
)


ids = st.integers(-1, 10**20) | st.text("0123456789.e- ", max_size=22)


@given(ids | ids.map(str) | st.decimals())
def test_a_contract_has_one_id_however_it_is_written(given):
    try:
        plain = Decimal(str(given).strip())
        known = str(int(plain)) if plain == int(plain) and 0 < plain < 10**19 else None
    except (InvalidOperation, ValueError, OverflowError):
        known = None
    try:
        found = mapping.key({"conid": given})
    except BadAnswer:
        found = None
    assert found == known


written = st.from_regex(r" ?-?[0-9]{0,40}(\.[0-9]{0,40})?(e-?[0-9]{1,2})?", fullmatch=True)


@given(written | st.decimals() | st.decimals(-(10**20), 10**20, places=3))
def test_a_number_is_read_the_same_however_it_is_written(given):
    try:
        plain = None if given == "" else Decimal(str(given).strip())
    except InvalidOperation:
        plain = Decimal("NaN")
    tiny = plain is not None and plain.is_finite() and plain != 0 and plain.adjusted() < -18
    good = plain is None or (plain.is_finite() and (not plain or tiny or ordinary(plain)))
    try:
        assert (mapping.number(given, "strike"), good) == (0 if tiny else plain, True)
    except BadAnswer:
        assert not good
    try:
        assert (exact(given, "position"), good and not tiny) == (plain, True)
    except BadAnswer:
        assert tiny or not good


def ordinary(value):
    return abs(value.adjusted()) <= 18 and len(value.as_tuple().digits) <= 38


@pytest.mark.parametrize("dust", [Decimal("1.08E-19"), f"0.{0:018}108", -1e-19])
def test_the_noise_of_a_double_is_no_profit_and_a_quantity_never_becomes_nothing(dust):
    """The profit on crypto dust came as `1.08E-19`, and the whole account was a bad answer."""
    noisy = one({**FULL_OPTION, "unrealizedPnl": dust, "mktPrice": dust})
    assert (noisy.unrealized_pnl, noisy.price, noisy.quantity) == (0, 0, -2)
    with pytest.raises(BadAnswer):
        held_by([{**FULL_OPTION, "position": dust}], "U1234567", "USD")
    least = Decimal("1.08E-18")
    held, closed = held_by([{**FULL_OPTION, "position": least}], "U1234567", "USD")
    assert ([of.quantity for of in held], closed) == ([least], frozenset())
    total = {"cashbalance": 1, "exchangerate": 1, "stockmarketvalue": dust}
    books = mapping.ledger({"USD": total, "BASE": total}, "U1234567", "USD")
    assert set(books.total.values.values()) <= {0}


parts = st.builds(
    lambda key, quantity: one({**FULL_OPTION, "conid": key, "position": quantity}),
    st.integers(1, 6),
    st.integers(-2, 2),
)


@given(st.lists(parts, max_size=6))
def test_contracts_that_stand_once_are_summed_like_all(found):
    assert summed(found) == each_summed(found)


@given(st.lists(rows_of, max_size=4))
def test_any_row_is_mapped_or_refused_and_none_is_lost(rows):
    try:
        page = mapping.checked_page(rows, "U1234567")
        found, closed = held_by(page, "U1234567", "USD")
    except BadAnswer:
        return
    of = {(mapping.key(row), str(row.get("model") or "")): row for row in reversed(page)}
    counted = [row for row in of.values() if row.get("assetClass") != "CASH"]
    for position in found:
        mine = [row for row in counted if mapping.key(row) == position.instrument.key]
        assert position.quantity == sum(map(mapping.quantity, mine))
        assert len(position.instrument.currency) <= 8
    amounts = totals((mapping.key(row), mapping.quantity(row)) for row in counted)
    held = {of for of, amount in amounts.items() if amount}
    assert {p.instrument.key for p in found} == held
    with_models = any(row.get("model") for row in counted)
    assert closed == (set() if with_models else amounts.keys() - held)


def test_rows_under_the_second_name_of_an_account_count_once_and_never_alone():
    twin = {**FULL_OPTION, "acctId": "U1234567C"}
    page = mapping.checked_page([FULL_OPTION, twin], "U1234567")
    assert held_by(page, "U1234567", "USD") == held_by([FULL_OPTION], "U1234567", "USD")
    with pytest.raises(Foreign):
        held_by([twin], "U1234567", "USD")
    with pytest.raises(Foreign):
        held_by([FULL_OPTION, {**twin, "position": 7}], "U1234567", "USD")


@pytest.mark.parametrize("row", [None, [], "USD", {}, {"cashbalance": None}, {"cashbalance": "x"}])
def test_a_damaged_row_of_the_ledger_is_no_row_less(row):
    total = {"cashbalance": 1, "exchangerate": 1}
    answer = {"USD": total, "EUR": row, "BASE": total}
    with pytest.raises(BadAnswer):
        mapping.ledger(answer, "U1234567", "USD")
    with pytest.raises(BadAnswer):
        mapping.ledger(answer, "U1234567", None)


@pytest.mark.parametrize("code", ["", "usd", "$", "A" * 12, 5, ["USD"], {"a": 1}, None])
def test_what_is_no_currency_is_not_known(code):
    row = {**FULL_OPTION, "currency": code}
    assert "currency" in one(row).instrument.guessed
    assert one(row, {"currency": "EUR"}).instrument.currency == "EUR"


@given(st.lists(rows_of, max_size=3), st.lists(rows_of, max_size=3), st.lists(rows_of, max_size=3))
def test_what_is_kept_and_remembered_of_rows_is_what_they_say_at_once(first, second, secdef):
    """One plain row with its terms gives the same as the small ones, and those of later reads."""
    known, terms = {}, {}
    for row in secdef:
        try:
            terms = {mapping.key(row): row, **terms}
        except BadAnswer:
            continue
    for rows in (first, second, first):
        held = [row for row in rows if row.get("assetClass") != "CASH"]
        try:
            page = mapping.checked_page(held, "U1234567")
            lean = [mapping.key(row) for row in page if is_lean(row)]
            plain = {
                mapping.key(row): mapping.position(
                    row, terms.get(mapping.key(row), {}) if is_lean(row) else {}, "USD"
                )
                for row in page
                if mapping.quantity(row)
            }
        except BadAnswer:
            continue
        if len({mapping.key(row) for row in page}) < len(page):
            continue
        of_lean = {of: row for of, row in terms.items() if of in lean}
        found, _ = held_by(page, "U1234567", "USD", of_lean, known)
        assert {of.instrument.key: of for of in found} == plain


def test_a_multiplier_that_was_derived_is_derived_anew():
    future = {"conid": 5, "position": 2, "assetClass": "FUT", "currency": "USD", "ticker": "ES"}
    known = {}
    priced = {**future, "mktPrice": 10, "mktValue": 1000}
    multipliers = [
        held_by([row], "U1234567", "USD", known=known)[0][0].instrument.multiplier
        for row in (future, priced, future, priced)
    ]
    assert multipliers == [1, 50, 1, 50]


def test_terms_are_asked_for_again_after_a_month_and_where_there_were_none():
    lean, known = {"conid": 5, "position": 2, "contractDesc": "X"}, {}

    def asks(now, terms):
        entry = mapping.understood(lean, "U1234567", "USD", known, now)
        if entry.lean is None:
            return False
        mapping.with_terms(entry, terms, "USD", known, now)
        return True

    month = 30 * 24 * 3600
    named = {"ticker": "X", "currency": "EUR"}
    looks = [(0, {}), (1, named), (month + 1, named), (month + 2, named), (month + 3, {})]
    assert [asks(*look) for look in looks] == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (lambda given: mapping.checked_page(given, "U1234567"), [1]),
        (lambda given: mapping.uncached(given, "U1234567"), {"error": "none"}),
        (lambda given: mapping.uncached(given, "U1234567"), [1]),
        (lambda given: mapping.uncached(given, "U1234567"), [{"conid": 1}]),
        (lambda given: mapping.uncached(given, "U1234567"), [{"conid": 1, "position": 1}]),
        (lambda given: mapping.ledger(given, "U1234567", "USD"), {"USD": {}}),
        (lambda given: mapping.ledger(given, "U1234567", "USD"), {"BASE": {}, "USD": 1}),
        (lambda given: mapping.ledger(given, "U1234567", None), {"BASE": {}, "USD": {}}),
        (mapping.accounts, "U1234567"),
        (mapping.accounts, [{"id": "../x"}]),
        (mapping.maintenance_margin, {"maintmarginreq": {"amount": None}}),
        (mapping.maintenance_margin, []),
        (mapping.contracts, {"secdef": None}),
        (mapping.contracts, []),
    ],
)
def test_an_answer_of_another_shape_is_never_read_as_nothing(read, answer):
    with pytest.raises(BadAnswer):
        read(answer)
