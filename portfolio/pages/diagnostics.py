"""What may be posted in public when something does not work: an allow-list, and nothing beside it.

Each value is a version, a count, a time, or a word of a closed list. Names, ids, addresses, texts
and amounts are never read into it.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

import portfolio
from brokers.registry import BUILT_IN
from portfolio.connections.models import Target
from portfolio.db.base import Base
from portfolio.db.keycheck import uses
from portfolio.db.keyfile import KeyFile
from portfolio.db.session import read_only
from portfolio.db.upgrade import is_known
from portfolio.errors import DomainError
from portfolio.options import OPTIONS, PREFIX
from portfolio.pages import states
from portfolio.web.runtime import EXTENSION, Runtime

PACKAGES = (
    *("apprise", "apscheduler", "cryptography", "flask", "flask-smorest", "marshmallow"),
    *("msgspec", "psycopg", "requests", "sqlalchemy", "urllib3", "waitress", "werkzeug"),
)
SYSTEMS = ("Linux", "Darwin", "Windows", "FreeBSD")
NUMBER = re.compile(r"\d+(\.\d+){0,3}", re.ASCII)


def bundle(app: Flask) -> dict[str, Any]:
    """The whole of it; a part that cannot be read says with which kind of failure."""
    of: Runtime = app.extensions[EXTENSION]
    parts: dict[str, Callable[[Session], Any]] = {
        "settings": lambda _: settings(of),
        "database": database,
        "brokers": lambda _: adapters(of),
        "keys": lambda session: keys(session, of),
        "notifications": lambda session: notifications(session, of),
        "jobs": lambda _: jobs(of),
        "gateways": lambda session: states.gateways(session, of.outside.brokers),
        "connections": states.connections,
        "runs": states.runs,
    }
    found: dict[str, Any] = {
        "foliosync": portfolio.__version__,
        "made_at": of.clock.now().isoformat(timespec="seconds"),
        "system": system(),
    }
    with app.app_context():
        for name, read in parts.items():
            found[name] = _part(read)
    return found


def _part(read: Callable[[Session], Any]) -> Any:
    try:
        with read_only() as session:
            return read(session)
    except DomainError as error:
        return {"failed": error.code}
    except Exception as error:  # noqa: BLE001
        # Its text could name anything; its kind is a word of the program.
        return {"failed": type(error).__name__}


def system() -> dict[str, Any]:
    """The computer, as far as many have the same."""
    name = platform.system()
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "system": name if name in SYSTEMS else "other",
        # Who builds a kernel can write anything behind its numbers.
        "release": _number(platform.release()),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "packages": {each: _version(each) for each in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return _number(version(package))
    except PackageNotFoundError:
        return None


def _number(said: str) -> str:
    found = NUMBER.match(said)
    return found.group() if found else "other"


def settings(of: Runtime) -> dict[str, Any]:
    """Whether each is set, and the value of those that are words of a list or small numbers."""
    return {
        PREFIX + option.name: {
            "set": option.name in of.settings.sources,
            **({"value": of.settings.shown(option)} if option.public else {}),
        }
        for option in OPTIONS
    }


def database(session: Session) -> dict[str, Any]:
    """Which kind it is, its schema, and how many rows there are of each kind."""
    dialect = session.get_bind().dialect
    revision = session.scalar(text("SELECT version_num FROM alembic_version"))
    server = getattr(dialect, "server_version_info", None) or ()
    return {
        "kind": dialect.name,
        "version": ".".join(map(str, server)),
        "schema": revision if is_known(revision) else "other",
        "rows": {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        },
    }


def adapters(of: Runtime) -> dict[str, Any]:
    """The built-in adapters that loaded, and how many others did or did not."""
    loaded, failed = set(of.outside.brokers.brokers), set(of.outside.brokers.failed)
    return {
        "loaded": sorted(loaded & set(BUILT_IN)),
        "plug_ins": len(loaded - set(BUILT_IN)),
        "not_loaded": len(failed),
    }


def keys(session: Session, of: Runtime) -> dict[str, Any]:
    """Whether all that is sealed can be opened; neither a key nor its id."""
    sealer, used = of.sealer, uses(session)
    ids = sealer.ids()
    return {
        "source": "file" if isinstance(sealer.keys, KeyFile) else "environment",
        "keys": len(ids),
        "sealed": sum(used.values()),
        "unreadable": sum(count for each, count in used.items() if each not in ids),
    }


def notifications(session: Session, of: Runtime) -> dict[str, Any]:
    """How many targets there are."""
    own = session.scalar(select(func.count()).select_from(Target))
    return {"environment": len(of.settings.notify_urls), "own": own}


def jobs(of: Runtime) -> Mapping[str, Any]:
    """What background work does in this process."""
    found = of.jobs()
    return {name: found.get(name) for name in ("mode", "running", "leader")}
