"""What `make test` does with what is named."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SHARED_OUT = re.search(r"^SHARED_OUT = (.+)$", MAKEFILE, re.MULTILINE)[1].split()


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("tests/unit/nothere.py", "file or directory not found: tests/unit/nothere.py"),
        ("tests/unit/test_make.py::test_nothere", "test_nothere"),
    ],
)
def test_what_is_named_and_not_there_is_said(named, said):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *SHARED_OUT, "-q", named],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert re.search(rf"^ERROR: .*{re.escape(said)}$", done.stderr, re.MULTILINE)
