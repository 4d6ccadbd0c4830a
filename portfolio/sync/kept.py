"""A snapshot as JSON, kept with a run that was not applied, so that a person may still decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from brokers.types import Snapshot
from portfolio.errors import StorageDamaged


def dumped(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot with every digit, as JSON values."""
    found: dict[str, Any] = msgspec.to_builtins(snapshot)
    return found


def loaded(kept: Mapping[str, Any]) -> Snapshot:
    """The snapshot that was kept, whatever its parts are made of; each is what it was."""
    try:
        return msgspec.convert(kept, Snapshot)
    except msgspec.ValidationError as error:
        raise StorageDamaged("The database has no snapshot where one belongs.") from error
