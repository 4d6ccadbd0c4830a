"""Connections and gateways as JSON, and the documented routes."""
