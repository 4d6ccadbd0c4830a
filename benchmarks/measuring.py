"""Time, memory and growth, of this process and of others."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import quantiles

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(task: Callable[[], object], rounds: int = 5) -> float:
    """The least CPU seconds that a task takes in this process."""
    return min(_spent(time.process_time, task) for _ in range(rounds))


def wall(task: Callable[[], object], rounds: int = 5) -> float:
    """The least seconds that a task takes."""
    return min(_spent(time.perf_counter, task) for _ in range(rounds))


def percentiles(task: Callable[[], object], rounds: int = 200) -> tuple[float, float, float]:
    """Seconds of a task: the median, the 95th and the 99th of a hundred."""
    cut = quantiles((_spent(time.perf_counter, task) for _ in range(rounds)), n=100)
    return cut[49], cut[94], cut[98]


def _spent(clock: Callable[[], float], task: Callable[[], object]) -> float:
    began = clock()
    task()
    return clock() - began


def cpu_of_script(*arguments: str, rounds: int = 5) -> float:
    """The least CPU seconds of `python arguments` from its start to its end."""
    return min(_cpu_of_one([sys.executable, *arguments]) for _ in range(rounds))


def _cpu_of_one(command: list[str]) -> float:
    before = os.times()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used until now, to a hundredth."""
    # The name of the program, in parentheses, may have spaces in it.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid: int, which: str = "VmRSS") -> float:
    """Megabytes that a process holds now (`VmRSS`) or held at most (`VmHWM`)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == which:
            return int(value.split()[0]) / 1024
    raise LookupError(f"process {pid} has no {which}")


def forget_peak(pid: int) -> None:
    """Let `VmHWM` begin anew with what the process holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def exponent(seconds: Mapping[int, float] | Sequence[tuple[int, float]]) -> float:
    """How time grows with size: the slope of a line through their logarithms (least squares)."""
    pairs = list(seconds.items()) if isinstance(seconds, Mapping) else list(seconds)
    xs = [math.log(size) for size, _ in pairs]
    ys = [math.log(spent) for _, spent in pairs]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    return above / sum((a - x) ** 2 for a in xs)
