"""The command `foliosync` with named points at which it can be made to end."""

from __future__ import annotations

import os
import sys

from portfolio.cli import main
from tests.proof import points

if __name__ == "__main__":
    points.install(os.environ[points.GROUP])
    if os.environ.get(points.HURRY):
        points.hurry()
    sys.exit(main())
