"""Portfolios, accounts and what they hold."""
