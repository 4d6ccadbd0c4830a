"""Shared database machinery: exact types, sessions, copies and migrations."""
