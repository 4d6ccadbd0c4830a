"""Storage that fails at the worst moment: looked up by the run's id, said later, never half."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, make_url, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from portfolio import cli
from portfolio.app import create_app, prepare_database
from portfolio.connections import gateways
from portfolio.db.base import db
from portfolio.db.session import is_of_storage, storage_error, unit_of_work
from portfolio.db.unsaid import Unsaid
from portfolio.db.upgrade import _mark
from portfolio.errors import (
    SetupProblem,
    StorageBusy,
    StorageDamaged,
    StorageFailed,
    StorageLost,
)
from portfolio.settings import Settings
from portfolio.sync import services as sync
from portfolio.sync.models import RUNNING, SUCCEEDED, SyncRun
from portfolio.users.models import User
from portfolio.web.signing import signing_key
from tests.conftest import fresh_database
from tests.integration.conftest import make_desk

ERROR = {"code": "storage_failed", "message": "It failed.", "remedy": None}


def once(monkeypatch, of, name, error, *, before=False):
    """Let a function of a module fail once; it does its work first, unless it is `before`."""
    original, left = getattr(of, name), [error]

    def failing(*args, **more):
        if before and left:
            raise left.pop()
        found = original(*args, **more)
        if left:
            raise left.pop()
        return found

    monkeypatch.setattr(of, name, failing)


def runs(desk, url):
    api = url.replace("/portfolio", "/api/v1/portfolios")
    return [each["status"] for each in desk.program.get(f"{api}/runs").json["items"]]


def test_a_commit_whose_answer_was_lost_is_looked_up(anywhere, monkeypatch):
    url = anywhere.connected()
    anywhere.simulator.sell("U1234567", "SPY")
    once(monkeypatch, sync, "store", StorageLost("lost"))
    done = anywhere.sync(url)
    assert (done.status_code, done.json["run"]["status"]) == (200, "succeeded")
    assert done.json["run"]["closed"] == 1


def test_a_commit_that_never_came_is_a_failed_run(anywhere, monkeypatch):
    url = anywhere.connected()
    anywhere.simulator.sell("U1234567", "SPY")
    before = anywhere.holdings(url)["holdings"]
    once(monkeypatch, sync, "store", StorageLost("lost"), before=True)
    # The server comes back while the outcome is looked up.
    once(monkeypatch, sync, "has_ended", StorageLost("lost"), before=True)
    done = anywhere.sync(url)
    assert (done.status_code, done.json["error"]["code"]) == (503, "storage_failed")
    assert anywhere.holdings(url)["holdings"] == before
    assert anywhere.sync(url).json["run"]["closed"] == 1
    assert runs(anywhere, url)[:2] == ["succeeded", "failed"]


def test_a_run_that_began_unnoticed_holds_nobody_up(anywhere, monkeypatch):
    url = anywhere.connected()
    original = unit_of_work

    @contextmanager
    def begun():
        monkeypatch.setattr("portfolio.connections.runner.unit_of_work", original)
        with original() as session:
            yield session
        raise StorageLost("lost")

    monkeypatch.setattr("portfolio.connections.runner.unit_of_work", begun)
    assert anywhere.sync(url).status_code == 503
    assert runs(anywhere, url)[0] == "failed"
    assert anywhere.sync(url).json["run"]["status"] == "succeeded"


def test_the_end_of_a_run_that_could_not_be_stored_is_stored_later(anywhere, monkeypatch):
    url = anywhere.connected()
    full = StorageFailed("The database could not be read or written.")
    once(monkeypatch, sync, "store", full, before=True)
    once(monkeypatch, sync, "fail", full, before=True)
    once(monkeypatch, sync, "give_back", full, before=True)
    done = anywhere.sync(url)
    assert (done.status_code, done.json["error"]["code"]) == (503, "storage_failed")
    assert runs(anywhere, url)[0] == "running"
    assert anywhere.sync(url).json["run"]["status"] == "succeeded"
    assert runs(anywhere, url)[:2] == ["succeeded", "failed"]


def test_a_lease_that_cannot_be_given_back_spoils_no_sync(anywhere, monkeypatch):
    url = anywhere.connected()
    once(monkeypatch, sync, "give_back", StorageFailed("full"), before=True)
    for _ in range(2):
        now = anywhere.clock.now()
        assert anywhere.sync(url).json["run"]["status"] == "succeeded"
        # Nobody waits until the lease is over.
        assert (anywhere.clock.now() - now).total_seconds() < 25


def test_a_penalty_that_could_not_be_stored_is_said_and_kept(anywhere, monkeypatch):
    url = anywhere.connected()
    anywhere.simulator.play("rate-limited")
    once(monkeypatch, gateways, "_remember", StorageFailed("full"), before=True)
    assert anywhere.sync(url).json["error"]["code"] == "rate_limited"
    asked = len(anywhere.simulator.requests)
    anywhere.simulator.play("calm")
    assert anywhere.sync(url).json["error"]["code"] == "rate_limited"
    assert len(anywhere.simulator.requests) == asked
    anywhere.turn(1000)
    assert anywhere.sync(url).json["run"]["status"] == "succeeded"


@pytest.mark.parametrize("look", ["fail", "has_ended"])
def test_a_look_waits_for_a_commit_that_is_on_its_way(anywhere, look):
    url = anywhere.connected()
    app, entered = anywhere.app, threading.Event()
    with app.app_context():
        with unit_of_work() as session:
            run = session.query(SyncRun).one()
            run_id, run.status = run.id, RUNNING

        def asks():
            with app.app_context():
                entered.set()
                if look == "has_ended":
                    return sync.has_ended(run_id)
                return sync.fail(run_id, ERROR, anywhere.clock.now(), attention=False)

        with ThreadPoolExecutor(1) as pool, unit_of_work() as session:
            session.get(SyncRun, run_id).status = SUCCEEDED
            session.flush()
            asked = pool.submit(asks)
            entered.wait(30)
            with pytest.raises(TimeoutError):
                asked.result(0.3)
            session.commit()
            found = asked.result(30)
    assert found in (True, None)
    assert runs(anywhere, url) == ["succeeded"]


@pytest.mark.parametrize(
    ("orig", "kind"),
    [
        (sqlite3.OperationalError("database is locked"), StorageBusy),
        (sqlite3.OperationalError("disk I/O error"), StorageFailed),
        (sqlite3.OperationalError("database or disk is full"), StorageFailed),
        (sqlite3.OperationalError("Could not decode to UTF-8 column 'name'"), StorageDamaged),
        (sqlite3.OperationalError("JSON cannot hold BLOB values"), StorageDamaged),
    ],
)
def test_a_failure_of_storage_is_one_of_ours(orig, kind):
    assert type(storage_error(OperationalError("x", None, orig))) is kind


def test_a_damaged_file_is_a_failure_of_storage_and_a_broken_rule_is_not(desk, monkeypatch):
    damaged = DatabaseError("x", None, sqlite3.DatabaseError("database disk image is malformed"))
    assert is_of_storage(damaged)
    assert not is_of_storage(IntegrityError("x", None, sqlite3.IntegrityError("UNIQUE")))

    def broken(*_args, **_more):
        raise damaged

    monkeypatch.setattr("portfolio.pages.queries.overview", broken)
    page = desk.program.get("/", headers={"Accept": "application/json"})
    assert (page.status_code, page.json["error"]["code"]) == (503, "storage_failed")


DAMAGES = [
    ("holding", "quantity"),
    ("holding", "market_value"),
    ("holding", "quoted_at"),
    ("instrument", "expiry"),
    ("cash_balance", "amount"),
    ("account_totals", "net_liquidation"),
    ("account_totals", "by_kind"),
    ("sync_run", "started_at"),
    ("sync_run", "reconciliation"),
]
# No number, no time and no JSON; bytes that are no text; and bytes where a text belongs.
NOTHING, NO_TEXT, BYTES = "'x1{'", "CAST(x'FF41' AS TEXT)", "x'FF41'"
TEXTS = [("instrument", "symbol"), ("instrument", "name"), DAMAGES[0], DAMAGES[-1]]
# Read as the driver gives it, of which nothing else would notice that it is none.
PLAIN = [("account", "currency"), ("portfolio", "name"), ("connection", "broker_account")]
PLAIN += [("gateway", "address"), ("gateway", "state"), ("rate", "source"), ("change", "label")]
PLAIN += [("sync_run", "reason"), ("daily_value", "currency"), ("instrument", "underlying")]
COUNTS = [("account", "likely_twins"), ("sync_run", "added"), ("gateway", "failures")]
SPOILT = [(*of, NOTHING) for of in [*DAMAGES, *COUNTS, ("change", "new")]]
SPOILT += [(*of, BYTES) for of in [*PLAIN, *COUNTS, ("change", "new")]]
SPOILT += [(*of, spoilt) for of in TEXTS for spoilt in (NO_TEXT, BYTES)]


@pytest.mark.parametrize(("table", "column", "spoilt"), SPOILT)
def test_a_damaged_value_is_a_failure_of_storage_until_it_is_mended(desk, table, column, spoilt):
    url = desk.connected()
    api = url.replace("/portfolio", "/api/v1/portfolios")
    reads = [url, f"{url}/syncs", f"{api}/holdings", f"{api}/cash", f"{api}/runs", "/"]
    reads += [f"{api}/export.csv", f"{api}/export.json", f"{api}/values", api]
    run = desk.program.get(f"{api}/runs").json["items"][0]["id"]
    reads += [f"{url}/syncs/{run}", f"/api/v1/runs/{run}/changes", "/metrics", "/connections"]
    reads += [f"/api/v1/{of}" for of in ("portfolios", "gateways", "rates", "instruments")]

    def answers():
        found = [desk.program.get(each, headers={"Accept": "*/*"}) for each in reads]
        assert {each.status_code for each in found} <= {200, 503}
        bodies = [each.text for each in found if each.status_code == 503]
        assert all("storage_failed" in of and "last copy" in of for of in bodies)
        return [each.status_code for each in found]

    def held():
        rows = desk.holdings(url)["holdings"]
        return [(of["instrument"]["symbol"], of["quantity"]) for of in rows]

    good, before = answers(), held()
    assert 503 not in good
    assert before
    with desk.app.app_context(), unit_of_work() as session:
        kept = session.execute(text(f"SELECT rowid, {column} FROM {table}")).all()
        session.execute(text(f"UPDATE {table} SET {column} = {spoilt}"))
        session.execute(update(User).values(held_stamp="damaged"))
    assert 503 in answers()
    # A sync that reads it says so as well, and changes nothing.
    done = desk.sync(url)
    assert done.status_code == 200 or done.json["error"]["code"] == "storage_failed"
    with desk.app.app_context(), unit_of_work() as session:
        for of, value in kept:
            mended = text(f"UPDATE {table} SET {column} = :value WHERE rowid = :id")
            session.execute(mended, {"id": of, "value": value})
        session.execute(update(User).values(held_stamp="mended"))
    assert answers() == good
    assert held() == before
    assert desk.sync(url).json["run"]["status"] == "succeeded"


@pytest.mark.parametrize("spoilt", [NOTHING, NO_TEXT, BYTES])
def test_a_run_whose_record_is_damaged_is_taken_back_once_that_is_mended(desk, spoilt):
    url = desk.connected()
    account = desk.simulator.state.accounts["U1234567"]
    account.find("SPY").quantity += 1
    account.cash["USD"].balance += 1
    run = desk.sync(url).json["run"]["id"]
    before = desk.holdings(url)["holdings"]
    with desk.app.app_context(), unit_of_work() as session:
        kept = session.execute(text("SELECT id, old FROM change WHERE old IS NOT NULL")).all()
        session.execute(text(f"UPDATE change SET old = {spoilt} WHERE old IS NOT NULL"))
    undone = desk.program.post(f"/api/v1/runs/{run}/undo")
    assert (undone.status_code, undone.json["error"]["code"]) == (503, "storage_failed")
    assert "last copy" in undone.json["error"]["remedy"]
    assert desk.holdings(url)["holdings"] == before
    with desk.app.app_context(), unit_of_work() as session:
        for of, old in kept:
            mended = text("UPDATE change SET old = :old WHERE id = :id")
            session.execute(mended, {"old": old, "id": of})
    assert desk.program.post(f"/api/v1/runs/{run}/undo").status_code == 200


def test_who_finds_the_database_locked_hears_when_to_come_back(desk, monkeypatch):
    def busy(*_args, **_more):
        raise StorageBusy("Another process is writing to the database.")

    monkeypatch.setattr("portfolio.pages.queries.overview", busy)
    page = desk.program.get("/", headers={"Accept": "application/json"})
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")


def test_what_is_left_is_said_in_order_and_only_once():
    unsaid, said, full = Unsaid(), [], [True]

    def tell(word):
        def told():
            if full[0]:
                raise StorageFailed("full")
            said.append(word)

        return told

    for word in ("first", "second"):
        with pytest.raises(StorageFailed):
            unsaid.say(tell(word))
    with pytest.raises(StorageFailed):
        unsaid.catch_up()
    full[0] = False
    unsaid.catch_up()
    unsaid.catch_up()
    assert said == ["first", "second"]


def test_a_command_ends_in_one_sentence_where_the_database_fails(tmp_path, monkeypatch, capsys):
    def full(*_args, **_more):
        raise StorageFailed("The database could not be read or written.")

    monkeypatch.setenv("FOLIOSYNC_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("portfolio.app.ensure_owner", full)
    assert cli.main(["db", "upgrade"]) == 1
    assert capsys.readouterr().err.startswith("foliosync: The database could not be read")


def test_an_upgrade_that_cannot_be_written_is_refused_in_one_sentence(tmp_path, monkeypatch):
    def full():
        raise OperationalError("x", None, sqlite3.OperationalError("database or disk is full"))

    app = create_app(Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path)}))
    monkeypatch.setattr("portfolio.db.migrating.run_migrations", full)
    with pytest.raises(SetupProblem, match="disk is full"):
        prepare_database(app)
    with app.app_context():
        db.engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_start_while_the_server_is_down_says_where_it_looked(
    database_url, free_port, tmp_path, monkeypatch, capsys
):
    up = make_url(database_url).set(password="canary-4711")
    monkeypatch.setenv("FOLIOSYNC_DATA_DIR", str(tmp_path))
    for by_query in (False, True):
        down = up.set(port=free_port)
        if by_query:
            down = make_url(
                f"postgresql+psycopg:///{up.database}?host=127.0.0.1&port={free_port}"
                "&user=test&password=canary-4711"
            )
        url = down.render_as_string(hide_password=False)
        monkeypatch.setenv("FOLIOSYNC_DATABASE_URL", url)
        assert cli.main(["db", "upgrade"]) == 1
        said = capsys.readouterr().err
        where = f"127.0.0.1, port {free_port}, database {up.database}"
        begun = f"foliosync: The database server cannot be reached at {where} ("
        assert said.startswith(begun)
        assert said.endswith(
            "). Start it, or check FOLIOSYNC_DATABASE_URL, then try again; nothing was touched.\n"
        )
        assert (said.count("\n"), "canary" in said, "copy" in said) == (1, False, False)
    given = {"DATABASE_URL": up.render_as_string(hide_password=False), "DATA_DIR": str(tmp_path)}
    app = create_app(Settings.load({f"FOLIOSYNC_{name}": value for name, value in given.items()}))
    prepare_database(app)
    with app.app_context():
        db.engine.dispose()


@pytest.mark.postgres
def test_a_server_that_writes_days_and_texts_in_its_own_way_is_understood(postgres_url, tmp_path):
    with fresh_database(postgres_url) as url:
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for setting in ("datestyle = 'German'", "client_encoding = 'LATIN1'"):
                name = make_url(url).database
                connection.execute(text(f"ALTER DATABASE {name} SET {setting}"))
        admin.dispose()
        environ = {"FOLIOSYNC_DATA_DIR": str(tmp_path), "FOLIOSYNC_DATABASE_URL": url}
        for desk in make_desk(environ):
            at = desk.account()
            api = f"/api/v1{at.replace('/portfolio', '/portfolios')}"
            body = {"symbol": "日本", "kind": "bond", "currency": "USD", "quantity": "1"}
            body |= {"expiry": "2027-01-15", "price": "2"}
            assert desk.program.post(f"{api}/holdings", json=body).status_code == 201
            desk.turn(86_400)
            assert desk.program.post(f"{api}/holdings", json=body).status_code == 409
            (row,) = desk.program.get(f"{api}/holdings?text=日").json["holdings"]
            assert row["instrument"]["expiry"] == "2027-01-15"
            assert "日本" in desk.program.get(at, headers={"Accept": "text/html"}).text


@pytest.mark.postgres
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_text_is_refused_and_another_one_is_taken(
    postgres_url, tmp_path, encoding, monkeypatch, capsys
):
    monkeypatch.setenv("FOLIOSYNC_DATA_DIR", str(tmp_path))
    with fresh_database(postgres_url) as url:
        other, name = make_url(url), f"{make_url(url).database}_other"
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            made = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            connection.execute(text(f"CREATE DATABASE {name} {made}"))
        wrong = other.set(database=name).render_as_string(hide_password=False)
        monkeypatch.setenv("FOLIOSYNC_DATABASE_URL", wrong)
        assert cli.main(["db", "upgrade"]) == 1
        said = capsys.readouterr().err
        assert f"The database {name} has the encoding {encoding}" in said
        assert said.count("\n") == 1
        monkeypatch.setenv("FOLIOSYNC_DATABASE_URL", url)
        assert cli.main(["db", "upgrade"]) == 0
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def test_the_mark_of_a_database_is_left_at_a_later_start(desk, tmp_path):
    mark = _mark(tmp_path / "foliosync.db")
    mark.unlink()
    prepare_database(desk.app)
    assert mark.exists()


def test_half_a_key_is_not_left_behind(tmp_path, monkeypatch):
    file = tmp_path / "secret"

    def full(_length):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("portfolio.web.signing.secrets.token_hex", full)
        with pytest.raises(SetupProblem, match="No space"):
            signing_key(file)
    assert len(signing_key(file)) == 64
