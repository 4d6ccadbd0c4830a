"""A Client Portal Gateway that is none: a WSGI callable with invented accounts and no way to trade."""

from brokers.ibkr.simulator.app import Simulator

__all__ = ["Simulator"]
