"""What changes accounts and what they hold; each verb works inside the caller's transaction."""
