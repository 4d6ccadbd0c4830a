"""Several processes that start at once on one database that none of them has prepared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from portfolio.db.upgrade import newest_revision
from portfolio.web.signing import signing_key

ROOT = Path(__file__).parent.parent.parent
TOGETHER = 2
# Each waits for the others with its finger on the trigger: loading takes unequal times.
START = """
import sys
from portfolio.app import create_app, prepare_database
from portfolio.settings import Settings
settings = Settings.load()
print("ready", flush=True)
sys.stdin.readline()
prepare_database(create_app(settings))
print("done", flush=True)
"""


def starting(environ):
    return subprocess.Popen(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_start_together_prepare_the_database_once(database_url, tmp_path):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FOLIOSYNC_")}
    environ |= {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_DATABASE_URL": database_url}
    together = [starting(environ) for _ in range(TOGETHER)]
    for process in together:
        assert process.stdout.readline() == "ready\n"
    for process in together:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in together:
        said, failed = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "done\n"), failed
    assert found(database_url) == (newest_revision(), 1, 1)
    assert len(signing_key(tmp_path / "secret.key")) == 64
    assert not list(tmp_path.glob("*.part"))


def found(database_url):
    engine = create_engine(database_url)
    with engine.connect() as connection:
        counted = (
            connection.scalar(text(statement))
            for statement in (
                "SELECT version_num FROM alembic_version",
                'SELECT count(*) FROM "user"',
                "SELECT count(*) FROM gateway",
            )
        )
        answer = tuple(counted)
    engine.dispose()
    return answer


@pytest.mark.parametrize("links", [True, False])
def test_a_key_that_another_process_has_made_is_kept(tmp_path, monkeypatch, links):
    file, other = tmp_path / "secret.key", "a" * 64
    link = os.link

    def raced(part, to):
        Path(to).write_text(other, encoding="ascii")
        if not links:
            raise OSError(95, "Operation not supported")
        link(part, to)

    monkeypatch.setattr("portfolio.web.signing.os.link", raced)
    assert signing_key(file) == other
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]
