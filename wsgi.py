"""The WSGI entry point: `gunicorn wsgi:app` or any other server."""

from portfolio import create_app

app = create_app()
