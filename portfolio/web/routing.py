"""Routes that learn how their address is written when somebody first asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

Written = tuple[str, str]


class LateRule(Rule):
    """A rule that compiles the functions which write its address only when they are called.

    werkzeug compiles two for each of more than a hundred routes, a twentieth of a start; most
    addresses are written with one of them, and many never.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., Written]:
        name = "_build_unknown" if append_unknown else "_build"

        def build(rule: LateRule, **values: Any) -> Written:
            compiled = Rule._compile_builder(rule, append_unknown).__get__(rule, None)
            setattr(rule, name, compiled)
            written: Written = compiled(**values)
            return written

        return build
