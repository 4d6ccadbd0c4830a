"""The application with logins on SQLite, where the database makes no difference."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from portfolio.app import create_app
from portfolio.clock import SystemClock
from portfolio.db.base import db
from portfolio.db.upgrade import upgrade
from portfolio.settings import Settings
from tests.integration.conftest import CHEAP, Desk, guarded_by, make_desk
from tests.integration.users.people import person


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the current schema, to be copied: making one takes longest of all."""
    folder = tmp_path_factory.mktemp("schema")
    app = create_app(Settings.load({"FOLIOSYNC_DATA_DIR": str(folder)}))
    upgrade(app, None, SystemClock().now())
    with app.app_context():
        db.engine.dispose()
    return folder / "foliosync.db"


@pytest.fixture
def environ(tmp_path: Path, schema: Path) -> dict[str, str]:
    """The settings of an application with logins, whose database is made already."""
    file = shutil.copy(schema, tmp_path / "foliosync.db")
    return guarded_by(f"sqlite:///{file}", tmp_path)


@pytest.fixture
def plain(environ: dict[str, str]) -> Iterator[Desk]:
    """Nobody is set up yet."""
    yield from make_desk(environ, passwords=CHEAP)


@pytest.fixture
def alone(plain: Desk) -> Desk:
    """Anna may sign in."""
    person(plain.app)
    return plain
