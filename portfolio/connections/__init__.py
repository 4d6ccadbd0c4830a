"""Gateways, connections of accounts to brokers, and what is done over them."""
