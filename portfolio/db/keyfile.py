"""The file of the keys that seal what is secret."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from portfolio.db.keysource import new_key
from portfolio.errors import KeyUnavailable, SetupProblem
from portfolio.values import sealing_key

NOTE = "# a rotation has begun: `foliosync key rotate` goes on with it"


class KeyFile:
    """A file of keys, one a line, newest first, that nobody but its owner may read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def where(self) -> str:
        """Its path."""
        return str(self.file)

    def stamp(self) -> object:
        """Which file it is and when it was written; None where it is absent."""
        try:
            found = self.file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> tuple[str, ...]:
        """The keys; `SetupProblem` for a file that others can read, or that has no keys."""
        try:
            with self.file.open(encoding="ascii") as stream:
                _refuse_others(self.file, os.fstat(stream.fileno()).st_mode)
                lines = [line.strip() for line in stream]
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or "it is not text"
            raise SetupProblem(f"The key file {self.file} cannot be read: {said}.") from None
        return self._checked([line for line in lines if line and not line.startswith("#")])

    def _checked(self, lines: Sequence[str]) -> tuple[str, ...]:
        try:
            keys = tuple(dict.fromkeys(map(sealing_key, lines)))
        except ValueError:
            keys = ()
        if not keys:
            raise SetupProblem(
                f"The key file {self.file} has a line that is no key, or none at all: bring back "
                "a copy of the file. It was not touched."
            )
        return keys

    def ensure(self) -> bool:
        """Make the file with one new key; `KeyUnavailable` where that is impossible."""
        if self.file.exists():
            return False
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _whole(self.file, [new_key()]) as part:
                return _named_first(part, self.file)
        except OSError as error:
            raise KeyUnavailable(
                f"The key file {self.file} cannot be made: {error.strerror}."
            ) from None

    def rotates(self) -> bool:
        """Whether a rotation has begun and is not over."""
        return NOTE in self.file.read_text(encoding="ascii").splitlines()

    def write(self, keys: Sequence[str], *, rotates: bool = False) -> None:
        """Put these keys in place of the former ones: all of them, or none."""
        # A link stays one: what it leads to is the file that somebody keeps.
        file = self.file.resolve()
        try:
            with _whole(file, [NOTE, *keys] if rotates else keys) as part:
                part.replace(file)
        except OSError as error:
            raise SetupProblem(
                f"The key file {self.file} cannot be written: {error.strerror}; it is as it was."
            ) from None


def _refuse_others(file: Path, mode: int) -> None:
    # Elsewhere these bits say nothing about who may read.
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SetupProblem(
            f"Others than its owner may read the key file {file}: run `chmod 600 {file}`, then "
            "start Foliosync again."
        )


@contextmanager
def _whole(file: Path, lines: Sequence[str]) -> Iterator[Path]:
    """A file beside it with these lines, safe on the disk; whoever uses it gives it the name."""
    for left in file.parent.glob(f".{file.name}.*.part"):
        # A process that was killed left keys behind.
        left.unlink(missing_ok=True)
    handle, name = mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.writelines(f"{line}\n" for line in lines)
            stream.flush()
            os.fsync(stream.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(file.parent)


def _named_first(part: Path, file: Path) -> bool:
    """Give it the name unless somebody was first; whether it did."""
    try:
        os.link(part, file)
    except FileExistsError:
        return False
    except OSError:
        # Not every file system has links.
        if file.exists():
            return False
        part.rename(file)
    return True


def _sync_folder(folder: Path) -> None:
    """The name must outlive a loss of power as well; where folders cannot be opened it does."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
