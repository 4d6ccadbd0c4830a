"""The documented JSON of accounts and all that they hold."""
