"""What the running program is made of, as handlers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy.orm import Session

from brokers.contract import Clock
from portfolio.clock import Moment
from portfolio.db.base import db
from portfolio.db.sealing import Sealer
from portfolio.settings import Settings
from portfolio.web.identity import Identify, identity

EXTENSION = "foliosync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Built once by the composition root and never changed.

    `links_of` reads connections of accounts, `outside` reaches brokers and `runner` runs syncs;
    they belong to slices that this module must not know. `fetch_rates` brings the file of
    reference rates. `owner_of` reads the first user, for whom commands act, and `identify` reads
    who asks. `passwords` hashes and verifies passwords, and `furnish` stores what each new user
    needs. `send` brings a title and a body to the targets of NOTIFY_URLS and returns how many of
    them took it; it may take half a minute. `deliver` does so for addresses of people, which it is
    given first, and stays away from the hosts and ports that it is given last; `understands` tells
    whether an address is one, and `turns` who may ask that now. `sealer` seals what is secret.
    `start` begins with periodic work, `stop` ends all background work, and `jobs` says what it
    does now. `demo` is the simulated gateway, in the demo only.
    """

    settings: Settings
    clock: Clock
    zone: ZoneInfo
    outside: Any
    runner: Any
    links_of: Callable[[Session, Sequence[int]], Mapping[int, Any]]
    owner_of: Callable[[Session], int]
    identify: Identify
    passwords: Any
    furnish: Callable[[Session, int, datetime], None]
    fetch_rates: Callable[[], bytes]
    send: Callable[[str, str], int]
    deliver: Callable[[Sequence[str], str, str, Sequence[tuple[str, int]]], int]
    understands: Callable[[str], bool]
    turns: Any
    sealer: Sealer
    start: Callable[[], None]
    stop: Callable[[], None]
    jobs: Callable[[], Mapping[str, Any]]
    demo: Any = None


def runtime() -> Runtime:
    """The runtime of the current application."""
    found: Runtime = current_app.extensions[EXTENSION]
    return found


def moment() -> Moment:
    """Now, and the owner's day."""
    return Moment.at(runtime().clock.now(), runtime().zone)


def reading() -> Session:
    """The request's own session, for reading only."""
    return db.session()


def owner_id() -> int:
    """On whose behalf this request acts; `LoginRequired` where nobody is signed in."""
    return identity().user_id
