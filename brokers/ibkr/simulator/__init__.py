"""A Client Portal Gateway that is none: a WSGI callable with invented accounts."""

from brokers.ibkr.simulator import lists as lists
from brokers.ibkr.simulator import oddities as oddities
from brokers.ibkr.simulator.app import Simulator

__all__ = ["Simulator"]
