"""How a server keeps its memory small, and who may hold it up."""

from __future__ import annotations

import gc
import json
import logging
import os
import platform
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from flask import Flask

from portfolio.errors import SetupProblem
from portfolio.serving import (
    ARENAS,
    EXTENSION,
    SELDOM,
    THREADS,
    begin,
    check_port,
    loading,
    start_logging,
)
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


# A server whose silent clients are ended in two seconds, with an answer that takes four.
PATIENT = """
import sys, time
from flask import Flask
from portfolio import serving
from portfolio.settings import Settings
app = Flask("patient")
@app.get("/")
def home():
    return "here"
@app.get("/stream")
def stream():
    def slowly():
        yield b"begun "
        time.sleep(4)
        yield b"and done"
    return app.response_class(slowly())
assert (serving.CONNECTIONS, serving.SILENT + serving.LOOKED_FOR) == (200, 35)
serving.CONNECTIONS, serving.SILENT, serving.LOOKED_FOR = 20, 1, 1
serving.server_of(app, Settings.load({"FOLIOSYNC_PORT": sys.argv[1]})).run()
"""


def test_who_connects_and_says_nothing_makes_room_and_a_stream_goes_on(free_port):
    place = "127.0.0.1", free_port
    server = subprocess.Popen([sys.executable, "-c", PATIENT, str(free_port)], cwd=ROOT)
    with server, ExitStack() as stack:
        stack.callback(server.kill)
        # The first one may come before it listens.
        stream = stack.enter_context(closing(until_it_listens(place)))
        stream.sendall(b"GET /stream HTTP/1.0\r\n\r\n")
        silent = [stack.enter_context(socket.create_connection(place, 20)) for _ in range(30)]
        began = time.monotonic()
        with closing(HTTPConnection(*place, timeout=20)) as other:
            other.request("GET", "/")
            assert other.getresponse().read() == b"here"
        assert time.monotonic() - began < 15
        assert silent[0].recv(1) == b""
        stream.settimeout(20)
        said = b""
        while part := stream.recv(1000):
            said += part
        assert said.endswith(b"begun and done")


def until_it_listens(place):
    for _ in range(200):
        with suppress(ConnectionRefusedError):
            return socket.create_connection(place, 20)
        time.sleep(0.1)
    raise AssertionError("It does not listen.")


# A server whose folder for temporary files is not there, as good as full.
CRAMPED = """
import sys, tempfile
from portfolio import serving
from portfolio.app import create_app, prepare_database
from portfolio.settings import Settings
port, data, tempfile.tempdir = sys.argv[1:]
given = {"DATA_DIR": data, "PORT": port, "JOBS": "off"}
settings = Settings.load({f"FOLIOSYNC_{name}": value for name, value in given.items()})
app = create_app(settings)
prepare_database(app)
serving.server_of(app, settings).run()
"""


def test_a_body_that_finds_no_room_is_answered_and_taken_once_there_is(free_port, tmp_path):
    place, folder = ("127.0.0.1", free_port), tmp_path / "later"
    words = [sys.executable, "-c", CRAMPED, str(free_port), str(tmp_path / "data"), str(folder)]
    body = json.dumps({"name": "N" * 700_000, "base_currency": "EUR"}).encode()
    with subprocess.Popen(words, cwd=ROOT) as server, ExitStack() as stack:
        stack.callback(server.kill)
        until_it_listens(place).close()
        # On one connection: what is let go is not taken for another request.
        other = stack.enter_context(closing(HTTPConnection(*place, timeout=20)))

        def sent(accept="application/json", chunked=False):
            headers = {"Content-Type": "application/json", "Accept": accept}
            parts = [body[:400_000], body[400_000:]] if chunked else body
            url = "/api/v1/portfolios"
            other.request("POST", url, parts, headers, encode_chunked=chunked)
            answer = other.getresponse()
            return answer.status, answer.read().decode()

        for chunked in (False, True):
            status, said = sent(chunked=chunked)
            assert (status, json.loads(said)["error"]["code"]) == (503, "storage_failed")
        assert json.loads(said)["error"]["message"].endswith("folder for temporary files.")
        status, said = sent("text/html")
        assert (status, "TMPDIR" in said, "<html" in said) == (503, True, True)
        folder.mkdir()
        assert sent()[0] == 422


def test_a_gateway_at_our_own_port_is_none(free_port, tmp_path):
    """`not_a_gateway`, 409: “something else answers on that port (this app's own port; …)”.

    It was `gateway_silent`, which heals by itself: waitress waited for the end of a greeting.
    """
    place = "127.0.0.1", free_port
    words = [sys.executable, "-c", CRAMPED, str(free_port), str(tmp_path / "data"), str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT) as server, ExitStack() as stack:
        stack.callback(server.kill)
        until_it_listens(place).close()
        other = stack.enter_context(closing(HTTPConnection(*place, timeout=20)))

        def told(method, url, body=None):
            headers = {"Content-Type": "application/json"}
            other.request(method, url, body and json.dumps(body), headers)
            answer = other.getresponse()
            return answer.status, json.loads(answer.read())

        at = {"url": f"https://localhost:{free_port}"}
        assert told("PATCH", "/api/v1/gateways/1", at)[0] == 200
        status, said = told("GET", "/ibkr/accounts")
        assert (status, said["error"]["code"]) == (409, "not_a_gateway")
        assert "`listenPort`" in said["error"]["remedy"]
        assert "on Settings" in said["error"]["remedy"]
        status, said = told("GET", "/ibkr/test-connection")
        assert (status, said["connected"], said["code"]) == (200, False, "not_a_gateway")
        # A body may begin as it likes, also one that comes after its head.
        head = b"POST /api/v1/portfolios HTTP/1.1\r\nContent-Length: 3\r\nHost: localhost\r\n"
        with closing(socket.create_connection(place, 20)) as raw:
            raw.sendall(head + b"Content-Type: application/json\r\n\r\n")
            time.sleep(0.2)
            raw.sendall(b"\x16\x03\x01")
            assert raw.recv(12) == b"HTTP/1.1 400"


def test_requests_that_wait_are_told_of_once_that_means_trouble(caplog):
    queue = logging.getLogger("waitress.queue")
    start_logging()
    try:
        for depth in (1, THREADS - 1, THREADS):
            queue.warning("Task queue depth is %d", depth)
        queue.warning("something else")
    finally:
        queue.filters.clear()
    assert caplog.messages == [f"Task queue depth is {THREADS}", "something else"]


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
