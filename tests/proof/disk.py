"""A disk below a real process that becomes full, or fails, at the N-th write."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("disk.c")
# As in `disk.c`.
OFF, ONCE, FROM_THEN_ON = range(3)
LAYOUT = struct.Struct("@5q")
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO}


def built(folder: Path) -> Path:
    """The library that stands between a process and its disk; skips where nothing compiles it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or os.uname().sysname != "Linux":
        pytest.skip("no C compiler for Linux is installed")
    library = folder / "disk.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [compiler, *flags, "-o", str(library), str(SOURCE), "-ldl"],
        check=True,
        timeout=120,
    )
    return library


@dataclass(frozen=True, kw_only=True)
class Disk:
    """The disk that the files below `folder` are on, for processes that have `environ`."""

    folder: Path
    library: Path
    control: mmap.mmap
    control_file: Path

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs, to have this disk."""
        return {
            "LD_PRELOAD": str(self.library),
            "PROOF_DISK_CONTROL": str(self.control_file),
            "PROOF_DISK_FOLDER": f"{self.folder}/",
        }

    @contextmanager
    def failing(self, number: int, error: str, mode: int) -> Iterator[None]:
        """Fail the `number`-th write from now on (0: none, they are counted), until the end."""
        # The mode comes last: until then nothing is counted.
        self.control[:] = LAYOUT.pack(OFF, ERRORS[error], number, 0, 0)
        self.control[:] = LAYOUT.pack(mode, ERRORS[error], number, 0, 0)
        try:
            yield
        finally:
            self.control[: LAYOUT.size // 5] = struct.pack("@q", OFF)

    @property
    def seen(self) -> int:
        """How many writes there were."""
        return int(LAYOUT.unpack(self.control[:])[3])

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return int(LAYOUT.unpack(self.control[:])[4])


@contextmanager
def disk_below(folder: Path, library: Path) -> Iterator[Disk]:
    """A disk that works, until it is told not to."""
    control_file = folder.parent / f"{folder.name}.control"
    control_file.write_bytes(bytes(LAYOUT.size))
    with control_file.open("r+b") as file, mmap.mmap(file.fileno(), LAYOUT.size) as control:
        yield Disk(folder=folder, library=library, control=control, control_file=control_file)
