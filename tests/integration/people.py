"""Several users of one application, in tests that need no login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from brokers.ibkr.simulator import Simulator
from portfolio.db.session import unit_of_work
from portfolio.users.services import add_user
from portfolio.web.identity import Identity, Kind
from portfolio.web.runtime import EXTENSION
from tests.integration.conftest import Desk


def another(desk: Desk, name: str = "Ben") -> int:
    """A second user; returns the id."""
    with desk.app.app_context(), unit_of_work() as session:
        return add_user(session, name, desk.clock.now()).id


@contextmanager
def acting(desk: Desk, user_id: int) -> Iterator[None]:
    """Let every request be one of this user's."""
    before = desk.app.extensions[EXTENSION]
    whoever = Identity(user_id=user_id, name="somebody", kind=Kind.LOCAL)
    desk.app.extensions[EXTENSION] = replace(before, identify=lambda _session: whoever)
    try:
        yield
    finally:
        desk.app.extensions[EXTENSION] = before


def second_gateway(desk: Desk, port: int = 5001) -> Simulator:
    """Another gateway program beside the desk's own, at a port of its own."""
    own, other = desk.simulator, Simulator(desk.clock)

    def doors(environ: Any, start_response: Any) -> Any:
        at = other if environ["SERVER_PORT"] == str(port) else own
        return at(environ, start_response)

    desk.network.app = doors
    return other


def meanwhile(desk: Desk, what: Callable[[], object]) -> None:
    """Do something once, as somebody else, while the gateway is asked for its accounts."""
    behind = desk.network.app

    def door(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"].endswith("/accounts"):
            desk.network.app = behind
            what()
        return behind(environ, start_response)

    desk.network.app = door
