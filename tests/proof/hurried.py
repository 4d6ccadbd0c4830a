"""The command `foliosync` that keeps no pace: a simulated gateway without limits does not mind."""

from __future__ import annotations

import sys
from dataclasses import replace

import brokers.ibkr
from portfolio.cli import main

if __name__ == "__main__":
    brokers.ibkr.MANIFEST = replace(brokers.ibkr.MANIFEST, limits=())
    sys.exit(main())
