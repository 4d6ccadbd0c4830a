"""Which brokers there are: built-in ones and plug-ins, known only as strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from brokers.contract import CONTRACT_VERSION, ENTRY_POINT_GROUP, Broker

BUILT_IN = {"ibkr": "brokers.ibkr:InteractiveBrokers"}


class UnknownBroker(KeyError):
    """No adapter of this key is installed."""


class Registry:
    """The adapters that loaded, and the reason for each that did not."""

    def __init__(self, brokers: Mapping[str, Broker], failed: Mapping[str, str]) -> None:
        self.brokers = MappingProxyType(dict(brokers))
        self.failed = MappingProxyType(dict(failed))

    @classmethod
    def discover(cls, plug_ins: Iterable[EntryPoint] | None = None) -> Registry:
        """Load the built-in brokers and every installed plug-in; a broken one is never fatal."""
        found = entry_points(group=ENTRY_POINT_GROUP) if plug_ins is None else plug_ins
        named = {**BUILT_IN, **{point.name: point.value for point in found}, **BUILT_IN}
        brokers: dict[str, Broker] = {}
        failed: dict[str, str] = {}
        for key, path in named.items():
            try:
                brokers[key] = _load(key, path)
            except Exception as error:  # noqa: BLE001
                # A plug-in may raise anything while it is imported; it must not stop the program.
                failed[key] = f"{type(error).__name__}: {error}"
        return cls(brokers, failed)

    def get(self, key: str) -> Broker:
        """The adapter of a key, or `UnknownBroker`."""
        try:
            return self.brokers[key]
        except KeyError:
            raise UnknownBroker(self.failed.get(key, key)) from None


def _load(key: str, path: str) -> Broker:
    module, _, name = path.partition(":")
    broker: Broker = getattr(import_module(module), name)()
    if broker.manifest.key != key:
        raise ValueError(f"it calls itself “{broker.manifest.key}”")
    if broker.manifest.contract != CONTRACT_VERSION:
        raise ValueError(f"it is made for contract {broker.manifest.contract}")
    return broker
