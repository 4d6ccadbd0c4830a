"""Addresses are written as werkzeug would write them, and compiled when first asked for."""

import pytest
from werkzeug.routing import Map, Rule

from portfolio.web.routing import LateRule

RULES = [
    ("/", "home", {}),
    ("/portfolio/<int:key>/accounts/<name>", "account", {}),
    ("/runs/<id>/", "run", {}),
    ("/page/", "page", {"defaults": {"number": 1}}),
    ("/page/<int:number>", "page", {}),
]
ASKED = [
    ("home", {}),
    ("home", {"q": "a b", "sort": ["x", "y"]}),
    ("account", {"key": 7, "name": "Büro & /co"}),
    ("account", {"key": 7, "name": "A", "page": 2}),
    ("run", {"id": "r1"}),
    ("page", {"number": 1}),
    ("page", {"number": 2, "q": None}),
]


def addresses(kind):
    rules = [kind(path, endpoint=endpoint, **more) for path, endpoint, more in RULES]
    return Map(rules).bind("localhost"), rules


@pytest.mark.parametrize(("endpoint", "values"), ASKED)
@pytest.mark.parametrize("append_unknown", [True, False])
def test_addresses_are_those_of_a_plain_rule(endpoint, values, append_unknown):
    plain, _ = addresses(Rule)
    late, _ = addresses(LateRule)
    for _ in range(2):
        written = [
            of.build(endpoint, values, append_unknown=append_unknown) for of in (plain, late)
        ]
        assert written[0] == written[1]


def test_nothing_is_compiled_before_it_is_asked_for(monkeypatch):
    compiled, compile_ = [], Rule._get_func_code

    def noted(code, name):
        compiled.append(name)
        return compile_(code, name)

    monkeypatch.setattr(Rule, "_get_func_code", staticmethod(noted))
    addresses(LateRule)
    assert compiled == []
    addresses(Rule)
    assert compiled
