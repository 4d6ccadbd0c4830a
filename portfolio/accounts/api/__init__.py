"""Portfolios, accounts and what they hold as JSON."""
