"""What a database says of a row that it refuses has no place in a log."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert
from sqlalchemy.exc import IntegrityError

from portfolio import redaction

TABLE = Table(
    "refusing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(120), unique=True),
    Column("note", String(120), nullable=False),
)
SAVINGS = "Savings\nfor the canary"


@pytest.mark.parametrize("row", [{"name": SAVINGS, "note": "n"}, {"name": SAVINGS, "note": None}])
def test_its_values_are_hidden_and_the_way_to_it_is_not(engine_of, caplog, row):
    redaction.install()
    engine = engine_of(TABLE.metadata, hide_parameters=True)
    with engine.begin() as connection:
        connection.execute(insert(TABLE), {"name": SAVINGS, "note": "n"})

    def store():
        with engine.begin() as connection:
            connection.execute(insert(TABLE), row)

    try:
        store()
    except IntegrityError as error:
        logging.getLogger("some.library").exception("refused")
        logging.getLogger("some.library").warning("refused: %s", error)
    assert "refused" in caplog.text
    assert "canary" not in caplog.text
    # Where it happened, and what was done there.
    assert "in store" in caplog.text
    assert "INSERT INTO refusing" in caplog.text
