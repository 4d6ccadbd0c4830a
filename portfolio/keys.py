"""The command `key`: which keys there are, a new one, and the rotation."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask
from sqlalchemy import select

from portfolio.db.keycheck import KeyCheck, uses
from portfolio.db.keyfile import KeyFile
from portfolio.db.rotation import rotate
from portfolio.db.sealing import Sealer
from portfolio.db.session import read_only
from portfolio.web.runtime import EXTENSION, Runtime


def status(app: Flask) -> Iterator[str]:
    """Where the keys are, how much is sealed with each, and what is missing."""
    sealer = _sealer(app)
    with app.app_context(), read_only() as session:
        used, known = uses(session), set(session.scalars(select(KeyCheck.key_id)))
    ids = sealer.ids()
    yield f"Keys: {sealer.keys.where}"
    for place, each in enumerate(ids):
        what = "in use" if not place else "former"
        yield f"  {each}  {what}, {_counted(used[each])}"
    for each in sorted((known | set(used)).difference(ids, {""})):
        yield f"  {each}  MISSING, {_counted(used[each])}: bring it back, or enter them again"
    if used[""]:
        yield f"  {_counted(used[''])} that cannot be read: damaged"
    if isinstance(sealer.keys, KeyFile) and sealer.keys.rotates():
        yield "A rotation has begun and is not over: run `foliosync key rotate`."


def change(app: Flask) -> Iterator[str]:
    """Rotate the keys; says what was done and what is left to do."""
    runtime: Runtime = app.extensions[EXTENSION]
    with app.app_context():
        done = rotate(runtime.sealer, runtime.clock.now())
    yield f"{_counted(done.sealed)} sealed anew. The key in use is {done.key}."
    if done.removed:
        yield f"Removed: {', '.join(done.removed)}."
        yield f"Make a new copy of {runtime.sealer.keys.where}."
    elif not isinstance(runtime.sealer.keys, KeyFile):
        yield "All others can be removed from FOLIOSYNC_ENCRYPTION_KEYS now."
    if done.unreadable:
        yield f"{_counted(done.unreadable)} could not be opened: enter them again on Settings."


def _sealer(app: Flask) -> Sealer:
    runtime: Runtime = app.extensions[EXTENSION]
    return runtime.sealer


def _counted(number: int) -> str:
    return f"{number} secret{'' if number == 1 else 's'}"
