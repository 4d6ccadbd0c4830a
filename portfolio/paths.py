"""Where templates and static files are: inside the package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from portfolio.errors import SetupProblem

PACKAGE = Path(__file__).parent
REQUIRED = ("vendor/htmx.min.js", "vendor/pico.min.css")


def resource(name: str) -> Path:
    """The folder of this name, in the package or next to it."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def check_front_end() -> None:
    """Refuse to start without the built front-end files."""
    missing = [name for name in REQUIRED if not (resource("static") / name).is_file()]
    if missing:
        raise SetupProblem(
            f"The front-end file {missing[0]} is missing: run `python -m portfolio.frontend`."
        )
