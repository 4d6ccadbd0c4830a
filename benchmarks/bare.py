"""The libraries that serving a page takes, and an application of them that does nothing.

`python -m benchmarks.bare FOLDER` starts it and says what that took in CPU seconds;
`python -m benchmarks.bare FOLDER PORT` goes on to serve, with as many threads as we have.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

from flask import Flask
from flask_smorest import Api
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import text
from waitress.server import create_server

# What an application like ours needs beside those above before it can answer.
OTHERS = (
    *("apscheduler.schedulers.background", "argon2", "cryptography.fernet", "cryptography.x509"),
    *("marshmallow", "msgspec", "prometheus_client", "requests"),
)
THREADS = 32


def application(folder: Path) -> Flask:
    """One page over an empty database."""
    for name in OTHERS:
        import_module(name)
    app = Flask("bare")
    app.config.update(
        SECRET_KEY="nothing is signed",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'bare.db'}",
        API_TITLE="Bare",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
    )
    CSRFProtect(app)
    Api(app)
    db = SQLAlchemy(app)

    @app.get("/")
    def page() -> str:
        return f"<p>{db.session.scalar(text('SELECT 1'))}</p>"

    with app.app_context():
        db.session.execute(text("SELECT 1"))
        db.session.remove()
    return app


def main() -> None:
    """Start, and say what it took; then serve where a port is given."""
    app = application(Path(sys.argv[1]))
    print(time.process_time(), flush=True)
    if len(sys.argv) > 2:
        create_server(app, host="127.0.0.1", port=int(sys.argv[2]), threads=THREADS).run()


if __name__ == "__main__":
    main()
