"""The command `foliosync` that keeps no pace: a simulated gateway without limits does not mind."""

from __future__ import annotations

import sys

from portfolio.cli import main
from tests.proof.points import hurry

if __name__ == "__main__":
    hurry()
    sys.exit(main())
