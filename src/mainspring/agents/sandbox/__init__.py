"""Sandboxes: they run Python code that nobody has read, and nothing of it stays."""
