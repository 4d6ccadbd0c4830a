"""What runs before have seen, as far as it concerns the next one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from portfolio.connections.models import Connection
from portfolio.db.base import Base
from portfolio.sync.models import SyncRun
from portfolio.sync.past import _last_evidence, emptied_before
from portfolio.sync.services import _differed
from tests.unit.portfolio.sync.builders import NOON

ACCOUNT, OURS, FORMER = 1, 2, 3
DOUBTS = {"CHF": {"value": "9", "since": NOON.isoformat()}}
EMPTY = {"status": "rejected", "evidence": {"empty": True, "doubts": DOUBTS}}
DIFFERED = {"status": "succeeded", "digest": "d", "reconciliation": {"status": "differs"}}


@pytest.fixture
def session():
    """An empty database in which runs refer to whatever they like."""
    engine = create_engine("sqlite://")
    assert Connection.metadata is Base.metadata
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def ran(session):
    """Adds runs, each an hour after the one before."""

    def add(connection, **values):
        at = NOON + timedelta(hours=len(session.query(SyncRun).all()))
        times = {"started_at": at, "finished_at": at, "lease_until": at}
        of = {"account_id": ACCOUNT, "connection_id": connection, "reconciliation": {}}
        session.add(SyncRun(id=f"r{at:%d%H}", **of | times | values))
        session.flush()
        return at

    return add


def test_what_a_former_connection_saw_is_not_what_this_one_saw(session, ran):
    first = ran(FORMER, **EMPTY)
    assert emptied_before(session, ACCOUNT, FORMER) == first
    assert _last_evidence(session, ACCOUNT, FORMER)["doubts"] == DOUBTS
    assert emptied_before(session, ACCOUNT, OURS) is None
    assert _last_evidence(session, ACCOUNT, OURS) == {}
    # Its own runs count from their first one on.
    again = ran(OURS, **EMPTY)
    # A run of the former connection was taken back.
    ran(None, status="succeeded", origin="undo")
    ran(OURS, **EMPTY)
    assert emptied_before(session, ACCOUNT, OURS) == again
    assert _last_evidence(session, ACCOUNT, OURS)["doubts"] == DOUBTS
    ran(OURS, status="succeeded", evidence={"empty": False})
    assert emptied_before(session, ACCOUNT, OURS) is None
    assert _last_evidence(session, ACCOUNT, OURS) == {"empty": False}


def test_that_a_former_connection_did_not_add_up_is_not_the_first_time(session, ran):
    new = SyncRun(id="new", account_id=ACCOUNT, connection_id=OURS)
    assert not _differed(session, new)
    ran(FORMER, **DIFFERED)
    assert not _differed(session, new)
    ran(OURS, **DIFFERED)
    assert _differed(session, new)
    # A run of the former connection was taken back.
    ran(None, **DIFFERED | {"reconciliation": {"status": "unavailable"}, "origin": "undo"})
    assert _differed(session, new)
    ran(OURS, **DIFFERED | {"reconciliation": {"status": "agrees"}})
    assert not _differed(session, new)
