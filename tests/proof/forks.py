"""Runs commands of `foliosync` one after the other, each in a fork that has all imported already.

Reads a line of arguments, and answers with a line: the exit status of the command.
"""

from __future__ import annotations

import os
import sys
import traceback

# Whatever a command imports late: loading it once is most of the time of a command.
import portfolio.app
import portfolio.db.migrations  # noqa: F401
from portfolio.cli import main


def run(arguments: list[str]) -> int:
    """The exit status of a command in a process of its own."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            status = main(arguments)
        except Exception:  # noqa: BLE001
            # Whoever reads the errors must see it; the fork must not go on as if it were us.
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    # What the commands print is of no interest; the pipe is for the statuses.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        print(run(line.split()), file=answers)
