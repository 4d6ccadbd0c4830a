"""The pages of users: signing in, and one’s own account."""
