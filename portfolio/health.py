"""Whether the program on this computer is well, asked from outside of it: `foliosync health`."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from portfolio.jobs.lead import is_led
from portfolio.settings import LOOPBACK, Settings

DEADLINE = 10


def of_web(settings: Settings) -> tuple[str, bool]:
    """Ask the web process of these settings whether it is ready; a sentence, and if it is well."""
    # Who listens on all addresses also listens on this one, which is always one of our names.
    host = settings.host if settings.host in LOOPBACK else "127.0.0.1"
    try:
        with closing(HTTPConnection(host, settings.port, timeout=DEADLINE)) as connection:
            connection.request("GET", "/readyz", headers={"Accept": "application/json"})
            answer = connection.getresponse()
            said = json.load(answer)
            if answer.status != 200:
                return f"Not ready: {said['error']['message']}", False
            led = said["jobs"]["led"]
    except (KeyError, TypeError):
        found = f"Another program answers on port {settings.port}"
    except (OSError, HTTPException, ValueError) as error:
        found = f"Nobody answers on port {settings.port} ({type(error).__name__})"
    else:
        return f"Ready; background work is {'done' if led else 'done by nobody'}.", True
    return f"{found}: start Foliosync, or name its port by --port or FOLIOSYNC_PORT.", False


def of_worker(settings: Settings) -> tuple[str, bool]:
    """Whether any process does the background work of this database."""
    try:
        engine = create_engine(settings.database, poolclass=NullPool)
    except (SQLAlchemyError, ImportError):
        return "FOLIOSYNC_DATABASE_URL cannot be used; `foliosync db upgrade` says why.", False
    try:
        with Session(engine) as session:
            led = is_led(settings, session)
    except SQLAlchemyError:
        return "The database does not answer.", False
    return ("Background work is done." if led else "Nobody does the background work."), led
