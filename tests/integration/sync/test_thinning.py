"""Old runs that changed nothing go, and no answer about the past goes with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select, update

from portfolio.accounts.models import Account
from portfolio.clock import Moment
from portfolio.connections.linked import linked_accounts
from portfolio.db.base import db
from portfolio.db.session import end_reading, read_only, unit_of_work
from portfolio.errors import StorageFailed
from portfolio.jobs.daily import A_FEW, OldRuns
from portfolio.sync import past, thinning
from portfolio.sync.decisions import shown_since, why_not_undo
from portfolio.sync.models import Change, SyncRun
from portfolio.sync.services import _differed
from portfolio.sync.thinning import STAYS_WHOLE, thin

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 1, 15, tzinfo=UTC)
AGREES, DIFFERS = {"status": "agrees"}, {"status": "differs"}
EVIDENCE = {"empty": False, "doubts": {}, "shrunk": [], "saw": "x"}
APPLIED = {"status": "succeeded", "reconciliation": AGREES, "evidence": EVIDENCE, "digest": "d"}
FAILED = {"status": "failed", "reconciliation": {}, "reason": "gateway_unreachable"}
REJECTED = {"status": "rejected", "reconciliation": AGREES, "reason": "emptied"}
KINDS = {
    "same": APPLIED,
    "warned": {**APPLIED, "warnings": ["certificate_stock"]},
    "differs": {**APPLIED, "reconciliation": DIFFERS},
    "changed": {**APPLIED, "changed": 1},
    "moved cash": APPLIED,
    "counted": {**APPLIED, "added": 1},
    "failed": FAILED,
    "interrupted": {**FAILED, "status": "interrupted", "reason": "interrupted"},
    "signed out": {**FAILED, "reason": "not_authenticated"},
    "empty": {**REJECTED, "evidence": {**EVIDENCE, "empty": True}},
    "not empty": {**REJECTED, "evidence": EVIDENCE},
    "kept": {**REJECTED, "evidence": EVIDENCE, "kept": {"positions": []}},
    "undo": {**APPLIED, "origin": "undo"},
    "decision": {**APPLIED, "origin": "decision"},
}
# Two runs of an account never begin at the same time.
MINUTES = st.sampled_from((1, 30, 30, 30, 400, 1500, 20_000))
RUNS = st.tuples(st.sampled_from((*["same"] * 6, *sorted(KINDS))), MINUTES)
# Of several on a day some go; in the end an account is likely to look empty again and again.
HISTORIES = st.builds(
    lambda runs, last: [*runs, *last],
    st.lists(RUNS, min_size=8, max_size=60),
    st.lists(st.tuples(st.sampled_from((*["empty"] * 9, *sorted(KINDS))), MINUTES), max_size=8),
)


@pytest.fixture
def book(anywhere, monkeypatch):
    """A connected account without a run, of which fewer than usual count as the newest."""
    for module in (past, thinning):
        monkeypatch.setattr(module, "MOST_RUNS", 3)
    anywhere.account()
    anywhere.turn()
    url = anywhere.account("A")
    assert anywhere.connect(url).status_code == 201
    with anywhere.app.app_context():
        yield anywhere


def write(history):
    """Replace all runs by these; returns when the last one began."""
    at = START
    with unit_of_work() as session:
        session.execute(delete(SyncRun))
        for number, (kind, minutes) in enumerate(history):
            at += timedelta(minutes=minutes)
            run = SyncRun(
                id=f"{number:032x}",
                account_id=1,
                started_at=at,
                finished_at=at + timedelta(seconds=3),
                lease_until=at,
                **KINDS[kind],
            )
            if kind == "undo" and number > 2:
                # What is pointed at must stay, whatever it is.
                run.concerns = f"{number - 3:032x}"
            session.add(run)
            session.flush()
            if kind in ("changed", "moved cash"):
                session.add(change_of(run))
    return at


def change_of(run):
    return Change(
        run_id=run.id, source="ibkr", subject="cash", label="USD", field="amount", new=run.id
    )


def ids():
    with read_only() as session:
        return list(session.scalars(select(SyncRun.id).order_by(SyncRun.id)))


def answers(zone):
    """All that the program and its owner can ask about the past of the account."""
    with read_only() as session:
        runs = list(session.scalars(select(SyncRun).order_by(SyncRun.started_at, SyncRun.id)))
        changes = list(session.scalars(select(Change).order_by(Change.id)))
        written = {of.run_id for of in changes}
        by_hand = [of for of in runs if of.origin in ("undo", "decision")]
        lasting = [of for of in runs if of.id in written or of.added or of.kept] + by_hand
        known = linked_accounts(session, [session.get_one(Account, 1)])[1]
        return {
            "changes": [(of.run_id, of.label, of.new) for of in changes],
            "last read of each day": days(runs, zone, "succeeded"),
            "first and last failure": failures(runs, zone),
            "what each day was told": {(day_of(of, zone), *said(of)) for of in runs},
            "undone": [
                (of.id, shown_since(session, of), why_not_undo(session, of)) for of in lasting
            ],
            "pointed at": [(of.id, of.concerns) for of in lasting],
            "emptied": past.emptied_before(session, 1, None),
            "evidence": past._last_evidence(session, 1, None),
            "differed": _differed(session, SyncRun(id="new", account_id=1)),
            "newest": known.run,
            "applied": known.applied,
        }


def day_of(run, zone):
    return run.started_at.astimezone(zone).date()


def said(run):
    return run.status, run.reason, tuple(run.warnings), run.reconciliation.get("status")


def days(runs, zone, status):
    """What was held on a day is what the last run of it read."""
    read = [of for of in runs if of.status == status]
    return {day_of(of, zone): (of.id, of.finished_at, *said(of)) for of in read}


def failures(runs, zone):
    failed = [of for of in runs if of.status in ("failed", "rejected", "interrupted")]
    last = {(day_of(of, zone), *said(of)): of.id for of in failed}
    first = {(day_of(of, zone), *said(of)): of.id for of in reversed(failed)}
    return first, last


def after_undoing(undone, zone):
    """The answers when some runs are taken back, and everything as before again."""
    session = db.session
    session.execute(update(SyncRun).where(SyncRun.id.in_(undone)).values(status="undone"))
    session.commit()
    found = answers(zone)
    session.execute(update(SyncRun).where(SyncRun.id.in_(undone)).values(status="succeeded"))
    session.commit()
    return found


def check_answers(book, history, taken_back, later, zone):
    now = write(history) + timedelta(days=later)
    with read_only() as session:
        changed = list(session.scalars(select(Change.run_id).order_by(Change.run_id)))
    undone = [of for n, of in enumerate(changed) if taken_back >> n & 1]
    before = answers(zone), after_undoing(undone, zone)
    whole = ids()
    gone = sum(thin(now, zone))
    assert (answers(zone), after_undoing(undone, zone)) == before
    assert len(ids()) == len(whole) - gone
    # Who looks again finds nothing more.
    assert list(thin(now, zone)) == []


@pytest.mark.parametrize("zone", [UTC, BERLIN])
def test_every_answer_about_the_past_is_as_before(book, zone):
    @settings(max_examples=60)
    @given(HISTORIES, st.integers(0, 2**20), st.sampled_from((31, 90, 5)))
    def check(history, taken_back, later):
        check_answers(book, history, taken_back, later, zone)

    check()


BUSY_DAY = [("same", 30)] * 5 + [("changed", 30)] + [("same", 30)] * 4 + [("failed", 30)] * 5
LATER = STAYS_WHOLE + timedelta(days=2)
# At the same time of a day, five weeks after the one before.
MONTH = [("same", 35 * 24 * 60 - 15 * 30), *BUSY_DAY]


def test_what_stays_of_a_busy_day(book):
    now = write([*BUSY_DAY, *[("same", 2_000)] * 3]) + LATER
    assert sum(thin(now, UTC)) == 4 + 3 + 3
    kept = [int(of, 16) for of in ids()]
    assert kept == [4, 5, 9, 10, 14, 15, 16, 17]


def test_nothing_goes_within_thirty_days(book):
    now = write([*BUSY_DAY, *[("same", 2_000)] * 3])
    assert list(thin(now + timedelta(days=20), UTC)) == []


def test_the_newest_runs_stay_however_old_they_are(book):
    write([("same", 1)] * 3)
    assert list(thin(START + timedelta(days=3_000), UTC)) == []


@pytest.mark.parametrize(
    "history",
    [
        # Looked at by the next run: the newest three, of which the oldest is none of a day's ends.
        [*[("empty", 30)] * 4, ("failed", 1_500)],
        # A person may still decide upon it.
        [("not empty", 30), ("kept", 30), ("not empty", 30), *[("same", 1_500)] * 3],
    ],
)
def test_what_is_still_asked_for_stays(book, history):
    now = write(history) + LATER
    before = answers(UTC)
    list(thin(now, UTC))
    assert answers(UTC) == before


def test_runs_of_several_accounts_are_looked_at_apart(book):
    book.account("B")
    now = write([*BUSY_DAY, *[("same", 2_000)] * 3]) + LATER
    with unit_of_work() as session:
        other = session.scalars(select(Account.id).where(Account.name == "B")).one()
        session.execute(update(SyncRun).where(SyncRun.id < f"{5:032x}").values(account_id=other))
    # Those of B are of one day, and its newest are among them.
    assert sum(thin(now, UTC)) == 3 + 3


def test_a_thinning_that_is_stopped_leaves_whole_days(book):
    """Each month is a transaction: what broke off is as it was, and the next turn ends it."""
    history = [*MONTH * 3, *[("same", 2_000)] * 3]
    now = write(history) + LATER
    deletes = count(1)

    def fail(_connection, _cursor, statement, *_):
        if statement.startswith("DELETE FROM sync_run") and next(deletes) == 2:
            raise StorageFailed("The disk is full.")

    whole = ids()
    event.listen(db.engine, "after_cursor_execute", fail)
    with pytest.raises(StorageFailed):
        list(thin(now, UTC))
    event.remove(db.engine, "after_cursor_execute", fail)
    month = len(MONTH)
    assert ids()[month - 11 :] == whole[month:]
    list(thin(now, UTC))
    after = ids()
    write(history)
    list(thin(now, UTC))
    assert after == ids()


def test_the_job_works_in_turns_and_once_a_day(book, caplog):
    caplog.set_level("INFO")
    now = write([*MONTH * (A_FEW + 2), *[("same", 2_000)] * 3]) + LATER
    moments = [Moment.at(now + timedelta(days=days), UTC) for days in (0, 0, 0, 1)]
    job = OldRuns(iter(moments).__next__, UTC)
    told = []
    for _ in moments:
        caplog.clear()
        job()
        told.append([of.getMessage() for of in caplog.records if "old runs" in of.message])
    first, second, *rest = told
    assert first == [f"old runs that changed nothing: {11 * A_FEW} removed"]
    assert second == ["old runs that changed nothing: 22 removed"]
    assert rest == [[], []]


def test_a_list_that_is_read_on_after_the_thinning_goes_on(book):
    now = write([*BUSY_DAY * 4, *[("same", 2_000)] * 3]) + LATER
    page = book.program.get("/api/v1/portfolios/1/accounts/A/runs?limit=5").json
    assert sum(thin(now, UTC)) > 5
    # The request's own session would show what it saw before.
    end_reading()
    rest = book.program.get(
        f"/api/v1/portfolios/1/accounts/A/runs?limit=50&cursor={page['next_cursor']}"
    )
    assert rest.status_code == 200
    assert rest.json["next_cursor"] is None
    gone = book.program.get(f"/api/v1/runs/{0:032x}")
    assert gone.status_code == 404
