from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from portfolio.jobs.leader import DatabaseLeader, FileLeader, leader_of
from portfolio.settings import Settings
from tests.e2e.conftest import wait_until

ROOT = Path(__file__).parents[4]


@pytest.fixture(params=["file", pytest.param("database", marks=pytest.mark.postgres)])
def candidates(request, tmp_path):
    if request.param == "file":
        made = [FileLeader(tmp_path / "lock") for _ in range(4)]
    else:
        url = request.getfixturevalue("postgres_url")
        made = [DatabaseLeader(url) for _ in range(4)]
    yield made
    for each in made:
        each.release()


def test_of_four_one_leads_and_another_follows(candidates):
    assert [each.hold() for each in candidates] == [True, False, False, False]
    assert [each.hold() for each in candidates] == [True, False, False, False]
    candidates[0].release()
    assert [each.hold() for each in candidates[1:]] == [True, False, False]
    assert candidates[0].hold() is False


def test_a_process_that_is_killed_leads_no_more(tmp_path):
    file = tmp_path / "lock"
    code = (
        "import sys; from pathlib import Path; from portfolio.jobs.leader import FileLeader\n"
        "print(FileLeader(Path(sys.argv[1])).hold() or 'no', flush=True); sys.stdin.read()"
    )
    # The object must live as long as the process: what is collected is closed.
    code = code.replace(
        "print(FileLeader(Path(sys.argv[1]))", "it = FileLeader(Path(sys.argv[1]))\nprint(it"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "True\n"
        ours = FileLeader(file)
        assert not ours.hold()
        other.kill()
        other.wait()
        assert ours.hold()
    ours.release()


def test_a_file_that_was_replaced_guards_nothing(tmp_path):
    first, second = FileLeader(tmp_path / "lock"), FileLeader(tmp_path / "lock")
    assert first.hold()
    (tmp_path / "lock").unlink()
    assert second.hold()
    assert not first.hold()
    second.release()
    assert first.hold()
    first.release()


def test_a_file_that_cannot_be_opened_has_no_leader_and_the_log_says_so_once(tmp_path, caplog):
    file = tmp_path / "gone" / "lock"
    leader, said = FileLeader(file), f"no background work here: {file}: No such file or directory"
    assert not leader.hold()
    assert not leader.hold()
    assert caplog.messages == [said]
    file.parent.mkdir()
    assert leader.hold()
    leader.release()
    file.unlink()
    file.parent.rmdir()
    assert not leader.hold()
    assert caplog.messages == [said, said]


@pytest.mark.postgres
def test_who_loses_the_connection_loses_the_lead(postgres_url):
    first, second = DatabaseLeader(postgres_url), DatabaseLeader(postgres_url)
    assert first.hold()
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        )
    admin.dispose()
    # The server ends a session some time after it was told to.
    wait_until(second.hold)
    assert not first.hold()
    second.release()
    assert first.hold()
    first.release()


def test_a_server_that_is_not_there_has_no_leader(free_port):
    assert not DatabaseLeader(f"postgresql+psycopg://t@127.0.0.1:{free_port}/t").hold()


def test_the_lock_is_where_the_database_is(tmp_path):
    environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path / "mine")}
    shared = {**environ, "FOLIOSYNC_DATABASE_URL": f"sqlite:///{tmp_path / 'shared.db'}"}
    assert leader_of(Settings.load(shared))._file == tmp_path / "shared.db.jobs.lock"
    assert leader_of(Settings.load(environ))._file.parent == tmp_path / "mine"
    server = {"FOLIOSYNC_DATABASE_URL": "postgresql+psycopg://t@127.0.0.1/t"}
    assert isinstance(leader_of(Settings.load(server)), DatabaseLeader)
