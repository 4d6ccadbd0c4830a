from __future__ import annotations

import pytest

from portfolio.errors import Invalid
from portfolio.names import folded
from portfolio.users.passwords import Passwords, check_new, normal

CHEAP = Passwords(passes=1, kibibytes=8)


def test_the_parameters_in_force_are_at_least_the_floor_of_owasp():
    memory, passes = Passwords().kibibytes, Passwords().passes
    assert passes >= 2
    assert memory >= 19 * 1024


def test_a_password_is_verified_and_never_stored():
    stored = CHEAP.hash("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert "horse" not in stored
    assert CHEAP.verify(stored, "correct horse battery")
    assert not CHEAP.verify(stored, "correct horse batter")
    assert CHEAP.hash("correct horse battery") != stored


@pytest.mark.parametrize("stored", [None, "", "plain", "$argon2id$broken"])
def test_without_a_hash_nothing_is_right(stored):
    assert not CHEAP.verify(stored, "of nobody")


@pytest.mark.parametrize("given", ["x" * 257, "\ud800", "\x00", ""])
def test_strange_passwords_are_wrong_and_no_failure(given):
    assert not CHEAP.verify(CHEAP.hash("x" * 256), given)


def test_a_longest_password_is_one_and_nothing_longer():
    stored = CHEAP.hash("x" * 256)
    assert CHEAP.verify(stored, "x" * 256)


@pytest.mark.parametrize(
    "password", ["x" * 12, "x" * 256, "            ", "пароль пароль", "🦊" * 12]
)
def test_no_rule_says_what_a_password_is_made_of(password):
    check_new(password, "Anna")


@pytest.mark.parametrize("password", ["x" * 11, "x" * 257, "x" * 12 + "\n", "x" * 12 + "\ud800"])
def test_what_is_refused(password):
    with pytest.raises(Invalid) as caught:
        check_new(password, "Anna")
    assert list(caught.value.fields) == ["password"]


def test_the_user_name_is_no_password_in_whichever_case():
    with pytest.raises(Invalid):
        check_new("anna anderson", "Anna Anderson")


def test_what_strangers_send_is_cut_before_it_is_brought_into_order():
    marks = "a" + "\u0300\u0323" * 100_000
    assert len(normal(marks)) <= 5 * 256
    assert len(folded(marks)) <= 1_000
    # Four characters that become one are still too many.
    assert not CHEAP.verify(CHEAP.hash("ǖ" * 256), "u\u0308\u0304" * 400_000)
