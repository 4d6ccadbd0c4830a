"""Found by `gunicorn wsgi:app` in this folder; the configuration itself is in the package."""

from portfolio.gunicorn import *  # noqa: F403
