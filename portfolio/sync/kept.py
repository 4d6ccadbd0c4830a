"""What a run that was not applied has read and would have done, so that a person may decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from brokers.types import Snapshot
from portfolio.errors import StorageDamaged
from portfolio.sync.plan import Plan


def dumped(snapshot: Snapshot, plan: Plan) -> dict[str, Any]:
    """The snapshot with every digit, and beside it what the plan would have done; JSON values."""
    found: dict[str, Any] = msgspec.to_builtins(snapshot)
    steps = [
        {
            "subject": step.subject,
            "label": step.label,
            "action": step.action,
            "changes": [[of.field, of.old, of.new] for of in step.changes],
            "beside": step.beside,
        }
        for step in plan.steps
    ]
    # Beside the parts of the snapshot, of which it is none.
    return {**found, "steps": steps}


def loaded(kept: Mapping[str, Any]) -> Snapshot:
    """The snapshot that was kept, whatever its parts are made of; each is what it was."""
    try:
        return msgspec.convert(kept, Snapshot)
    except msgspec.ValidationError as error:
        raise StorageDamaged("The database has no snapshot where one belongs.") from error
