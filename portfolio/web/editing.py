"""What a form showed when it was opened, so that saving it takes back nobody else's change.

A form sends all its fields. Those that were changed in it are written; one that somebody else has
changed as well, in another tab or with another program, is said beside it first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flask import request

from portfolio.errors import Invalid

OPENED = "opened"


def opened(values: Mapping[str, Any]) -> str:
    """What a form is filled with, as its hidden field."""
    return _written({name: _text(value) for name, value in values.items()})


def changed(stored: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """The fields of the form that was sent which were changed in it.

    `stored` is what it would be filled with now. `Invalid` names each of them that is another by
    now than the form showed. A form that does not say what it showed is taken as it is.
    """
    showed = _showed()
    sent = [name for name in names if name in request.form]
    wanted = tuple(name for name in sent if showed.get(name) != _text(request.form[name]))
    refuse_late(stored, wanted)
    return wanted


def refuse_late(stored: Mapping[str, Any], names: Iterable[str]) -> None:
    """`Invalid` for fields that are others by now than the form showed, and than was typed."""
    showed = _showed()
    late = {
        name: _said(now)
        for name in names
        if (now := _text(stored[name])) != showed.get(name, now)
        and now != _text(request.form.get(name))
    }
    if late:
        raise Invalid(late)


def reopened(stored: Mapping[str, Any], told: Iterable[str]) -> str:
    """The hidden field of a form that is shown again, with what stands beside the fields `told`.

    What they are by now has been said there, so who saves again has seen it.
    """
    showed = _showed()
    known = {name: _text(stored[name]) for name in told if name in showed and name in stored}
    return _written({**showed, **known})


def _written(values: Mapping[str, str]) -> str:
    # Escaped: half a character, which JSON can name and no page can hold, may have been sent.
    return json.dumps(values)


def _said(now: str) -> str:
    by_now = f"“{now}”" if now else "empty"
    return f"This was changed meanwhile: it is {by_now} by now. Save again to replace that."


def _showed() -> dict[str, str]:
    try:
        found = json.loads(request.form.get(OPENED, "{}"))
    except (ValueError, RecursionError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}


def _text(value: Any) -> str:
    # Browsers send lines as they once went over telephone lines.
    return "" if value is None else str(value).replace("\r\n", "\n").strip()
