"""How a server keeps its memory small."""

from __future__ import annotations

import gc
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from portfolio.errors import SetupProblem
from portfolio.serving import ARENAS, EXTENSION, SELDOM, begin, check_port, loading
from portfolio.settings import Settings

ROOT = Path(__file__).parent.parent.parent.parent
# Each thread holds memory of its own while the others do; glibc then tells of its arenas.
THREADS_THAT_ALLOCATE = """
import ctypes, sys, threading
from portfolio.serving import share_arenas
share_arenas()
together = threading.Barrier(8)
def hold():
    kept = bytearray(50_000)
    together.wait(20)
    return kept
threads = [threading.Thread(target=hold) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc")
@pytest.mark.parametrize(("said", "few"), [({}, True), ({"MALLOC_ARENA_MAX": "8"}, False)])
def test_threads_share_their_arenas_unless_the_environment_says_otherwise(tmp_path, said, few):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")} | said
    file = tmp_path / "arenas.xml"
    subprocess.run(
        [sys.executable, "-c", THREADS_THAT_ALLOCATE, str(file)],
        cwd=ROOT,
        env=environ,
        check=True,
        timeout=60,
    )
    arenas = file.read_text(encoding="ascii").count("<heap nr=")
    assert (arenas <= ARENAS) == few


def test_loading_looks_for_no_garbage_and_leaves_the_collector_as_it_was():
    before = gc.get_freeze_count()
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_a_server_looks_for_garbage_seldom():
    class Quiet:
        settings = Settings.load({"FOLIOSYNC_JOBS": "off"})

    app, before = Flask(__name__), gc.get_threshold()
    app.extensions[EXTENSION] = Quiet()
    try:
        begin(app)
        assert gc.get_threshold()[0] == SELDOM
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@pytest.mark.parametrize("host", ["[127.0.0.1]", "203.0.113.1"])
def test_an_address_of_another_computer_is_said_to_be_one(host, free_port):
    given = {"FOLIOSYNC_AUTH": "password", "FOLIOSYNC_PORT": str(free_port)}
    with pytest.raises(SetupProblem, match=re.escape(f"FOLIOSYNC_HOST: '{host}' is")):
        check_port(Settings.load(given | {"FOLIOSYNC_HOST": host}))
    check_port(Settings.load(given | {"FOLIOSYNC_HOST": "127.0.0.1"}))
