"""A bare page, to compare ours with: Flask, SQLite and Jinja as their own tutorials use them.

`python benchmarks/bare_page.py FILE PORT` makes the file with ten thousand rows and serves fifty.
"""

from __future__ import annotations

import sqlite3
import sys

from flask import Flask, g, render_template
from jinja2 import DictLoader
from waitress import serve

ROWS, PAGE, THREADS = 10_000, 50, 32
COLUMNS = ("symbol", "name", "quantity", "price", "value", "cost", "profit", "percent", "weight")
TABLE = """<!doctype html><html lang="en"><title>Holdings</title><h1>Holdings</h1><table>
<tr>{% for column in columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for column in columns %}<td>{{ row[column] }}</td>{% endfor %}</tr>
{% endfor %}</table></html>"""
app = Flask(__name__)
app.jinja_loader = DictLoader({"page.html": TABLE})


@app.get("/")
def page() -> str:
    """The first fifty rows by value, which has an index."""
    g.db = sqlite3.connect(app.config["FILE"])
    g.db.row_factory = sqlite3.Row
    query = f"SELECT {', '.join(COLUMNS)} FROM holding ORDER BY value DESC LIMIT ?"
    rows = g.db.execute(query, (PAGE,)).fetchall()
    return render_template("page.html", columns=COLUMNS, rows=rows)


@app.get("/all")
def everything() -> str:
    """All rows."""
    g.db = sqlite3.connect(app.config["FILE"])
    g.db.row_factory = sqlite3.Row
    query = f"SELECT {', '.join(COLUMNS)} FROM holding ORDER BY value DESC"
    return render_template("page.html", columns=COLUMNS, rows=g.db.execute(query).fetchall())


@app.teardown_appcontext
def close(_error: BaseException | None) -> None:
    """As the tutorial has it: a connection per request."""
    if "db" in g:
        g.db.close()


def fill(file: str) -> None:
    """Make the table."""
    with sqlite3.connect(file) as db:
        db.execute(f"CREATE TABLE holding ({', '.join(COLUMNS)})")
        db.execute("CREATE INDEX by_value ON holding (value)")
        marks = ", ".join("?" * len(COLUMNS))
        rows = (
            (f"S{n}", f"International Holdings {n}", *(n * k / 7 for k in range(1, 8)))
            for n in range(ROWS)
        )
        db.executemany(f"INSERT INTO holding VALUES ({marks})", rows)
    db.close()


if __name__ == "__main__":
    app.config["FILE"] = sys.argv[1]
    fill(sys.argv[1])
    serve(app, host="127.0.0.1", port=int(sys.argv[2]), threads=THREADS, ident=None)
