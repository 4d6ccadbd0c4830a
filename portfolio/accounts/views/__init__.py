"""The pages and forms with which portfolios and accounts are kept."""
