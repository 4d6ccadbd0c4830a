from __future__ import annotations

from datetime import UTC, datetime

import pytest

from portfolio.users.codes import bare, is_code, new_key, random_code, step_of

# The key of RFC 6238's appendix B; its codes have eight digits, of which an app shows six.
KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds, code):
    now = datetime.fromtimestamp(seconds, UTC)
    assert step_of(KEY, code, now, None) == seconds // 30
    assert step_of(KEY, code, now, seconds // 30) is None
    assert step_of(KEY, code, now, seconds // 30 - 1) == seconds // 30


@pytest.mark.parametrize("text", ["12345", "1234567", "12345a", "١٢٣٤٥٦", "", "123 45"])
def test_what_is_no_code_of_an_app(text):
    assert not is_code(text)


@pytest.mark.parametrize("text", ["é12345", "１２３４５６", "𝟏𝟐𝟑𝟒𝟓𝟔", ""])
def test_digits_of_other_scripts_are_no_code_and_no_failure(text):
    assert step_of(new_key(), text, datetime(2026, 1, 1, tzinfo=UTC), None) is None


def test_a_code_is_typed_as_people_like():
    assert bare(" ab-cd 23 ") == "ABCD23"
    assert is_code(bare("123 456"))


def test_random_codes_are_of_groups_of_five():
    made = {random_code(3) for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == 17 and each.count("-") == 2 for each in made)
