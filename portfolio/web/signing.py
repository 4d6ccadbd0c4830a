"""The key that signs form tokens and cookies."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from tempfile import mkstemp

from portfolio.errors import SetupProblem


def signing_key(file: Path) -> str:
    """The key that signs form tokens, made at the first start and readable by its owner only."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            _write_key(file)
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupProblem(f"The secret key file {file} cannot be used: {error}.") from None
    if len(key) < 32:
        raise SetupProblem(f"The secret key in {file} is too short; remove the file to renew it.")
    return key


def _write_key(file: Path) -> None:
    """Make a key that is whole as soon as it has its name; of two processes, the first one's."""
    handle, name = mkstemp(prefix=f"{file.name}.", suffix=".part", dir=file.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
        _name_key(part, file)
    finally:
        part.unlink(missing_ok=True)


def _name_key(part: Path, file: Path) -> None:
    try:
        os.link(part, file)
    except OSError:
        # Another process was first, or the file system has no links.
        if not file.exists():
            part.rename(file)
