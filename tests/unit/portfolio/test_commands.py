from __future__ import annotations

import pytest

from portfolio.commands import Target, _chosen
from portfolio.connections.services import Place
from portfolio.errors import SetupProblem


def target(name):
    portfolio, _, account = name.partition("/")
    place = Place(owner_id=1, portfolio_id=1, name="~1")
    return Target(portfolio=portfolio, account=account, place=place)


ALL = [target(name) for name in ("P/A", "P/B", "Q/A", "Q/P/A")]


def test_an_account_is_named_with_its_portfolio_or_alone_where_that_is_clear():
    assert _chosen(ALL, None) == ALL
    assert _chosen(ALL, "P/A") == [ALL[0]]
    assert _chosen(ALL, "Q/P/A") == [ALL[3]]
    assert _chosen(ALL, "B") == [ALL[1]]


def test_an_unclear_or_unknown_name_is_refused():
    with pytest.raises(SetupProblem, match="one of several: name it as “P/A”"):
        _chosen(ALL, "A")
    with pytest.raises(SetupProblem, match="no connected account “C”"):
        _chosen(ALL, "C")


def test_a_name_that_several_people_gave_is_not_asked_for_once_more():
    both = [target("P/A"), target("P/A"), target("P/B")]
    with pytest.raises(SetupProblem, match="the name of several accounts: press Sync on the page"):
        _chosen(both, "P/A")
    assert _chosen(both, "P/B") == [both[2]]
