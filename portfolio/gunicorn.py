"""The configuration of gunicorn: `gunicorn -c python:portfolio.gunicorn` needs no more words.

In a checkout `gunicorn wsgi:app` finds it as well. gunicorn reads the names of this module; what
stands on its command line wins.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from portfolio.errors import SetupProblem
from portfolio.serving import THREADS, address, begin, end, share_arenas, start_logging
from portfolio.settings import LOOPBACK, Settings


def _settings() -> Settings:
    try:
        return Settings.load()
    except SetupProblem as problem:
        sys.exit(f"foliosync: {problem}")


bind = address(_settings())
wsgi_app = "portfolio:create_app()"
worker_class = "gthread"
threads = THREADS
# A sync under way has this long; one that is cut short stores nothing and is begun anew.
graceful_timeout = 30
# Whom to believe is FOLIOSYNC_TRUSTED_PROXIES: gunicorn itself believes nobody.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
# A line per request would hold what stands in URLs.
accesslog = None
# It would be a file in somebody's home.
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Bring the database up to date once, and print the first user's code, before any worker."""
    settings = _settings()
    _check_addresses(server.cfg.address, settings)
    _run("db", "upgrade")
    if settings.has_logins:
        _run("user", "code")


def _run(*command: str) -> None:
    # A process of its own: nothing that is open now may be shared by the workers.
    done = subprocess.run([sys.executable, "-m", "portfolio.cli", *command], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _check_addresses(addresses: list[Any], settings: Settings) -> None:
    """Refuse to listen where the settings do not say so: they decide who must sign in."""
    allowed = {*LOOPBACK, settings.host}
    for bound in addresses:
        if isinstance(bound, tuple) and bound[0] not in allowed:
            sys.exit(
                f"foliosync: gunicorn would listen on {bound[0]}, but FOLIOSYNC_HOST is "
                f"{settings.host}. Set the address there, and leave out --bind."
            )


def post_fork(_server: Any, _worker: Any) -> None:
    """Log as the other commands do, and share memory among threads."""
    start_logging()
    share_arenas()


def post_worker_init(worker: Any) -> None:
    """Begin with background work once the application is loaded; one worker of all does it."""
    begin(worker.wsgi)


def worker_exit(_server: Any, worker: Any) -> None:
    """End background work with the worker, also where the application could not be loaded."""
    if getattr(worker, "wsgi", None) is not None:
        end(worker.wsgi)
