"""Faults of the wire on real TLS sockets: nothing half read is ever taken for an account."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from brokers import http, trust
from brokers.http import RealNetwork
from brokers.ibkr.simulator import Simulator, routes
from brokers.ibkr.simulator.server import serve
from portfolio.app import create_app, prepare_database
from portfolio.db.base import db
from portfolio.settings import Settings
from tests.integration.conftest import Desk
from tests.proof.proxy import Toxic, proxied
from tests.proof.test_faults import summed
from tests.proof.troubles import meanwhile
from tests.proof.world import LATER, Schedule, World, settings, trim

# So long a call may take while there is a fault, and so long while there is none.
SHORT, LONG = 0.5, 60.0
PAGE = 20
UNREACHED = frozenset({"gateway_unreachable", "gateway_silent"})
# Bytes that one sync brings, with its handshake.
ONE_SYNC = 70_000


class HurriedClock:
    """Real time, in which whoever sleeps has slept at once."""

    def __init__(self) -> None:
        self._start = LATER
        self._began = time.monotonic()
        self._skipped = 0.0

    def now(self) -> datetime:
        return (self._start + timedelta(seconds=self.monotonic())).astimezone(UTC)

    def monotonic(self) -> float:
        return time.monotonic() - self._began + self._skipped

    def turn(self, seconds: float) -> None:
        self._skipped += seconds

    sleep = turn


def refuses(world, proxy, gateway):
    """R1"""
    if world.rng.random() < 0.5:
        proxy.deaf()
        world.notes["mend"] = proxy.listen
    else:
        proxy.toxic = Toxic(shut=world.rng.choice((1, 2, 50)))


def hangs(world, proxy, gateway):
    """R2"""
    proxy.toxic = Toxic(hang=world.rng.choice((1, 2, 50)))


def drips(world, proxy, gateway):
    """R3"""
    size = world.rng.randint(1, 400)
    proxy.toxic = Toxic(size=size, pause=world.rng.choice((0.001, 0.01, 0.1)))


def resets(world, proxy, gateway):
    """R4"""
    after, times = world.rng.randint(0, ONE_SYNC), world.rng.choice((1, 2, 50))
    proxy.toxic = Toxic(after=after, cut="reset", times=times)


def half_closes(world, proxy, gateway):
    """R4"""
    after, times = world.rng.randint(0, ONE_SYNC), world.rng.choice((1, 2, 50))
    cut = world.rng.choice(("half", "close"))
    proxy.toxic = Toxic(after=after, cut=cut, times=times)


def short_bodies(world, proxy, gateway):
    """R4"""
    handler, passing = gateway.server._handler, [world.rng.randint(0, 8)]
    missing, usual = world.rng.random(), handler._handle
    # A list without its end is none; `[]` in front of what is missing would be one.
    ends = world.rng.random() < 0.3

    def handle(self):
        passing[0] -= 1
        if passing[0] >= 0:
            usual(self)
            return
        status, _, body = self._answer(b"")
        part = b"[]" if ends else body[: int(len(body) * missing)]
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) + 3}\r\n\r\n"
        self.wfile.write(head.encode() + part)
        self.close_connection = True

    handler.do_GET = handler.do_POST = handle

    def mend():
        del handler.do_GET, handler.do_POST

    world.notes["mend"] = mend


def restarts_with_another_certificate(world, proxy, gateway):
    """R28"""
    simulator, server = gateway.simulator, gateway.server

    def restart(_, reply):
        simulator.state.certificate = 1
        server.follow()
        return reply

    if world.rng.random() < 0.5:
        restart("", None)
    else:
        # The next connection meets it; the one that is open goes on.
        world.on("/ledger", restart)
        proxy.toxic = Toxic(after=world.rng.randint(0, ONE_SYNC), cut="reset", times=50)


WIRES = {
    refuses: UNREACHED,
    hangs: UNREACHED,
    drips: UNREACHED,
    resets: UNREACHED,
    half_closes: UNREACHED,
    short_bodies: UNREACHED | {"bad_answer"},
    restarts_with_another_certificate: UNREACHED | {"certificate_changed"},
}


class Street:
    """A gateway on a TLS socket behind a proxy."""

    def __init__(self, simulator, server):
        self.simulator = simulator
        self.server = server


@contextmanager
def opened(template, folder, rng):
    """The application of this process, on a copy of the prepared data, and sockets behind it."""
    shutil.copytree(template, folder)
    clock = HurriedClock()
    simulator = Simulator(clock, limits=False)
    with serve(simulator) as server, proxied(server.port) as proxy:
        environ = {"FOLIOSYNC_IBKR_GATEWAY_URL": f"https://127.0.0.1:{proxy.port}"}
        network = RealNetwork(clock)
        app: Flask = create_app(
            Settings.load(settings(folder) | environ), clock=clock, network=network
        )
        prepare_database(app)
        desk = Desk(app=app, clock=clock, simulator=simulator, network=network)
        trim(desk)
        world = World(desk=desk, database=folder / "foliosync.db", rng=rng)
        try:
            yield world, proxy, Street(simulator, server)
        finally:
            app.extensions["foliosync"].stop()
            with app.app_context():
                db.session.remove()
                db.engine.dispose()
            shutil.rmtree(folder)


@pytest.mark.parametrize("wire", WIRES, ids=lambda of: f"{of.__doc__} {of.__name__}")
def test_old_or_new_on_the_wire(
    wire, template, tmp_path, effort, draw, figure, request, monkeypatch
):
    monkeypatch.setattr(routes, "PER_PAGE", PAGE)
    tally: Counter[str] = Counter()
    name = request.node.callspec.id
    for number in range(effort(ci=5, full=100)):
        with opened(template, tmp_path / f"{number}", draw(name, number)) as (world, *around):
            try:
                play(wire, world, around, tally, monkeypatch)
            except AssertionError as error:
                seed = request.config.getoption("seed")
                error.add_note(f"{name} number {number} of --seed {seed}")
                raise
        tally["schedules"] += 1
    figure(f"{name}: schedules", summed(tally))


def play(wire, world, around, tally, monkeypatch):
    def patient(seconds):
        monkeypatch.setattr(http, "DEADLINE", seconds)
        monkeypatch.setattr(trust, "HANDSHAKE", min(seconds, 5))

    def install(world):
        patient(SHORT)
        wire(world, *around)
        meanwhile(world)

    def mend():
        patient(LONG)
        around[0].toxic = Toxic()
        world.notes.pop("mend", lambda: None)()

    world.calm_also = mend
    world.calm()
    # The first contact pins the certificate.
    assert world.sync().status_code == 200
    Schedule(world, WIRES[wire], tally).run(install)
