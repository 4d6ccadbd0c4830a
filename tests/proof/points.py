"""Named points of the real program at which it ends itself, as a power cut would."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

import brokers.ibkr

# The file that says at which point the program ends, and what it does at all.
FILE, GROUP, HURRY = "PROOF_KILL_FILE", "PROOF_KILL_GROUP", "PROOF_HURRY"
STATEMENT = "any statement"
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A moment of a task: before or after a function is called, by its thread of that task."""

    name: str
    where: str
    side: str = AFTER
    within: str | None = None


# The functions that a task starts with; its thread is known by them until its commit is done.
TASKS = {
    "sync": {
        "begin": "portfolio.sync.services:begin",
        "store": "portfolio.sync.services:store",
        "contact": "portfolio.connections.runner:record_contact",
    },
    "undo": {"undo": "portfolio.connections.decisions:undo"},
    "import": {"import": "portfolio.accounts.services.transfer:plan_import"},
    "upgrade": {"upgrade": "portfolio.db.migrating:run_migrations"},
    "copy": {},
}
CLIENT = "brokers.ibkr.client:GatewayClient"
APPLY = "portfolio.sync.apply"
POINTS = {
    "sync": (
        Point(name="gateway taken", where="portfolio.connections.watch:Watch._take"),
        Point(name="before the first call", where=f"{CLIENT}.open"),
        Point(name="signed in", where=f"{CLIENT}.session"),
        Point(name="a page was read", where=f"{CLIENT}.positions"),
        Point(
            name="before the second look",
            where="brokers.ibkr.adapter:GatewayConnection.witness",
            side=BEFORE,
        ),
        Point(name="certificate pinned", where="portfolio.connections.gateways:_remember"),
        Point(name="all is read", where="portfolio.sync.services:store", side=BEFORE),
        Point(name="holdings", where=f"{APPLY}:write_holdings", within="store"),
        Point(name="cash", where=f"{APPLY}:_write_cash", within="store"),
        Point(name="journal", where="portfolio.sync.journal:record", within="store"),
        Point(name="totals", where="portfolio.accounts.services.totals:store", within="store"),
        Point(name="read back", where=f"{APPLY}:_read_back", within="store"),
        Point(name="before give back", where="portfolio.sync.services:give_back", side=BEFORE),
        Point(name="after give back", where="portfolio.sync.services:give_back"),
        Point(name="answering", where="portfolio.connections.views.connections:synced"),
    ),
    "undo": (
        Point(name="taken back", where="portfolio.sync.journal:take_back"),
        Point(name="totals", where="portfolio.accounts.services.totals:touch", within="undo"),
        Point(name="answering", where="portfolio.connections.views.runs:decided"),
    ),
    "import": (
        Point(name="planned", where="portfolio.accounts.services.transfer:plan_import"),
        Point(name="a row", where="portfolio.accounts.services.transfer:_write_holding"),
        Point(name="totals", where="portfolio.accounts.services.transfer:touch"),
    ),
    "upgrade": (
        Point(name="copied", where="portfolio.db.upgrade:copy_aside"),
        Point(name="migrated", where="portfolio.db.migrating:run_migrations"),
    ),
    "copy": (
        Point(name="before verifying", where="portfolio.db.backup:verify", side=BEFORE),
        Point(name="verified", where="portfolio.db.backup:verify"),
        Point(name="kept", where="portfolio.db.backup:_keep"),
    ),
}
OF_SYNC = (
    "begin: committing",
    "begin: committed",
    *(point.name for point in POINTS["sync"]),
    "store: committing",
    "store: committed",
    "contact: committing",
)
_task = threading.local()
_hits: Counter[str] = Counter()


def arm(file: Path, name: str, number: int, nonce: object) -> None:
    """Have the program end when it comes to a point for this time; `nonce` begins to count."""
    file.write_text(f"{name}\n{number}\n{nonce}", encoding="utf-8")


def reached(name: str) -> None:
    """End here, if this is the point."""
    try:
        armed = Path(os.environ[FILE]).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    wanted, _, rest = armed.partition("\n")
    if wanted != name:
        return
    _hits[armed] += 1
    if _hits[armed] == int(rest.partition("\n")[0]):
        os.kill(os.getpid(), signal.SIGKILL)


def install(group: str) -> None:
    """Put the points of a task into the program that is about to run."""
    for name, where in TASKS[group].items():
        _wrap(where, _begins(name))
    for point in POINTS[group]:
        _wrap(point.where, _ends_at(point))
    event.listen(Engine, "before_cursor_execute", lambda *_: reached(STATEMENT))
    event.listen(Engine, "commit", lambda *_: _reached_by_task("committing"))
    event.listen(Session, "after_commit", lambda *_: _reached_by_task("committed"))


def _reached_by_task(what: str) -> None:
    name = getattr(_task, "name", None)
    if name is not None:
        reached(f"{name}: {what}")
        _task.name = name if what == "committing" else None


def _begins(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def marked(*args: Any, **more: Any) -> Any:
            _task.name = name
            return function(*args, **more)

        return marked

    return around


def _ends_at(point: Point) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **more: Any) -> Any:
            ours = point.within in (None, getattr(_task, "name", None))
            if ours and point.side == BEFORE:
                reached(point.name)
            answer = function(*args, **more)
            if ours and point.side == AFTER:
                reached(point.name)
            return answer

        return watched

    return around


def _wrap(where: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    module, _, path = where.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    setattr(owner, name, around(getattr(owner, name)))


def hurry() -> None:
    """Keep no pace with the gateway: a simulated one without limits does not mind."""
    brokers.ibkr.MANIFEST = replace(brokers.ibkr.MANIFEST, limits=())
