"""What is written quickly is what the documented schema says."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from portfolio.accounts.exports import described
from portfolio.accounts.schemas.holdings import HoldingSchema
from tests.unit.portfolio.accounts.test_rows import holdings, known

days = st.none() | st.dates(date(2020, 1, 1), date(2040, 1, 1))
identifiers = st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=5), max_size=2)
odd = st.sampled_from([Decimal("-0"), Decimal("1E+3"), Decimal("0.50"), Decimal("1E-20")])


ROWS = st.tuples(
    holdings(), known | odd, identifiers, days, st.none() | st.integers(1, 9), st.booleans()
)


def drawn(row, number, named, day, twin, flag):
    of = replace(row.instrument, identifiers=named, expiry=day, strike=number)
    row = replace(row, instrument=of, notional=number, average_price=number, duplicate_of=twin)
    return replace(row, editable=flag, counts_in_value=not flag)


@given(st.lists(ROWS.map(lambda values: drawn(*values)), max_size=3))
def test_the_quick_form_is_the_documented_one(rows):
    shown = json.loads(msgspec.json.encode(described(rows)))
    documented = HoldingSchema(many=True).dump(rows)
    # With the order of the fields.
    assert json.dumps(shown) == json.dumps(documented)
