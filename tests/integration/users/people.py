"""People with browsers, as the tests of logins need them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from portfolio.db.session import unit_of_work
from portfolio.users.queries import find_user, first_user
from portfolio.users.services import add_user, locked_user, rename, set_password
from portfolio.users.setup import fresh_code
from portfolio.web.runtime import EXTENSION

ANNA, BEN = "Anna", "Ben"
PASSWORD = "correct horse battery"
COOKIE = "foliosync_login"
SAME = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
FORM_TOKEN = re.compile(rb'name="form_token" value="[^"]+"')


def untimed(page: bytes) -> bytes:
    """A page without its form tokens: each carries the second it was made in."""
    return FORM_TOKEN.sub(b"", page)


@dataclass
class Browser:
    """A browser: it keeps cookies, and sends forms with the token of a page."""

    app: Flask
    address: str = "127.0.0.1"
    https: bool = False
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def open(self, path: str, method: str = "GET", **more: Any) -> Any:
        headers = {**SAME, **more.pop("headers", {})}
        base = {"base_url": "https://localhost"} if self.https else {}
        place = {"REMOTE_ADDR": self.address}
        return self.client.open(
            path, method=method, headers=headers, environ_base=place, **base, **more
        )

    def get(self, path: str, **more: Any) -> Any:
        return self.open(path, **more)

    def token(self, page: str) -> str:
        text = self.get(page).get_data(as_text=True)
        return re.search(r'name="form_token" value="([^"]+)"', text)[1]

    def post(self, path: str, page: str, **form: str) -> Any:
        """Send a form of a page."""
        return self.open(path, "POST", data={"form_token": self.token(page), **form})

    def sign_in(self, name: str = ANNA, password: str = PASSWORD, **form: str) -> Any:
        return self.post("/login", "/login", name=name, password=password, **form)

    def cookie(self, name: str = COOKIE) -> str | None:
        found = self.client.get_cookie(name)
        return found.value if found else None

    @property
    def is_in(self) -> bool:
        return self.get("/").status_code == 200


def person(app: Flask, name: str = ANNA, password: str = PASSWORD) -> int:
    """A user who may sign in; the first one is the local owner, renamed."""
    of = app.extensions[EXTENSION]
    hashed = of.passwords.hash(password)
    with app.app_context(), unit_of_work() as session:
        owner = locked_user(session, first_user(session))
        user = find_user(session, name)
        if user is None and owner.password_hash is None:
            user = owner
            rename(session, user, name)
        elif user is None:
            user = add_user(session, name, of.clock.now())
            of.furnish(session, user.id, of.clock.now())
        set_password(session, user, hashed)
        return user.id


def code_of(app: Flask) -> str:
    return fresh_code(app)
