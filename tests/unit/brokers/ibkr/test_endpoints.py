"""The closed list, written down a second time: a change here is a change of what we can ask."""

from __future__ import annotations

import pytest

from brokers.errors import Refused
from brokers.ibkr import endpoints
from brokers.ibkr.endpoints import ACCOUNT, PAGE

ONE = {"account": ACCOUNT}
ALLOWED = {
    "ROOT": ("GET", "/", {}),
    "TICKLE": ("POST", "/tickle", {}),
    "VALIDATE": ("GET", "/sso/validate", {}),
    "ACCOUNTS": ("GET", "/portfolio/accounts", {}),
    "POSITIONS": ("GET", "/portfolio/{account}/positions/{page}", {**ONE, "page": PAGE}),
    "LEDGER": ("GET", "/portfolio/{account}/ledger", ONE),
    "SUMMARY": ("GET", "/portfolio/{account}/summary", ONE),
    "INVALIDATE": ("POST", "/portfolio/{account}/positions/invalidate", ONE),
    "POSITIONS_2": ("GET", "/portfolio2/{account}/positions", ONE),
    "CONTRACTS": ("GET", "/trsrv/secdef", {}),
}


def told(endpoint):
    return endpoint.method, endpoint.template, endpoint.parameters


@pytest.mark.parametrize("name", ALLOWED)
def test_each_endpoint_is_what_the_vendor_documents(name):
    assert told(getattr(endpoints, name)) == ALLOWED[name]


def test_nothing_else_can_be_asked():
    assert [told(each) for each in endpoints.ALL] == list(ALLOWED.values())
    assert endpoints.BASE == "/v1/api"


@pytest.mark.parametrize("page", ["0", "9", "10", "99", "100", "199"])
def test_the_first_two_hundred_pages_can_be_asked(page):
    values = {"account": "U1234567", "page": page}
    assert endpoints.POSITIONS.path(values) == f"/portfolio/U1234567/positions/{page}"


@pytest.mark.parametrize("page", ["", "00", "01", "200", "1000", "1\n", " 1", "x"])
def test_no_other_page_can(page):
    with pytest.raises(Refused):
        endpoints.POSITIONS.path({"account": "U1234567", "page": page})


@pytest.mark.parametrize("account", ["U1234", "DU123456789012", "DUH1234567"])
def test_accounts_of_each_length_can_be_asked(account):
    assert endpoints.LEDGER.path({"account": account}) == f"/portfolio/{account}/ledger"


@pytest.mark.parametrize(
    "account",
    ["U123", "U1234567890123", "DUHX1234567", "1234567", "u1234567", "U1234567\n", "É1234"],
)
def test_no_other_account_can(account):
    with pytest.raises(Refused):
        endpoints.LEDGER.path({"account": account})
