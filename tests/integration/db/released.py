"""Databases as released programs left them, and what must never change in them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, inspect, text

SCHEMAS = Path(__file__).parents[2] / "data" / "schemas"
VERSIONS = Path(__file__).parents[3] / "portfolio" / "db" / "migrations" / "versions"
REVISIONS = sorted(file.name[:4] for file in SCHEMAS.glob("*.sqlite.sql"))


def answers(revision):
    """What the program of that time answered, by path."""
    return json.loads((SCHEMAS / f"{revision}.json").read_text(encoding="utf-8"))


def load(revision, url):
    """Bring a database of that time into an empty one."""
    kind = url.partition(":")[0].partition("+")[0]
    script = (SCHEMAS / f"{revision}.{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            database.executescript(script)
        return
    engine = create_engine(url)
    with closing(engine.raw_connection()) as connection:
        connection.driver_connection.execute(script)
        connection.commit()
    engine.dispose()


def contents(url, columns=None):
    """All rows, by table; of these columns (by table), or of all that there are."""
    engine = create_engine(url)
    with engine.connect() as connection:
        present = inspect(connection)
        columns = columns or {
            table: [of["name"] for of in present.get_columns(table)]
            for table in present.get_table_names()
            if table != "alembic_version"
        }
        found = {
            table: sorted(
                map(repr, connection.execute(text(f'SELECT {listed(names)} FROM "{table}"')))
            )
            for table, names in columns.items()
        }
    engine.dispose()
    return columns, found


def listed(names):
    return ", ".join(f'"{name}"' for name in names)
