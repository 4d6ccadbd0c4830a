"""What has to notice a changed guard is there, and runs without plugins as it is run there."""

from __future__ import annotations

import subprocess
import sys

from tests.proof.mutants import ENVIRON, MODULES, PYTEST, ROOT


def test_all_of_it_is_found():
    named = {test for tests in MODULES.values() for test in tests}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *PYTEST, *sorted(named)]
    ran = subprocess.run(command, cwd=ROOT, env=ENVIRON, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert all((ROOT / module).is_file() for module in MODULES)
