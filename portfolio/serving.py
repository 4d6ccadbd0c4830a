"""What every server does around the application: logs, background work, and its memory."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from portfolio.errors import SetupProblem
from portfolio.redaction import install
from portfolio.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

    from portfolio.web.runtime import Runtime

THREADS = 32
# After how many new objects Python looks for garbage among them. With its 700, a sync of ten
# thousand rows looks through all its rows again and again, and every page waits for that.
SELDOM = 10_000
# Twice what any of our routes takes, which is the largest file.
LARGEST_REQUEST = 16_000_000
# How many connections may be open: a browser makes six, and macOS gives a process 256 files. Who
# says nothing for so many seconds makes room for others, which is looked for as often; a request
# that is being answered, however long that takes, is not meant. As long lasts what browsers and
# proxies keep open for their next request, and they notice when it ends.
CONNECTIONS, SILENT, LOOKED_FOR = 200, 30, 5
GATEWAYS_PORT = 5000
# The numbers by which glibc knows its most arenas, and from which size on a block is a mapping of
# its own (malloc.h); and how many and how large we let them be.
M_ARENA_MAX, ARENAS = -8, 2
M_MMAP_THRESHOLD, LARGE = -3, 128 * 1024
# The same as in `portfolio.web.runtime`, whose import takes longer than all that needs no server.
EXTENSION = "foliosync"


def start_logging() -> None:
    """Log to the terminal, without secrets and what libraries say of each of their steps."""
    install()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # One tells of each step, the other of each beat.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("waitress.queue").addFilter(_is_long)


def _is_long(record: logging.LogRecord) -> bool:
    """Whether as many requests wait as are answered: a page makes some wait for a moment."""
    depth = record.args[0] if isinstance(record.args, tuple) and record.args else None
    return not isinstance(depth, int) or depth >= THREADS


@contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage among what is loaded here, then or later: it stays for good."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def share_arenas() -> None:
    """Let all threads take their memory from the same two places, and give large blocks back.

    To be called before there are threads. glibc gives each one a place of its own, which then
    keeps what the largest page of that thread took: with as many threads as ours, a multiple of
    what is used at any time. And once a large block was freed, it takes blocks up to that size
    from these places, which then cannot shrink any more. Other libraries of C do not do that and
    have no such call.
    """
    if os.name != "posix":
        return
    # Imported here: only a server needs it.
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    wanted = {"ARENA_MAX": (M_ARENA_MAX, ARENAS), "MMAP_THRESHOLD_": (M_MMAP_THRESHOLD, LARGE)}
    for name, setting in wanted.items():
        if mallopt is not None and f"MALLOC_{name}" not in os.environ:
            mallopt(*setting)


def begin(app: Flask) -> None:
    """Start what runs beside the requests; the application is loaded and ready."""
    runtime: Runtime = app.extensions[EXTENSION]
    if runtime.settings.jobs == "embedded":
        runtime.start()
    # What is loaded by now stays for good: looking through it again would only hold requests up.
    gc.collect()
    gc.freeze()
    gc.set_threshold(SELDOM)


def end(app: Flask) -> None:
    """Let background work end, and another process take it over."""
    runtime: Runtime = app.extensions[EXTENSION]
    runtime.stop()


def serve(app: Flask, settings: Settings, announcement: str) -> None:
    """Serve until Ctrl-C, or until somebody asks the process to end."""
    tell_code(app)
    share_arenas()
    server = server_of(app, settings)
    print(f"{announcement}. Ctrl-C stops it.", flush=True)
    # `kill`, the end of a session and systemd say it so, and it would end us between two lines.
    signal.signal(signal.SIGTERM, _stop)
    try:
        begin(app)
        server.run()
    finally:
        end(app)


def server_of(app: Flask, settings: Settings) -> Any:
    """What listens where the settings say, and is yet to run."""
    from waitress.server import create_server

    from portfolio.bodies import receive

    receive()
    return create_server(
        app,
        host=settings.host,
        port=settings.port,
        threads=THREADS,
        ident=None,
        connection_limit=CONNECTIONS,
        channel_timeout=SILENT,
        cleanup_interval=LOOKED_FOR,
        # It keeps a body on the disk before anybody has looked who sends it. What is a little too
        # large comes to us all the same: our answer says what to do.
        max_request_body_size=LARGEST_REQUEST,
        # Whom to believe is decided by us, who must see that there was a proxy at all.
        clear_untrusted_proxy_headers=False,
    )


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def tell_code(app: Flask) -> bool:
    """Print the code with which the first user is made, where there are logins and nobody yet."""
    from portfolio.users.setup import fresh_code

    code = fresh_code(app)
    if code:
        print(
            f"Open /login/first and enter this code, once and within an hour: {code}", flush=True
        )
    return code is not None


def address(settings: Settings) -> str:
    """Host and port as they stand in a URL."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def check_port(settings: Settings) -> None:
    """Refuse a port that is the gateway's or somebody else's, with one sentence."""
    if settings.port == GATEWAYS_PORT:
        raise SetupProblem(
            f"Port {GATEWAYS_PORT} is the gateway's, and Foliosync never takes it: choose another "
            "one with --port."
        )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise SetupProblem(
                    f"FOLIOSYNC_HOST: {settings.host!r} is not an address of this computer."
                ) from None
            raise SetupProblem(
                f"Port {settings.port} cannot be used ({error.strerror}): "
                "choose another one with --port."
            ) from None
