from __future__ import annotations

import re
from itertools import product

import pytest

from portfolio.accounts.names import clean_currency, clean_notes, clean_text, slug
from portfolio.accounts.schemas.portfolios import CODE
from portfolio.errors import Invalid
from portfolio.names import clean_name


@pytest.mark.parametrize(
    "name", ["Réserve", "日本株", "a/b", "..", ".", "50 %", "A & B <b>", "🦊", "x" * 100, "sync"]
)
def test_names_of_all_sorts_are_welcome(name):
    assert clean_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a\tb", "a\x00", "a\u202eb", "a\ud800", "x" * 101, "~1", "\u2028"],
)
def test_names_that_deceive_or_break_are_refused(name):
    with pytest.raises(Invalid) as caught:
        clean_name(name)
    assert list(caught.value.fields) == ["name"]


def test_two_spellings_of_one_name_are_one():
    assert clean_name("Re\u0301serve") == "Réserve"


def test_a_name_that_cannot_stand_in_a_url_gets_its_number():
    assert slug("IBKR Main", 7) == "IBKR Main"
    assert [slug(name, 7) for name in ("a/b", ".", "..", "a?b", "50 %", "a\\b")] == ["~7"] * 6


def test_currencies():
    assert [clean_currency(text) for text in (" eur ", "Gbp", "gBp")] == ["EUR", "GBP", "GBP"]
    for text in ("EURO", "E1", "", "€UR", "ßA"):
        with pytest.raises(Invalid):
            clean_currency(text)


@pytest.mark.parametrize(("pence", "pounds"), [("GBp", "GBP"), ("ZAc", "ZAR"), ("ILa", "ILS")])
def test_pence_are_no_pounds(pence, pounds):
    with pytest.raises(Invalid) as caught:
        clean_currency(pence, "from")
    assert f"hundredths, such as pence: give the prices and amounts in {pounds}." in str(
        caught.value.fields["from"]
    )
    assert clean_currency(pounds) == pounds


@pytest.mark.parametrize("code", [*map("".join, product("Gg", "Bb", "Pp"))])
def test_the_document_knows_which_letters_stand_for_a_currency(code):
    try:
        taken = clean_currency(code) == "GBP"
    except Invalid:
        taken = False
    assert (re.fullmatch(CODE, code) is not None) is taken is (code != "GBp")


@pytest.mark.parametrize("clean", [clean_name, clean_notes, lambda text: clean_text(text, "x", 9)])
def test_too_many_marks_on_one_letter_are_refused_at_once(clean):
    assert clean("e" + "\u0301" * 8).startswith("é")
    with pytest.raises(Invalid, match="marks stand on one letter"):
        clean("e" + "\u0300\u0323" * 100_000)


@pytest.mark.parametrize("text", [" =1", "\t=1", "=1\xa0", "\u3000=1\n"])
def test_notes_have_no_spaces_at_their_ends(text):
    assert clean_notes(text) == "=1"
    assert clean_notes("a\n\n b") == "a\n\n b"
