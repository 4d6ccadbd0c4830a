"""How templates find what they all share, and the addresses that they name again and again."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any

from flask import Flask, request
from flask.templating import Environment as FlaskEnvironment

# Of some hundred characters each.
REMEMBERED = 2_000
# What makes an address depend on the request beside its root.
OF_REQUEST = frozenset({"_external", "_scheme"})


class Environment(FlaskEnvironment):
    """Flask's, with plain dictionaries of what all templates share.

    All of it is there before the first template is loaded. The chained ones of Jinja, which would
    see what is added later, are gone through by every import of a macro, a dozen on a page.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """What a template sees beside what it is given."""
        return {**self.globals, **(d or {})}


def register(app: Flask) -> Callable[..., str]:
    """Let templates name the addresses of routes; returns what writes them.

    A page has twenty: to write each of them anew takes a twenty-fifth of its time.
    """

    @lru_cache(maxsize=REMEMBERED, typed=True)
    def written(_root: str, endpoint: str, /, **values: Any) -> str:
        return app.url_for(endpoint, **values)

    @app.template_global()
    def url_for(endpoint: str, **values: Any) -> str:
        """The path of a route: the same for the same values below the same root."""
        if endpoint.startswith(".") or not OF_REQUEST.isdisjoint(values):
            return app.url_for(endpoint, **values)
        return written(request.root_path, endpoint, **values)

    return url_for
