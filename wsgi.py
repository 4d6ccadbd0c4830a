"""The WSGI entry point: `gunicorn wsgi:app`; see docs/install.md for other servers."""

from portfolio import create_app

app = create_app()
