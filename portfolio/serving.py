"""What every server does around the application: logs, background work, and its memory."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from portfolio.web.runtime import Runtime

# The same as in `portfolio.web.runtime`, whose import takes longer than all that needs no server.
EXTENSION = "foliosync"


def start_logging() -> None:
    """Log to the terminal, without what libraries say of each of their steps."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # One tells of each step, the other of each beat.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def begin(app: Flask) -> None:
    """Start what runs beside the requests; the application is loaded and ready."""
    runtime: Runtime = app.extensions[EXTENSION]
    if runtime.settings.jobs == "embedded":
        runtime.start()
    # What is loaded by now stays for good: looking through it again would only hold requests up.
    gc.collect()
    gc.freeze()


def end(app: Flask) -> None:
    """Let background work end, and another process take it over."""
    runtime: Runtime = app.extensions[EXTENSION]
    runtime.stop()
