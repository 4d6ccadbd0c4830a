"""The server as shipped, but for one thing: it keeps no pace with its gateway.

`python -m benchmarks.unpaced run --port 8000`; settings come from the environment.
"""

from __future__ import annotations

import sys

from brokers import registry
from portfolio.cli import main

if __name__ == "__main__":
    registry.BUILT_IN["ibkr"] = "benchmarks.accounts:Unpaced"
    sys.exit(main())
