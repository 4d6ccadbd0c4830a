"""Measurements against floors of the same run; see README.md beside this file."""
