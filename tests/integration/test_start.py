"""What a start loads: nothing that is not used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portfolio.web.openapi import Blueprint

ROOT = Path(__file__).parent.parent.parent
# Package or module -> when it is loaded instead.
NOT_AT_START = {
    "alembic": "when there is something to migrate",
    "flask_migrate": "with Alembic",
    "mako": "with Alembic",
    "pygments": "with Alembic",
    "argon2": "when a password is hashed",
    "segno": "when a second step is set up",
    "pyotp": "when a code of the second step is checked",
    "xml.etree": "when reference rates are read",
    "tomllib": "when there is a settings file",
    "apprise": "in a process of its own",
    "psycopg": "when the database is PostgreSQL",
    "sqlalchemy.dialects.postgresql": "when the database is PostgreSQL",
    "brokers.ibkr.simulator": "in the demo",
    "brokers.testing": "in tests",
    "brokers.ibkr.adapter": "when a gateway is asked",
    "portfolio.doctor": "by its command",
}
NOT_FOR_HELP = (
    *("flask", "werkzeug", "jinja2", "sqlalchemy", "marshmallow", "requests", "urllib3"),
    *("cryptography", "apscheduler", "waitress", "portfolio.app", "portfolio.db"),
)
UPGRADE = "from portfolio.cli import main; main(['db', 'upgrade'])"
A_PAGE = """
from portfolio import create_app
from portfolio.app import prepare_database
app = create_app()
prepare_database(app)
assert app.test_client().get("/").status_code == 200
"""
HELP = """
from contextlib import suppress
from portfolio.cli import main
with suppress(SystemExit):
    main(["--help"])
"""
LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def loaded_by(code, folder):
    """The modules of a process of its own after it ran this."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    environ |= {"FOLIOSYNC_DATA_DIR": str(folder), "FOLIOSYNC_JOBS": "off"}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED}"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def among(names, modules):
    return [name for name in names for of in modules if of == name or of.startswith(f"{name}.")]


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """What is loaded once a page was shown, over a database that was up to date."""
    folder = tmp_path_factory.mktemp("start")
    assert among(["alembic"], loaded_by(UPGRADE, folder))
    return loaded_by(A_PAGE, folder)


@pytest.mark.parametrize("name", NOT_AT_START)
def test_what_a_page_does_not_need_is_not_loaded_for_it(started, name):
    assert among([name], started) == []


def test_help_needs_neither_server_nor_database(tmp_path):
    assert among(NOT_FOR_HELP, loaded_by(HELP, tmp_path)) == []


def test_those_who_ask_for_the_document_of_the_api_at_once_all_get_the_whole_of_it(desk):
    """It is written for the first who asks, by one of them."""
    described = {
        rule.rule
        for rule in desk.app.url_map.iter_rules()
        if isinstance(desk.app.blueprints.get(rule.endpoint.partition(".")[0]), Blueprint)
    }

    def ask(_number):
        return set(desk.program.get("/api/openapi.json").json["paths"])

    with ThreadPoolExecutor(4) as pool:
        for paths in pool.map(ask, range(4)):
            assert len(paths) == len(described)
