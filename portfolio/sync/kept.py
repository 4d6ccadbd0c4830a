"""A snapshot as JSON, kept with a run that was not applied, so that a person may still decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from brokers.types import Snapshot
from portfolio.db.base import canonical


def dumped(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot with every digit, as JSON values."""
    found: dict[str, Any] = _dump(snapshot)
    return found


def loaded(kept: Mapping[str, Any]) -> Snapshot:
    """The snapshot that was kept."""
    found: Snapshot = _load(Snapshot, kept)
    return found


def _dump(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _dump(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _dump(inner) for name, inner in value.items()}
    if isinstance(value, frozenset):
        return sorted(map(_dump, value))
    if isinstance(value, tuple):
        return [_dump(inner) for inner in value]
    if isinstance(value, Decimal):
        return canonical(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value


def _load(kind: Any, value: Any) -> Any:
    """A value of a type from what was dumped; every type that a snapshot is made of."""
    if value is None:
        return None
    origin, inside = get_origin(kind), get_args(kind)
    if type(None) in inside:
        return _load(next(of for of in inside if of is not type(None)), value)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        made: Any = kind
        return made(**{name: _load(hints[name], inner) for name, inner in value.items()})
    if origin in (tuple, frozenset):
        return origin(_load(inside[0], inner) for inner in value)
    if origin is not None:
        of_key, of_value = inside
        return {_load(of_key, name): _load(of_value, inner) for name, inner in value.items()}
    if isinstance(kind, type) and issubclass(kind, (date, datetime)):
        return kind.fromisoformat(value)
    if isinstance(kind, type) and issubclass(kind, (StrEnum, Decimal)):
        return kind(value)
    return value
