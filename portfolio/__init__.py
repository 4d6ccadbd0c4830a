"""Foliosync: a self-hosted portfolio whose holdings agree with the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from portfolio.settings import Settings

__version__ = "0.1.0"
__all__ = ["__version__", "create_app"]


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application; settings come from the environment unless they are given."""
    # Imported here so that the build backend can read the version without any dependency.
    from portfolio.redaction import install
    from portfolio.serving import loading
    from portfolio.settings import Settings

    install()
    settings = settings or Settings.load()
    with loading():
        from portfolio.app import create_app as build

        return build(settings)
