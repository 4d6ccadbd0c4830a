"""Templates name the addresses that Flask would write, and share what is there before them."""

from __future__ import annotations

import pytest
from flask import Flask, render_template_string, url_for
from jinja2 import DictLoader

from portfolio.web import templating

ASKED = [
    ("home", {}),
    ("home", {"q": "a b & c"}),
    ("home", {"_external": True}),
    ("home", {"_external": True, "_scheme": "ftp"}),
    ("account", {"key": 1, "name": "Büro & /co"}),
    ("account", {"key": True, "name": "A"}),
    ("account", {"key": 1, "name": "A"}),
    ("account", {"name": "A", "key": 1, "page": 2, "_anchor": "cash"}),
    ("account", {"key": 1, "name": "A", "page": None}),
]
ROOTS = ["", "/folio", "/Büro"]


@pytest.fixture
def app():
    app = Flask(__name__)
    app.jinja_environment = templating.Environment
    app.add_url_rule("/", "home", lambda: "")
    app.add_url_rule("/portfolio/<key>/accounts/<path:name>", "account", lambda **_: "")
    templating.register(app)
    return app


def test_addresses_are_those_of_flask_below_every_root(app):
    named = app.jinja_env.globals["url_for"]
    for _ in range(2):
        for root in ROOTS:
            more = {"SCRIPT_NAME": root, "HTTP_HOST": f"{len(root)}.example"}
            with app.test_request_context("/", environ_overrides=more):
                for endpoint, values in ASKED:
                    assert named(endpoint, **values) == url_for(endpoint, **values)


def test_an_address_is_written_once(app, monkeypatch):
    written, write = [], app.url_for
    monkeypatch.setattr(
        app, "url_for", lambda *of, **more: (written.append(of), write(*of, **more))[1]
    )
    for _ in range(3):
        with app.test_request_context("/"):
            assert render_template_string("{{ url_for('home') }}{{ url_for('home') }}") == "//"
    assert written == [("home",)]


def test_macros_see_what_all_templates_share_and_nothing_of_others(app):
    app.jinja_loader = DictLoader(
        {
            "macro": "{% macro link() %}{{ url_for('home') }}{{ own }}{% endmacro %}",
            "page": "{% from 'macro' import link %}{% set own = 1 %}{{ link() }}",
        }
    )
    with app.test_request_context("/"):
        page = app.jinja_env.get_template("page")
        assert page.render(own=2) == "/"
        assert app.jinja_env.get_template("macro", globals={"own": 3}).globals["own"] == 3
    assert "own" not in app.jinja_env.globals
