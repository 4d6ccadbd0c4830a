"""The command `user`, as an operator types it."""

from __future__ import annotations

import io
import sys

import pytest
from sqlalchemy import text

from portfolio import cli
from portfolio.db.base import db
from portfolio.users.passwords import Passwords
from tests.integration.conftest import CHEAP, make_desk
from tests.integration.users.people import ANNA, BEN, PASSWORD, Browser, person


@pytest.fixture
def house(environ, monkeypatch):
    """A running application, and the environment in which commands reach its database."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("portfolio.users.passwords.Passwords.__init__", _cheap)
    for desk in make_desk(environ, passwords=CHEAP):
        person(desk.app)
        yield desk


_init = Passwords.__init__


def _cheap(self, *_args, **_more):
    _init(self, passes=1, kibibytes=8)


@pytest.fixture
def run(monkeypatch, capsys):
    def typed(*arguments, said=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        status = cli.main(["user", *arguments])
        written = capsys.readouterr()
        return status, written.out + written.err

    return typed


def test_a_user_is_added_and_sees_what_is_theirs(house, run):
    status, said = run("add", BEN, said=f"{PASSWORD}\n")
    assert (status, said) == (0, "“Ben” may sign in.\n")
    ben = Browser(house.app)
    ben.sign_in(BEN)
    assert ben.is_in
    form = {"name": "P", "base_currency": "USD"}
    made = ben.post("/portfolio/new", "/portfolio/new", **form).headers["Location"]
    form = {"name": "A", "currency": "USD"}
    made = ben.post(f"{made}/accounts/~new", f"{made}/accounts/~new", **form).headers["Location"]
    shown = ben.get(f"{made}/edit").get_data(as_text=True)
    # The gateways of others lead to what is theirs: there is none of one's own yet.
    assert "You have no gateway yet" in shown
    assert "Test connection" not in shown
    pages = ("/connections", "/settings", "/rates", "/settings/account")
    assert [ben.get(path).status_code for path in pages] == [200] * len(pages)


@pytest.mark.parametrize("action", ["password", "disable"])
def test_every_login_of_a_user_ends_at_once(house, run, action):
    anna = Browser(house.app)
    anna.sign_in()
    assert run(action, "anna", said="another long password\n")[0] == 0
    assert not anna.is_in
    assert anna.sign_in().status_code == 422
    changed = anna.sign_in(password="another long password").status_code
    assert changed == (303 if action == "password" else 422)


def test_a_new_password_lets_a_disabled_user_in_again(house, run):
    run("disable", ANNA)
    assert "Anna: disabled" in run("list")[1]
    run("password", ANNA, said="another long password\n")
    assert Browser(house.app).sign_in(password="another long password").status_code == 303


@pytest.mark.parametrize(("more", "left"), [([], 1), (["--end-tokens"], 0)])
def test_a_new_password_ends_tokens_where_that_is_wanted(house, run, more, left):
    assert cli.main(["token", "create", "cron", "--scope", "read"]) == 0
    assert run("password", *more, ANNA, said="another long password\n")[0] == 0
    with house.app.app_context(), db.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM api_token")).scalar_one() == left


def test_users_are_listed(house, run):
    run("add", BEN, said=f"{PASSWORD}\n")
    status, said = run("list")
    assert status == 0
    assert said.startswith("Anna: active; added ")
    assert "\nBen: active; added " in said


REFUSED = [
    (("add", "anna"), PASSWORD, "There is a user of this name."),
    (("add", " x"), PASSWORD, "A name has no spaces at its ends and is not empty."),
    (("add", BEN), "short", "A password has at least 12 characters"),
    (("add", BEN), "", "A password has at least 12 characters"),
    (("password", "nobody"), PASSWORD, "There is no such user. The command “foliosync user list”"),
    (("password", "\x00"), PASSWORD, "There is no such user."),
    (("disable", "nobody"), "", "There is no such user."),
]


def test_what_cannot_be_ends_in_one_sentence(house, run):
    for arguments, typed, sentence in REFUSED:
        status, said = run(*arguments, said=f"{typed}\n")
        assert status == 1, arguments
        assert said.startswith(f"foliosync: {sentence}")
        assert said.count("\n") == 1
    assert Browser(house.app).sign_in().status_code == 303


def test_a_terminal_asks_twice_and_shows_nothing(house, run, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    asked = []
    answers = iter([PASSWORD, "something else", PASSWORD, PASSWORD])
    monkeypatch.setattr(
        "portfolio.user_commands.getpass", lambda text: asked.append(text) or next(answers)
    )
    monkeypatch.setattr(io, "StringIO", Terminal)
    status, said = run("add", BEN)
    assert (status, said) == (
        1,
        "foliosync: The two passwords differ; nothing was changed.\n",
    )
    assert run("add", BEN)[0] == 0
    assert asked == ["New password of Ben: ", "Once more: "] * 2


def test_a_new_code_is_printed_where_one_is_needed(house, run, tmp_path, monkeypatch):
    assert run("code") == (
        0,
        "No code is needed: there is a first user already, or logins are off.\n",
    )
    monkeypatch.setenv("FOLIOSYNC_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    status, said = run("code")
    assert status == 0
    assert said.startswith("Open /login/first and enter this code, once and within an hour: ")


def test_who_restores_a_copy_ends_the_logins_in_it(house, tmp_path):
    anna = Browser(house.app)
    anna.sign_in()
    copy = str(tmp_path / "copy.db")
    assert cli.main(["backup", copy]) == 0
    anna.post("/logout", "/")
    with house.app.app_context():
        db.session.remove()
        db.engine.dispose()
    assert cli.main(["restore", copy]) == 0
    with house.app.app_context(), db.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM login_session")).scalar_one() == 0
