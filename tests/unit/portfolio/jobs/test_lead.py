from __future__ import annotations

from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from portfolio.health import of_worker
from portfolio.jobs.lead import is_led
from portfolio.jobs.leader import KEY, leader_of
from portfolio.settings import Settings


@pytest.fixture
def settings(database_url, tmp_path):
    return Settings.load(
        {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_DATABASE_URL": database_url}
    )


@contextmanager
def opened(url):
    engine = create_engine(url)
    with Session(engine) as session:
        yield session
    engine.dispose()


def test_others_see_whether_anybody_leads(settings, tmp_path):
    leader = leader_of(settings)
    with opened(settings.database) as session:
        assert not is_led(settings, session)
        assert leader.hold()
        session.rollback()
        assert is_led(settings, session)
        # Looking has not taken anything away.
        assert leader.hold()
        assert of_worker(settings) == ("Background work is done.", True)
        leader.release()
        session.rollback()
        assert not is_led(settings, session)
    assert of_worker(settings) == ("Nobody does the background work.", False)


def test_looking_makes_no_file(tmp_path):
    settings = Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path)})
    with opened("sqlite://") as session:
        assert not is_led(settings, session)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgres
def test_other_locks_are_not_the_lead(postgres_url):
    settings = Settings.load({"FOLIOSYNC_DATABASE_URL": postgres_url})
    with opened(postgres_url) as holder, opened(postgres_url) as session:
        connection = holder.connection()
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({KEY + 1})")
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({KEY >> 32}, {KEY & 0x7FFFFFFF})")
        assert not is_led(settings, session)


def test_a_database_that_is_gone_is_said_in_one_sentence():
    gone = "postgresql+psycopg://test@127.0.0.1:1/nothing"
    settings = Settings.load({"FOLIOSYNC_DATABASE_URL": gone})
    assert of_worker(settings) == ("The database does not answer.", False)


@pytest.mark.parametrize("url", ["nonsense", "mysql://somewhere"])
def test_a_database_that_is_none_is_said_in_one_sentence(url):
    said, well = of_worker(Settings.load({"FOLIOSYNC_DATABASE_URL": url}))
    assert (said.partition(";")[0], well) == ("FOLIOSYNC_DATABASE_URL cannot be used", False)
