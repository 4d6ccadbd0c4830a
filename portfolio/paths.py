"""Where files are: those that a setting names, and templates and static files of our own."""

from __future__ import annotations

from pathlib import Path

from portfolio.errors import SetupProblem

PACKAGE = Path(__file__).parent
REQUIRED = ("vendor/htmx.min.js", "vendor/pico.min.css")


def named(text: str) -> Path:
    """A path as a setting names it; `~` is the home of whoever runs the program."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise SetupProblem(
            f"{text} cannot be found: whoever runs Foliosync has no home folder of that name. Set "
            "FOLIOSYNC_DATA_DIR, or the setting that has this path, to one that begins with /."
        ) from None


def resource(name: str) -> Path:
    """The folder of this name, in the package or next to it in a checkout."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def check_front_end() -> None:
    """Refuse to start without the built front-end files."""
    missing = [name for name in REQUIRED if not (resource("static") / name).is_file()]
    if missing:
        raise SetupProblem(
            f"The front-end file {missing[0]} is missing: run `python -m portfolio.frontend`."
        )
