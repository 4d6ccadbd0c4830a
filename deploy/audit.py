"""Look the locked versions up among known vulnerabilities; what could not be looked up is said.

Ends with status 1 only where a vulnerability is known. A registry that cannot be reached says
nothing about the packages, and must not turn a change red that has nothing to do with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "deploy/build.lock")
PATIENCE = 120


def main() -> int:
    """Look up each lock file."""
    excused = exceptions()
    return max([told(lock, looked_up(ROOT / lock), excused) for lock in LOCKS])


def exceptions() -> Mapping[str, str]:
    """The ids that are known and accepted, each with its reason."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: Mapping[str, str] = content["tool"]["foliosync"]["audit"]
    return found


def looked_up(lock: Path) -> Sequence[Mapping[str, Any]] | None:
    """What pip-audit says of each package; None where it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
    command += ["--progress-spinner", "off", "--format", "json", "--requirement", str(lock)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        found: Sequence[Mapping[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return found


def told(name: str, found: Sequence[Mapping[str, Any]] | None, excused: Mapping[str, str]) -> int:
    """Say what was found; 1 where a vulnerability is known that nobody excused."""
    if found is None:
        print(f"{name}: NOT LOOKED UP: the list of known vulnerabilities cannot be reached.")
        return 0
    unknown = [of["name"] for of in found if "vulns" not in of]
    bad = [
        f"{of['name']} {of['version']}: {each['id']} (mended in {each['fix_versions']})"
        for of in found
        for each in of.get("vulns", ())
        if not {each["id"], *each.get("aliases", ())} & set(excused)
    ]
    for line in bad:
        print(f"{name}: VULNERABLE: {line}")
    # A registry without advisories answers as if each package were unknown to it.
    if unknown:
        which = "all" if len(unknown) == len(found) else ", ".join(unknown)
        print(f"{name}: NOT LOOKED UP: {len(unknown)} of {len(found)} packages: {which}.")
    elif not bad:
        print(f"{name}: no known vulnerability in {len(found)} packages.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
