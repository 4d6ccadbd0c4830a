from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from portfolio.web.parsing import parse


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_no_number_or_name_can_mean_is_refused(raw):
    with pytest.raises(BadRequest):
        parse(raw)


def test_numbers_stay_exact():
    assert parse(b'{"a": 0.1, "b": [1, "x"]}') == {"a": Decimal("0.1"), "b": [1, "x"]}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw):
    with contextlib.suppress(BadRequest):
        parse(raw)
