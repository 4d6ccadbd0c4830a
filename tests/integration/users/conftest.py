"""The application with logins on SQLite, where the database makes no difference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import CHEAP, Desk, guarded_by, make_desk
from tests.integration.users.people import person


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Desk]:
    """Nobody is set up yet."""
    url = f"sqlite:///{tmp_path / 'foliosync.db'}"
    yield from make_desk(guarded_by(url, tmp_path), passwords=CHEAP)


@pytest.fixture
def alone(plain: Desk) -> Desk:
    """Anna may sign in."""
    person(plain.app)
    return plain
