"""The migrations make what the models say, and the constraints hold on every database."""

from __future__ import annotations

import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from portfolio.app import create_app, prepare_database
from portfolio.db.base import Base, db
from portfolio.db.upgrade import MIGRATIONS, is_known, newest_revision
from portfolio.errors import SetupProblem
from portfolio.settings import Settings
from tests.integration.db.released import REVISIONS, contents, load


def test_the_migrations_make_what_the_models_say(anywhere):
    with anywhere.app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_index_for_some_rows_has_the_condition_of_its_model_on_either_database(anywhere):
    """PostgreSQL's stands in the migrations only, and no comparison of models looks at it."""
    meant = {
        index.name: str(index.dialect_options["sqlite"]["where"])
        for table in Base.metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    with anywhere.app.app_context(), db.engine.connect() as connection:
        option = f"{connection.dialect.name}_where"
        made = {
            index["name"]: plain(index["dialect_options"][option])
            for indexes in inspect(connection).get_multi_indexes().values()
            for index in indexes
            if index.get("dialect_options", {}).get(option) is not None
        }
    assert made == meant


def plain(condition):
    """As SQL says it, without the types and brackets that PostgreSQL shows."""
    return re.sub(r"::text|[()]", "", str(condition))


def test_the_whole_story_on_either_database(anywhere):
    url = anywhere.connected()
    first = anywhere.holdings(url)
    assert len(first["holdings"]) == 50
    anywhere.simulator.sell("U1234567", "VWCE")
    again = anywhere.sync(url)
    assert again.json["run"]["closed"] == 1
    assert anywhere.holdings(url)["totals"]["cash"] != first["totals"]["cash"]


def execute(desk, statement, **values):
    with desk.app.app_context(), db.engine.begin() as connection:
        return connection.execute(text(statement), values)


HOLDING = (
    "INSERT INTO holding (account_id, instrument_id, source, source_account, quantity, opened_at)"
    " SELECT account_id, instrument_id, source, source_account, {quantity}, opened_at"
    " FROM holding LIMIT 1"
)


@pytest.mark.parametrize(
    "statement",
    [
        HOLDING.format(quantity="quantity"),
        "UPDATE holding SET quantity = 'NaN'",
        "UPDATE cash_balance SET amount = 'Infinity'",
        "UPDATE cash_balance SET futures_pnl = 'NaN'",
        "UPDATE account SET mode = 'both'",
        (
            "INSERT INTO portfolio (owner_id, name, base_currency, created_at)"
            " SELECT owner_id, name, base_currency, created_at FROM portfolio"
        ),
        "UPDATE rate SET from_currency = to_currency",
        "UPDATE holding SET instrument_id = 99999",
        "DELETE FROM account",
    ],
)
def test_what_must_never_be_stored_is_refused_by_the_database(anywhere, statement):
    anywhere.connected()
    with pytest.raises(IntegrityError):
        execute(anywhere, statement)


def test_what_is_acknowledged_is_on_the_disk(desk):
    """What power loss may take is SQLite's promise, which holds with these two only."""
    with desk.app.app_context(), db.engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    assert (mode, synchronous) == ("wal", 2)


def settings(tmp_path):
    return Settings.load({"FOLIOSYNC_DATA_DIR": str(tmp_path)})


def test_an_upgrade_copies_and_verifies_first(tmp_path):
    file = tmp_path / "foliosync.db"
    load(REVISIONS[0], f"sqlite:///{file}")
    columns, before = contents(f"sqlite:///{file}")
    copy = prepare_database(create_app(settings(tmp_path)))
    assert [copy] == list(tmp_path.glob("foliosync-before-upgrade-*.db"))
    assert contents(f"sqlite:///{copy}", columns)[1] == before
    assert oct(copy.stat().st_mode)[-3:] == "600"
    assert prepare_database(create_app(settings(tmp_path))) is None


def test_a_database_of_a_newer_program_is_refused_without_a_copy_and_as_it_was(desk, tmp_path):
    url = desk.connected()
    execute(desk, "UPDATE alembic_version SET version_num = '9999'")
    for _ in range(3):
        with pytest.raises(SetupProblem, match="newer Foliosync"):
            prepare_database(create_app(settings(tmp_path)))
    assert list(tmp_path.glob("*before*")) == []
    execute(desk, f"UPDATE alembic_version SET version_num = '{newest_revision()}'")
    assert prepare_database(create_app(settings(tmp_path))) is None
    assert len(desk.holdings(url)["holdings"]) == 50


def test_a_database_that_is_up_to_date_is_not_copied(desk, tmp_path):
    assert prepare_database(create_app(settings(tmp_path))) is None
    assert list(tmp_path.glob("*before*")) == []


def test_the_files_of_the_migrations_are_numbered_as_alembic_reads_them():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert newest_revision() == scripts.get_current_head()
    for script in scripts.walk_revisions():
        assert is_known(script.revision)
    assert not is_known("0000")
    assert not is_known(None)
