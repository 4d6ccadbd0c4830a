"""Broker adapters: read-only, exact, and ignorant of the application that uses them."""

from brokers.contract import Broker, Capability, Connection, Context, Manifest
from brokers.errors import BrokerError
from brokers.registry import Registry
from brokers.types import Snapshot

__all__ = [
    "Broker",
    "BrokerError",
    "Capability",
    "Connection",
    "Context",
    "Manifest",
    "Registry",
    "Snapshot",
]
