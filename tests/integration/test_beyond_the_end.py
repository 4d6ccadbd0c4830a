"""A page that is not there any more: the last one instead, or a way back; never an empty table."""

from __future__ import annotations

import re

import pytest

from tests.integration.test_daily_values import lived

HTML = {"Accept": "text/html"}
TABLE = {**HTML, "HX-Request": "true", "HX-Target": "holdings-table"}
P = "/api/v1/portfolios/1/accounts/A"


def text(desk, path, headers=HTML):
    answer = desk.program.get(path, headers=headers)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def symbols(page):
    table = re.search(r'<table class="holdings">.*?</table>', page, re.DOTALL)[0]
    return re.findall(r'holdings/\d+">([^<]+)<', table)


@pytest.mark.parametrize("headers", [HTML, TABLE], ids=["page", "fragment"])
@pytest.mark.parametrize("more", ["", "&group=underlying", "&kind=stock&sort=symbol"])
def test_a_page_of_holdings_beyond_the_last_is_the_last(desk, headers, more):
    url = desk.connected()
    far = text(desk, f"{url}?page=99{more}", headers)
    number, of = re.search(r"page (\d+) of (\d+)", far).groups()
    assert number == of
    last = text(desk, f"{url}?page={of}{more}", headers)
    assert symbols(far) == symbols(last) != []
    assert 'rel="prev"' in far
    assert 'rel="next"' not in far


def test_nothing_found_says_so_on_every_page(desk):
    url = desk.connected()
    assert "Nothing matches." in text(desk, f"{url}?page=99&text=nonsense")


def test_the_api_goes_on_where_its_cursor_says(desk):
    desk.connected()
    far = desk.program.get(f"{P}/holdings?cursor=4900").json
    assert (far["holdings"], far["next_cursor"]) == ([], None)


def test_lists_that_are_read_on_lead_back_to_their_beginning(desk):
    url = desk.connected()
    run = desk.program.get(f"{P}/runs").json["items"][0]["id"]
    lived(desk, 3)
    for path, told in {
        "syncs": "There are no older syncs.",
        f"syncs/{run}": "There are no more changes.",
    }.items():
        page = text(desk, f"{url}/{path}?cursor=90000")
        assert f'{told} <a href="{url}/{path}">' in page
        assert told not in text(desk, f"{url}/{path}")
    for wrong in ("never synced", "Nothing was changed but prices"):
        assert wrong not in text(desk, f"{url}/syncs?cursor=90000")
        assert wrong not in text(desk, f"{url}/syncs/{run}?cursor=90000")
    values = text(desk, f"{url}/values?page=99")
    assert f'There are no older values. <a href="{url}/values">' in values
