"""What is read of accounts and all that they hold; pages and API share it."""
