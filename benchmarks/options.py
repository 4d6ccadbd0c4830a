"""What was asked for on the command line, known to every process of a run."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

PREFIX = "BENCHMARKS_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured.

    `quick` asks for smaller sizes and fewer rounds: a look at whether all of it runs, not figures
    to publish. `full` adds what takes long. `python` is the environment of a compared program.
    """

    quick: bool = False
    full: bool = False
    python: str = ""

    def pass_on(self) -> None:
        """Let the processes that this one starts know as well."""
        for name, value in asdict(self).items():
            os.environ[PREFIX + name.upper()] = str(value or "")


def chosen() -> Options:
    """The options of this run."""

    def given(name: str) -> str:
        return os.environ.get(PREFIX + name, "")

    return Options(quick=bool(given("QUICK")), full=bool(given("FULL")), python=given("PYTHON"))
