"""Checks and repairs of what is stored."""
