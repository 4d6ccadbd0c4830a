"""What is new to a person, both ways, and the words for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.connections.notices import (
    ACCOUNT_WIDE,
    GATEWAY_WIDE,
    LONGEST_NAME,
    Watched,
    compare,
    listed,
    message,
    safe_name,
    states,
)
from portfolio.connections.queries import broker_codes

SIGN_IN, REJECTED = "not_authenticated", "sync_rejected"


def account(number, code=None, gateway=1, name=None, scheduled=True):
    return Watched(
        account_id=number,
        portfolio_id=1,
        gateway_id=gateway,
        name=name or f"A{number}",
        code=code,
        scheduled=scheduled,
    )


def news(accounts, told=None):
    found = compare(states(accounts), told or {})
    needed = {subject: of.code for subject, of in found.needed.items()}
    return needed, set(found.well), set(found.gone)


def test_every_code_that_needs_a_person_has_words():
    needs = {code for code, needs_user in broker_codes().items() if needs_user}
    worded = set(GATEWAY_WIDE) | set(ACCOUNT_WIDE)
    assert worded == needs - {"needs_user"} | {"sync_rejected", "not_reconciled"}


def test_a_gateway_is_told_once_whatever_it_serves():
    accounts = [account(1, SIGN_IN), account(2, SIGN_IN), account(3, SIGN_IN, gateway=2)]
    assert news(accounts) == ({"gateway:1": SIGN_IN, "gateway:2": SIGN_IN}, set(), set())


def test_an_account_is_told_by_itself():
    accounts = [account(1, REJECTED), account(2, "not_reconciled"), account(3)]
    wanted = {"account:1": REJECTED, "account:2": "not_reconciled"}
    assert news(accounts) == (wanted, set(), set())


def test_what_was_told_is_not_told_again_until_it_changes():
    told = {"gateway:1": SIGN_IN, "account:2": REJECTED}
    accounts = [account(1, SIGN_IN), account(2, REJECTED)]
    assert news(accounts, told) == ({}, set(), set())
    accounts = [account(1, "certificate_changed"), account(2, "not_reconciled")]
    wanted = {"gateway:1": "certificate_changed", "account:2": "not_reconciled"}
    assert news(accounts, told) == (wanted, set(), set())


def test_what_was_told_and_is_well_is_told_once_more():
    told = {"gateway:1": SIGN_IN, "account:2": REJECTED}
    assert news([account(1), account(2)], told) == ({}, {"gateway:1", "account:2"}, set())
    assert news([account(1), account(2)]) == ({}, set(), set())


def test_a_gateway_in_trouble_hides_how_its_accounts_are():
    told = {"account:1": REJECTED}
    assert news([account(1, SIGN_IN)], told) == ({"gateway:1": SIGN_IN}, set(), set())
    told |= {"gateway:1": SIGN_IN}
    assert news([account(1, REJECTED)], told) == ({}, {"gateway:1"}, set())


def test_a_gateway_that_is_well_may_show_another_trouble():
    told = {"gateway:1": SIGN_IN}
    wanted = {"account:1": "broker_account_missing"}, {"gateway:1"}, set()
    assert news([account(1, "broker_account_missing")], told) == wanted


def test_what_is_no_more_is_forgotten_without_a_word():
    told = {"gateway:1": SIGN_IN, "account:1": REJECTED, "account:2": REJECTED}
    assert news([account(2, REJECTED, gateway=2)], told) == ({}, set(), {"gateway:1", "account:1"})


def test_an_account_that_nobody_syncs_does_not_keep_its_gateway_in_trouble():
    rests = account(2, SIGN_IN, scheduled=False)
    assert news([account(1), rests], {"gateway:1": SIGN_IN}) == ({}, {"gateway:1"}, set())
    assert news([rests]) == ({"gateway:1": SIGN_IN}, set(), set())


def test_the_gravest_trouble_of_a_gateway_is_told():
    accounts = [account(1, SIGN_IN), account(2, "certificate_changed")]
    assert news(accounts) == ({"gateway:1": "certificate_changed"}, set(), set())


def test_a_trouble_of_another_broker_has_words_too():
    found = compare(states([account(1, "password_expired")]), {})
    title, body = message(found)
    assert title == "Foliosync needs you: look at an account"
    assert body.startswith("“A1” needs you.\nIn Foliosync open /portfolio/1/accounts/~1.")


CODES = st.sampled_from([None, "password_expired", *GATEWAY_WIDE, *ACCOUNT_WIDE])
ACCOUNTS = st.lists(
    st.builds(account, st.integers(1, 5), CODES, st.integers(1, 2), scheduled=st.booleans()),
    unique_by=lambda each: each.account_id,
)


@given(ACCOUNTS, ACCOUNTS)
def test_telling_settles_it_and_each_thing_is_told_once(before, after):
    first = compare(states(before), {})
    told = {subject: of.code for subject, of in first.needed.items()}
    assert not compare(states(before), told).worth_telling
    found = compare(states(after), told)
    assert set(found.needed) | set(found.well) <= set(states(after))
    assert not (set(found.needed) & set(found.well))
    assert set(found.well) <= set(told)
    assert found.gone == set(told) - set(states(after))
    told = {s: c for s, c in told.items() if s not in found.gone and s not in found.well}
    told |= {subject: of.code for subject, of in found.needed.items()}
    assert not compare(states(after), told).worth_telling


def test_one_need_is_in_the_title_and_several_are_in_the_text():
    title, body = message(compare(states([account(1, SIGN_IN), account(2, SIGN_IN)]), {}))
    assert title == "Foliosync needs you: sign in again"
    assert body.splitlines()[0] == "Nobody is signed in at the gateway of “A1” and “A2”."
    assert "/settings" in body
    told = {"account:3": REJECTED}
    accounts = [account(1, SIGN_IN), account(2, REJECTED, gateway=2), account(3, gateway=3)]
    title, body = message(compare(states(accounts), told))
    assert title == "Foliosync needs you"
    assert body.count("\n\n") == 2
    assert body.endswith("“A3” is well again.")
    title, _ = message(compare(states([account(3)]), told))
    assert title == "Foliosync: well again"


def test_a_message_stays_short():
    accounts = [account(number, REJECTED, name="x" * LONGEST_NAME) for number in range(200)]
    _, body = message(compare(states(accounts), {}))
    assert body.endswith("And 190 more: open / in Foliosync.")
    assert len(body) < 3000
    _, body = message(compare(states([account(n, SIGN_IN) for n in range(9)]), {}))
    assert "“A0”, “A1”, “A2” and 6 more" in body


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "“a”"), (["a", "b"], "“a” and “b”"), (["a", "b", "c"], "“a”, “b” and “c”")],
)
def test_names_are_listed_as_people_do(names, text):
    assert listed(names) == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("IBKR Main", "IBKR Main"),
        ("a\r\nBcc: x\u202e\u0000b", "a Bcc: x b"),
        ("Joint u7654321 and U7654321!", "Joint … and …!"),
        ("U1", "U1"),
        ("U7654321", "…"),
        ("\u200b\u200b", "…"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_a_name_is_one_short_line_without_ids(name, shown):
    assert safe_name(name, ["U7654321", "U1"]) == shown


@given(st.text(max_size=200))
def test_no_name_breaks_a_line(name):
    shown = safe_name(name, ["U7654321"])
    assert shown
    assert shown.isprintable()
    assert len(shown) <= LONGEST_NAME
    assert "u7654321" not in shown.casefold()
