"""What a copy of the database brings along is ended, whoever brought the copy back."""

from __future__ import annotations

import re

from portfolio import cli
from portfolio.errors import SetupProblem
from tests.integration.conftest import guarded_by
from tests.integration.test_cli import run
from tests.integration.users.people import BEN, Browser, person
from tests.integration.users.test_tokens import P, bearer, token


def lives(desk):
    """Anna, signed in, with a token, and the link of an open invitation of hers."""
    person(desk.app)
    anna = Browser(desk.app)
    anna.sign_in()
    form = {"name": "P", "base_currency": "USD"}
    url = anna.post("/portfolio/new", "/portfolio/new", **form).headers["Location"]
    page = anna.post(f"{url}/share", f"{url}/share", name="for Ben").text
    return anna, token(desk, "read"), re.search(r"/invitations/[\w-]+", page)[0]


def test_what_a_copy_brought_along_is_ended(guarded, database_url, tmp_path):
    anna, secret, link = lives(guarded)
    person(guarded.app, BEN)
    ben = Browser(guarded.app)
    ben.sign_in(BEN)
    assert anna.is_in
    assert guarded.program.get(P, **bearer(secret)).status_code == 200
    assert ben.get(link).status_code == 200
    done = run("db", "restored", data=tmp_path, **guarded_by(database_url, tmp_path))
    said = "Every login, token and open invitation of the copy is ended.\n"
    assert (done.returncode, done.stdout) == (0, said), done.stderr
    assert not anna.is_in
    assert not ben.is_in
    assert guarded.program.get(P, **bearer(secret)).status_code == 401
    ben.sign_in(BEN)
    assert ben.get(link).status_code == 404
    anna.sign_in()
    assert anna.is_in


def test_no_moment_of_a_restore_lets_in_what_was_ended(alone, environ, tmp_path, monkeypatch):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    anna, secret, link = lives(alone)
    copy = str(tmp_path / "copy.db")
    assert cli.main(["backup", copy]) == 0
    form = {"name": "Later", "base_currency": "USD"}
    anna.post("/portfolio/new", "/portfolio/new", **form)

    def killed(_settings, **_more):
        raise SetupProblem("Killed before the logins are ended once more.")

    monkeypatch.setattr(cli, "_build", killed)
    assert cli.main(["restore", copy]) == 1
    assert not anna.is_in
    assert alone.program.get(P, **bearer(secret)).status_code == 401
    anna.sign_in()
    assert "Later" not in anna.get("/").text
    assert anna.get(link).status_code == 404
    assert not list(tmp_path.glob("*.part*"))
