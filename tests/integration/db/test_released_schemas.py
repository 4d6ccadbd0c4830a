"""Every schema that was released comes to the present one with all that was in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from hashlib import sha256

import pytest
from sqlalchemy.engine import make_url

from portfolio.db.upgrade import newest_revision
from tests.conftest import fresh_database, postgres_tools
from tests.integration.conftest import make_desk
from tests.integration.db.released import REVISIONS, SCHEMAS, VERSIONS, answers, contents, load
from tests.integration.test_cli import run

# table and column -> why a later schema may change what an older one stored.
CHANGED: dict[tuple[str, str], str] = {}


def released():
    lines = (SCHEMAS / "released.txt").read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in map(str.split, lines)}


def test_a_released_migration_is_never_edited():
    for name, digest in released().items():
        assert sha256((VERSIONS / name).read_bytes()).hexdigest() == digest, name


def test_what_was_released_has_no_gap_and_its_newest_schema_is_kept():
    numbers = [name[:4] for name in sorted(released())]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    assert REVISIONS[-1] == numbers[-1]


def unchanged(columns):
    return {
        table: [name for name in names if (table, name) not in CHANGED]
        for table, names in columns.items()
    }


@pytest.fixture
def open_desk(tmp_path):
    """Starts the present program on a database, and ends it."""

    def opened(url):
        environ = {
            "FOLIOSYNC_DATA_DIR": str(tmp_path / "data"),
            "FOLIOSYNC_DATABASE_URL": url,
            "FOLIOSYNC_TIMEZONE": "UTC",
        }
        return make_desk(environ)

    return opened


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_released_schema_comes_to_the_present_one_with_all_its_rows(
    database_url, open_desk, revision
):
    load(revision, database_url)
    columns, _ = contents(database_url)
    _, before = contents(database_url, unchanged(columns))
    for desk in open_desk(database_url):
        _, after = contents(database_url, unchanged(columns))
        assert after == before
        assert contents(database_url, {"alembic_version": ["version_num"]})[1] == {
            "alembic_version": [f"('{newest_revision()}',)"]
        }
        for path, then in answers(revision).items():
            assert_has(desk.program.get(path).json, then, path)
        for path in ("/", "/connections", "/settings", "/portfolio/1/accounts/A"):
            page = desk.program.get(path, headers={"Accept": "text/html"})
            assert page.status_code == 200, path


# What depends on the time at which somebody asks.
OF_THE_MOMENT = {"age_seconds", "is_stale"}
PORTFOLIO = re.compile(r"/api/v1/portfolios(/\d+|\.items\[\d+\])")


def assert_has(now, then, where):
    """All that an older program said is said still; more may be."""
    if isinstance(then, dict):
        for key in then.keys() - OF_THE_MOMENT:
            said = then[key]
            if key == "incomplete" and PORTFOLIO.fullmatch(where):
                # It says no profit that could be without something.
                said = [each for each in said if ": P&L without" not in each]
            assert_has(now[key], said, f"{where}.{key}")
    elif isinstance(then, list):
        assert len(now) == len(then), where
        for number, (new, old) in enumerate(zip(now, then, strict=True)):
            assert_has(new, old, f"{where}[{number}]")
    else:
        assert now == then, where


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_copy_of_an_older_program_comes_back_on_an_empty_machine(tmp_path, revision):
    old = tmp_path / "old.db"
    load(revision, f"sqlite:///{old}")
    columns, before = contents(f"sqlite:///{old}")
    first, second, copy = tmp_path / "first", tmp_path / "second", tmp_path / "copy.db"
    for done in (
        run("restore", str(old), data=first),
        run("backup", str(copy), data=first),
        run("restore", str(copy), data=second),
    ):
        assert done.returncode == 0, done.stderr
    shutil.rmtree(first)
    _, after = contents(f"sqlite:///{second / 'foliosync.db'}", unchanged(columns))
    assert after == before
    # The copy that was brought back is as it was.
    assert contents(f"sqlite:///{old}", columns)[1] == before


@pytest.mark.postgres
def test_a_dump_of_postgresql_comes_back_in_another_database(postgres_url, open_desk, tmp_path):
    dump = tmp_path / "dump"
    with fresh_database(postgres_url) as first, fresh_database(postgres_url) as second:
        load(REVISIONS[-1], first)
        for _ in open_desk(first):
            columns, before = contents(first)
        tool("pg_dump", first, "--format=custom", f"--file={dump}")
        tool("pg_restore", second, "--no-owner", "--exit-on-error", str(dump))
        for _ in open_desk(second):
            assert contents(second, columns)[1] == before


def tool(name, url, *arguments):
    at = make_url(url)
    where = [f"--host={at.host}", f"--port={at.port}", f"--username={at.username}"]
    program = shutil.which(name) or str(postgres_tools() / name)
    subprocess.run(
        [program, *where, f"--dbname={at.database}", *arguments],
        check=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PGPASSWORD": at.password or ""},
    )
